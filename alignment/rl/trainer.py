"""PPO as a subclass of TRL's GRPOTrainer: its sampling, reward calls and logging; a critic, GAE and PPO's losses.

A rollout is scored once, by the weights that sampled it: log-probabilities, values and reference, cut into the same
batches that the first epoch trains, so that the first ratio is exactly 1; the first step trains that very pass. Every
process holds the whole rollout (token ids and a few numbers a token), so whitening, minibatches and means are over
all processes' answers, and how a minibatch is split over devices and accumulation steps changes nothing but rounding.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from accelerate.utils import DistributedType, gather_object
from safetensors.torch import load_file, save_file
from torch import Tensor
from transformers import TrainerCallback
from trl import GRPOTrainer

from alignment.evaluation.likelihood import scores
from alignment.evaluation.model import LoadedModel
from alignment.rewards.model import WEIGHTS
from alignment.rl import critic as parts
from alignment.rl import formulas
from alignment.rl.first_pass import ROOM, FirstPass
from alignment.rl.rollouts import Rollouts
from alignment.rl.samples import Sampled, write_samples
from alignment.rows.batching import padded
from alignment.training import processes
from alignment.training.trainers import Careful
from data.home import write_atomic

STATE, POLICY, GOOD = "ppo.json", "policy.safetensors", "last_good.safetensors"


@dataclass
class Rollout:
    """Answers of all processes, in one order on all of them. Tensors have the shape (answers, longest answer)."""

    prompts: list[list[int]]
    answers: list[list[int]]
    steps: list[list[int]]  # the rows of each optimizer step, epoch after epoch
    mask: Tensor
    logprobs: Tensor
    values: Tensor
    advantages: Tensor
    returns: Tensor
    first: FirstPass


class Ppo(Rollouts, Careful, GRPOTrainer):  # type: ignore[misc]  # TRL has no types
    """PPO. The model is an actor and critic (`alignment.rl.critic.actor_critic`), the arguments `PpoSettings`.

    `scale`: mean and deviation of the reward, before clipping. `tell` is called with a sentence when the KL limit
    ends the training; the weights are then those of the last rollout within it.
    """

    def __init__(
        self,
        *args: Any,
        scale: tuple[float, float] = (0.0, 1.0),
        samples: Path | None = None,
        tell: Callable[[str], None] = print,
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        parts.refuse_recomputation(getattr(self.accelerator.state, "fsdp_plugin", None))
        self.begin_rollouts()
        self.scale, self.samples, self.tell = scale, samples, tell
        self.controller = formulas.KlController(self.args.kl_coef, self.args.kl_target, self.args.kl_horizon)
        self.stopped: str | None = None  # why training ended early
        self.held: Rollout | None = None
        self.good: dict[str, Tensor] = {}  # the policy of the last rollout within the KL limit
        self.rewards: list[float] = []  # each rollout's mean reward
        self.add_callback(StopAtLimit(self))
        # TRL's set-up may have turned that off.
        parts.train_both(self.model)

    # Rollouts

    def _prepare_inputs(self, generation_batch: Any) -> dict[str, Any]:
        """The input of one micro-batch: the rollout (sampled now if it is due), and its rows."""
        args = self.args
        at = self._step % (args.num_iterations * args.steps_per_generation)
        if at == 0 or self.held is None:
            self.held = self._roll_out([row["prompt"] for row in generation_batch])
        step, micro = divmod(at, args.gradient_accumulation_steps)
        return {"rollout": self.held, "step": step, "micro": micro}

    def _roll_out(self, prompts: list[Any]) -> Rollout:
        sampled = self._sample(prompts)
        scores, ended, mask = sampled.scores, sampled.ended, sampled.mask
        steps = self._steps([len(answer) for answer in sampled.answers])
        # Wrappers that gather gradients or weights over processes expect each forward pass's backward pass next.
        alone = self.accelerator.distributed_type == DistributedType.NO
        first = FirstPass(self.model, ROOM if alone else 0)
        logprobs, values, reference = self._score(sampled, steps, first)
        args, kl_coef = self.args, self.controller.coefficient
        kl = formulas.kl_per_token(logprobs, reference, mask)
        normal = formulas.clipped_scores(scores, *self.scale, args.reward_clip)
        normal = formulas.penalised(normal, ended, args.missing_eos_penalty)
        rewards = formulas.token_rewards(normal, kl, mask, kl_coef)
        if args.whiten_rewards:
            rewards = formulas.whiten(rewards, mask, shift_mean=False)
        advantages, returns = formulas.generalised_advantages(
            rewards, values, mask, discount=args.gamma, smoothing=args.gae_lambda
        )
        figures = {
            "reward": float(scores.mean()),
            "reward_std": float(scores.std(unbiased=False)),
            "score": float(normal.mean()),
            "kl": float(kl.sum(dim=1).mean()),
            "kl_coef": kl_coef,
            "explained_variance": formulas.explained_variance(values, returns, mask),
            "length": float(mask.sum(dim=1).mean()),
            "ended": float(ended.float().mean()),
        }
        for name, value in figures.items():
            self._metrics["train"][name].append(value)
        self.rewards.append(figures["reward"])
        if self.samples is not None and self.accelerator.is_main_process:
            write_samples(self.samples, self.state.global_step, sampled, kl.sum(dim=1).tolist())
        self._hold_to_limit(figures["kl"])
        self.controller = self.controller.after(figures["kl"], len(scores))
        if args.whiten_advantages:
            advantages = formulas.whiten(advantages, mask)
        return Rollout(sampled.ids, sampled.answers, steps, mask, logprobs, values, advantages, returns, first)

    def _sample(self, prompts: list[Any]) -> Sampled:
        """Sample and reward an answer to each of this process's prompts; returns those of all processes."""
        device = self.accelerator.device
        ids, answers, _, completions, *_ = self._generate(prompts)
        rewards = self._calculate_rewards([{"prompt": prompt} for prompt in prompts], prompts, completions, answers)
        scores = (rewards * self.reward_weights.to(device)).nansum(dim=1).float()
        texts = gather_object([answer[0]["content"] for answer in completions])
        ids, answers, prompts = gather_object(ids), gather_object(answers), gather_object(prompts)
        mask = torch.zeros(len(answers), max(map(len, answers)), device=device)
        for row, answer in enumerate(answers):
            mask[row, : len(answer)] = 1
        ended = torch.tensor([answer[-1] == self.stop for answer in answers], device=device)
        return Sampled(prompts, texts, ids, answers, scores, ended, mask)

    def _steps(self, lengths: Sequence[int]) -> list[list[int]]:
        """The rows of each optimizer step on a rollout, shuffled again in each epoch; each step's longest first."""
        args = self.args
        size = args.per_device_train_batch_size * self.accelerator.num_processes * args.gradient_accumulation_steps
        found = []
        for epoch in range(args.num_iterations):
            seed = formulas.rollout_seed(args.seed, self.rollout, -1 - epoch)
            found += formulas.steps(lengths, size, self.num_generations, seed)
        return found

    def _mine(self, rows: Sequence[int], micro: int) -> list[int]:
        """This process's rows of one micro-batch."""
        size = self.args.per_device_train_batch_size
        start = (micro * self.accelerator.num_processes + self.accelerator.process_index) * size
        return list(rows[start : start + size])

    @torch.no_grad()
    def _score(self, sampled: Sampled, steps: list[list[int]], first: FirstPass) -> tuple[Tensor, Tensor, Tensor]:
        """Log-probabilities, values and the reference's log-probabilities, in the batches of the first epoch."""
        args, width = self.args, sampled.mask.shape[1]
        found = torch.zeros(3, len(sampled.answers), width, device=self.accelerator.device)
        epoch = steps[: len(steps) // args.num_iterations]
        for step, rows in enumerate(epoch):
            for micro in range(args.gradient_accumulation_steps):
                mine = self._mine(rows, micro)
                texts = [sampled.ids[row] for row in mine], [sampled.answers[row] for row in mine]
                forward = partial(self._forward, self.model, *texts, width)
                policy = forward() if step else first.compute(micro, forward)
                found[0, mine], found[1, mine] = policy["log_probs"], policy["values"]
                with parts.reference(self.accelerator.unwrap_model(self.model)):
                    found[2, mine] = self._forward(self.model, *texts, width, with_values=False)["log_probs"]
        found = self.accelerator.reduce(found, reduction="sum")
        return found[0], found[1], found[2]

    def _hold_to_limit(self, kl: float) -> None:
        """Keep the policy that sampled this rollout, or end the training if it has exceeded the KL limit."""
        limit = self.args.kl_limit
        if limit is None:
            return
        model = self.accelerator.unwrap_model(self.model)
        if kl <= limit or not self.good:
            self.good = parts.adapter_state(model, parts.POLICY)
            return
        self.stopped = (
            f"Training ended after {self.state.global_step} steps: the answers are {kl:.1f} nats from the reference, "
            f"and kl_limit is {limit:g}. The result is the policy of the last rollout within it."
        )

    # Losses

    def _forward(
        self, model: Any, prompts: list[list[int]], answers: list[list[int]], width: int, *, with_values: bool = True
    ) -> dict[str, Tensor]:
        """`log_probs`, `entropy` and `values` of the answers' tokens, shape (rows, width), 0 after each answer.

        Padding is on the right, so that every family's positions are the ones that the engine uses.
        """
        device = self.accelerator.device
        texts = [[*prompt, *answer] for prompt, answer in zip(prompts, answers, strict=True)]
        ids, attention = padded(texts, int(self._tokenizer.pad_token_id))
        labels = torch.full_like(ids, -100)
        where = torch.zeros(len(texts), width, dtype=torch.long)
        inside = torch.zeros(len(texts), width)
        for row, (text, answer) in enumerate(zip(texts, answers, strict=True)):
            start = len(text) - len(answer)
            labels[row, start : len(text)] = ids[row, start : len(text)]
            # The token at position t is predicted, and its value estimated, at t - 1.
            where[row, : len(answer)] = torch.arange(start - 1, len(text) - 1)
            inside[row, : len(answer)] = 1
        inputs = {"input_ids": ids.to(device), "attention_mask": attention.to(device), "labels": labels.to(device)}
        where, inside = where.to(device), inside.to(device)
        with self.accelerator.autocast():
            if with_values:
                found = model(**inputs, with_values=True)
            else:
                found = {"log_probs": model(**inputs, fused_lm_head=True, use_cache=False).log_probs}
        return {name: tensor.float().gather(1, where) * inside for name, tensor in found.items()}

    def _compute_loss(self, model: Any, inputs: dict[str, Any]) -> Tensor:
        held: Rollout = inputs["rollout"]
        rows = held.steps[inputs["step"]]
        mine, args, world = self._mine(rows, inputs["micro"]), self.args, self.accelerator.num_processes
        texts = [held.prompts[row] for row in mine], [held.answers[row] for row in mine]
        found = held.first.take(inputs["step"], inputs["micro"])
        if found is None:
            found = self._forward(model, *texts, held.mask.shape[1])
        mask, old = held.mask[mine], held.logprobs[mine]
        policy, clipped = formulas.policy_losses(found["log_probs"], old, held.advantages[mine], args.epsilon)
        value, value_clipped = formulas.value_losses(
            found["values"], held.values[mine], held.returns[mine], args.cliprange_value
        )
        named = {
            "policy_loss": policy,
            "value_loss": value,
            "entropy": found["entropy"],
            "clip_fraction": clipped,
            "value_clip_fraction": value_clipped,
            "step_kl": 0.5 * (found["log_probs"] - old) ** 2,
        }
        # Means over the tokens of the whole optimizer step: processes are averaged, accumulated batches added up.
        tokens = held.mask[rows].sum()
        sums = torch.stack([(each.detach() * mask).sum() for each in named.values()])
        sums = self.accelerator.reduce(sums, reduction="sum") * args.gradient_accumulation_steps / tokens
        for name, total in zip(named, sums.tolist(), strict=True):
            self._metrics["train"][name].append(total)
        loss = policy + args.vf_coef * value - args.entropy_coef * found["entropy"]
        total_loss: Tensor = (loss * mask).sum() * world / tokens
        return total_loss

    # Evaluation, the end, checkpoints

    def evaluate(self, *_args: Any, **_kwargs: Any) -> dict[str, float]:
        """The mean reward, KL and length of one answer to each held-out prompt, sampled the same way each time."""
        held_out = [row["prompt"] for row in self.eval_dataset]
        size, process, world = self.args.per_device_eval_batch_size, self.accelerator.process_index, processes.count()
        model, training = self.accelerator.unwrap_model(self.model), self.model.training
        model.eval()
        self._evaluating = 1
        totals = torch.zeros(4, device=self.accelerator.device)
        try:
            for start in range(0, len(held_out), size * world):
                chunk = held_out[start : start + size * world]
                sampled = self._sample([chunk[(process * size + at) % len(chunk)] for at in range(size)])
                texts, width = (sampled.ids, sampled.answers), sampled.mask.shape[1]
                with torch.no_grad():
                    own = self._forward(model, *texts, width, with_values=False)["log_probs"]
                    with parts.reference(model):
                        other = self._forward(model, *texts, width, with_values=False)["log_probs"]
                lengths = sampled.mask.sum(dim=1)
                each = torch.stack([sampled.scores, (own - other).sum(dim=1), lengths, sampled.ended.float()])
                totals += each[:, : len(chunk)].sum(dim=1)  # the rest is filling
            names = ("reward", "kl", "length", "ended")
            found = {f"eval_{name}": float(total) / len(held_out) for name, total in zip(names, totals, strict=True)}
            self._metrics["eval"].clear()
            self.log(found)
        finally:
            self._evaluating = 0
            model.train(training)
        self.control: Any = self.callback_handler.on_evaluate(self.args, self.state, self.control, found)
        return found

    def margins(self, preferences: Sequence[Any]) -> tuple[float, ...]:
        """log p(chosen) - log p(rejected) of each preference in nats a token, under the current policy."""
        model = self.accelerator.unwrap_model(self.model)
        training = model.training
        model.eval()
        try:
            with torch.no_grad(), self.accelerator.autocast():
                return scores(LoadedModel(model, self._tokenizer), preferences, []).per_token
        finally:
            model.train(training)

    def train(self, *args: Any, **kwargs: Any) -> Any:
        """TRL's training. If the KL limit ended it, the policy is that of the last rollout within the limit."""
        found = super().train(*args, **kwargs)
        if self.stopped:
            parts.load_adapter_state(
                self.accelerator.unwrap_model(self.model), parts.POLICY, self.good, "the last good policy"
            )
            self.tell(self.stopped)
        return found

    def _save_more(self, checkpoint: Path) -> None:
        model = self.accelerator.unwrap_model(self.model)
        policy, critic = parts.adapter_state(model, parts.POLICY), parts.critic_state(model)
        if not self.args.should_save:
            return
        # Save both whole, next to what the Trainer saves: if weights are split, it saves the active adapter only.
        save_file(policy, str(checkpoint / POLICY))
        parts.save_critic(model, checkpoint / parts.CRITIC, critic)
        if self.good:
            save_file(self.good, str(checkpoint / GOOD))
        state = {"kl_coef": self.controller.coefficient, "rewards": self.rewards}
        write_atomic(checkpoint / STATE, json.dumps(state))

    def _load_from_checkpoint(self, resume_from_checkpoint: str, model: Any = None) -> None:
        # transformers would load all adapters but the active one as frozen, and no value head.
        folder, model = Path(resume_from_checkpoint), self.accelerator.unwrap_model(model or self.model)
        parts.load_adapter_state(model, parts.POLICY, load_file(folder / POLICY), f"the checkpoint {folder}")
        parts.load_critic_state(model, load_file(folder / parts.CRITIC / WEIGHTS), f"the checkpoint {folder}")

    def _load_optimizer_and_scheduler(self, checkpoint: str | None) -> None:
        super()._load_optimizer_and_scheduler(checkpoint)
        if checkpoint is None:
            return
        state = json.loads((Path(checkpoint) / STATE).read_text(encoding="utf-8"))
        self.controller = dataclasses.replace(self.controller, coefficient=state["kl_coef"])
        self.rewards[:] = state["rewards"]
        if (Path(checkpoint) / GOOD).exists():
            self.good = load_file(Path(checkpoint) / GOOD)

    @contextmanager
    def _policy_alone(self) -> Iterator[None]:
        """Hide the value head while vLLM syncs: it takes every parameter outside an adapter for the base's."""
        if not self.use_vllm:
            yield
            return
        model = self.accelerator.unwrap_model(self.model)
        head = model.value_head
        del model.value_head
        try:
            with super()._policy_alone():
                yield
        finally:
            model.value_head = head


class StopAtLimit(TrainerCallback):  # type: ignore[misc]  # transformers has no types
    """Ends the training at the trainer's request, without a checkpoint of the discarded weights."""

    def __init__(self, trainer: Ppo) -> None:
        self.trainer = trainer

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> Any:  # noqa: ARG002 - the callback's
        """Stop."""
        if self.trainer.stopped:
            control.should_training_stop, control.should_save = True, False
        return control
