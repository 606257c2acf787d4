"""The formulas of PPO for language models, as small pure functions. Each names its source.

    PPO       Schulman et al., "Proximal Policy Optimization Algorithms", 2017
    GAE       Schulman et al., "High-Dimensional Continuous Control Using Generalized Advantage Estimation", 2015
    Ziegler   Ziegler et al., "Fine-Tuning Language Models from Human Preferences", 2019
    Huang     Huang et al., "The N Implementation Details of RLHF with PPO", 2024
    Coste     Coste et al., "Reward Model Ensembles Help Mitigate Overoptimization", 2023

Tensors have the shape (answers, tokens) unless noted otherwise; `mask` is 1 on the tokens of an answer, its end of
turn included, and 0 after them. A token's value is the critic's value of the text before that token.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from alignment.rewards.heads import spread

_EPSILON = 1e-8


def masked_mean(values: Tensor, mask: Tensor) -> Tensor:
    """The mean over the masked tokens, a scalar; 0 where there are none."""
    return (values * mask).sum() / mask.sum().clamp(min=1)


def masked_variance(values: Tensor, mask: Tensor) -> Tensor:
    """The variance (divided by n, not n - 1) over the masked tokens, a scalar."""
    return masked_mean((values - masked_mean(values, mask)) ** 2, mask)


def whiten(values: Tensor, mask: Tensor, *, shift_mean: bool = True) -> Tensor:
    """Values with deviation 1 over the masked tokens, and with mean 0 unless `shift_mean` is off; 0 elsewhere.

    Huang, "reward and advantages whitening": advantages with the mean shifted, rewards without.
    """
    mean = masked_mean(values, mask)
    white = (values - mean) * torch.rsqrt(masked_variance(values, mask) + _EPSILON)
    return (white if shift_mean else white + mean) * mask


def kl_per_token(logprobs: Tensor, reference: Tensor, mask: Tensor) -> Tensor:
    """log policy - log reference of each sampled token in nats; summed over an answer it estimates the KL divergence.

    Ziegler, equation 2. Its mean over answers is unbiased; one answer's can be negative.
    """
    return (logprobs - reference) * mask


def uncertain(scores: Tensor, centres: Tensor, coefficient: float) -> Tensor:
    """The rewards of answers, shape (answers,), whose heads say `scores`, (answers, heads): the mean less the spread.

    Coste, "uncertainty-weighted optimization", subtracts the variance over the members. Here it is their deviation
    (`alignment.rewards.heads.spread`, which explains `centres`), so the coefficient has no unit.
    """
    return scores.mean(dim=1) - coefficient * spread(scores, centres)


def clipped_scores(scores: Tensor, mean: float, deviation: float, limit: float) -> Tensor:
    """Scores of whole answers, shape (answers,), in the unit of their usual deviation, cut at plus and minus `limit`.

    Ziegler, section 2.1.2: scores have mean 0 and deviation 1 on the reference's answers. Huang does not cut. A limit
    keeps a single answer unlike any that the reward model has seen from deciding an update. 0 means no limit.
    """
    normal = (scores - mean) / max(deviation, _EPSILON)
    return normal.clamp(-limit, limit) if limit > 0 else normal


def penalised(scores: Tensor, ended: Tensor, penalty: float) -> Tensor:
    """Scores, shape (answers,), less `penalty` where the answer has no end of turn (`ended` is False).

    Huang, "rejection sampling / EOS trick": there such an answer gets a fixed low score; a penalty keeps the order.
    """
    return scores - penalty * (~ended.bool()).to(scores.dtype)


def token_rewards(scores: Tensor, kl: Tensor, mask: Tensor, coefficient: float) -> Tensor:
    """Each token's reward: minus `coefficient` times its KL, and at the last token the answer's score on top.

    Ziegler, equation 2; Huang, "per-token KL penalty".
    """
    rewards = -coefficient * kl * mask
    last = mask.long().sum(dim=1).clamp(min=1) - 1
    return rewards.scatter_add(1, last[:, None], scores.to(rewards.dtype)[:, None])


def generalised_advantages(
    rewards: Tensor, values: Tensor, mask: Tensor, *, discount: float, smoothing: float
) -> tuple[Tensor, Tensor]:
    """Advantages and returns (advantages plus values), both 0 after the answer.

    GAE, equations 11, 12 and 16: delta_t = r_t + discount V_{t+1} - V_t, and A_t = sum over l of
    (discount smoothing)^l delta_{t+l}. An answer ends with its last token, even if it was cut off.
    """
    advantages = torch.zeros_like(rewards)
    following = torch.zeros_like(rewards[:, 0])
    next_value = torch.zeros_like(following)
    for at in reversed(range(rewards.shape[1])):
        inside = mask[:, at].to(rewards.dtype)
        delta = rewards[:, at] + discount * next_value - values[:, at]
        following = inside * (delta + discount * smoothing * following)
        next_value = inside * values[:, at]
        advantages[:, at] = following
    return advantages, (advantages + values) * mask


def policy_losses(logprobs: Tensor, old: Tensor, advantages: Tensor, clip: float) -> tuple[Tensor, Tensor]:
    """Each token's loss, -min(ratio A, clip(ratio, 1 - clip, 1 + clip) A), and 1 where the clipped term decided.

    PPO, equation 7.
    """
    ratio = torch.exp(logprobs - old)
    free = -ratio * advantages
    clipped = -ratio.clamp(1 - clip, 1 + clip) * advantages
    return torch.maximum(free, clipped), (clipped > free).to(logprobs.dtype)


def value_losses(values: Tensor, old: Tensor, returns: Tensor, clip: float) -> tuple[Tensor, Tensor]:
    """Each token's value loss, half the larger square of free and clipped error, and 1 where the clip decided.

    The clipped value moves at most `clip` from `old`, the value at rollout time. Not in the PPO paper but in its
    authors' code; Huang, "value function loss clipping".
    """
    bounded = torch.minimum(torch.maximum(values, old - clip), old + clip)
    free, clipped = (values - returns) ** 2, (bounded - returns) ** 2
    return 0.5 * torch.maximum(free, clipped), (clipped > free).to(values.dtype)


def explained_variance(values: Tensor, returns: Tensor, mask: Tensor) -> float:
    """1 - var(returns - values) / var(returns): 1 for a perfect critic, 0 for a constant one.

    0 where the returns are all the same.
    """
    spread = float(masked_variance(returns, mask))
    if spread < _EPSILON:
        return 0.0
    return 1.0 - float(masked_variance(returns - values, mask)) / spread


@dataclass(frozen=True)
class KlController:
    """The coefficient of the KL penalty, steered so that the KL of an answer stays near `target` nats.

    Ziegler, section 2.2: e = clip(KL / target - 1, -0.2, 0.2), and the coefficient is multiplied by
    1 + e answers / horizon. Without a target it is fixed.
    """

    coefficient: float
    target: float | None = None
    horizon: float = 10_000.0

    def after(self, kl: float, answers: int) -> KlController:
        """The controller for the next rollout, after `answers` answers with `kl` nats each on average."""
        if self.target is None:
            return self
        error = min(0.2, max(-0.2, kl / self.target - 1))
        # With a horizon shorter than a rollout the coefficient could otherwise become negative.
        factor = max(0.5, 1 + error * answers / self.horizon)
        return KlController(self.coefficient * factor, self.target, self.horizon)


def rollout_seed(seed: int, rollout: int, process: int) -> int:
    """The seed of one process's sampling in one rollout, so that a resumed run samples as the first would have."""
    digest = hashlib.sha256(f"{seed}:{rollout}:{process}".encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1


def steps(lengths: Sequence[int], size: int, group: int, seed: int) -> list[list[int]]:
    """The rows of each optimizer step of `size` answers, given all answers' lengths: the longest come first.

    The `group` answers to one prompt, which come side by side, stay together where steps are whole groups, so that
    their prompt is computed once.
    """
    group = group if size % group == 0 == len(lengths) % group else 1
    longest = [max(lengths[at : at + group]) for at in range(0, len(lengths), group)]
    found = []
    for groups in minibatches(len(longest), size // group, seed):
        ordered = sorted(groups, key=lambda number: (-longest[number], number))
        found.append([number * group + at for number in ordered for at in range(group)])
    return found


def minibatches(count: int, size: int, seed: int) -> list[list[int]]:
    """Indices 0 .. count - 1 in random minibatches of `size`; Huang shuffles again in each epoch over a rollout."""
    order: list[int] = torch.randperm(count, generator=torch.Generator().manual_seed(seed)).tolist()
    return [order[at : at + size] for at in range(0, count, size)]
