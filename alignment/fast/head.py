"""Log-probabilities of tokens from hidden states on a CPU, below TRL's one call of the head.

TRL's function goes over the vocabulary in tiles, computes each tile again in the backward pass, turns it into the
gradient in some fifteen passes, and multiplies it in float32. If the head is frozen, as under an adapter, only the
softmax is needed. So the probabilities replace the logits and are kept (they are few if only answers are scored), and
the gradient of the hidden states is one product with them, without another pass over the vocabulary. Work on float32
logits handles a few tokens at a time, in memory that is reused.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor
from trl.kernels import ChunkedLogProbFunction

from alignment.fast.rounding import Rounded

ROWS = 512  # tokens at a time that are multiplied
STRIPE = 2**20  # logits at a time that are held in float32: few enough for a processor's cache
KEPT = 2**28  # bytes of probabilities kept for the backward pass; any beyond that are computed again
_weight = Rounded()


class LogProbs(torch.autograd.Function):
    """Does what TRL's function in the same place of `trl.trainer.utils` does, for a frozen head on a CPU.

    Gets hidden states (tokens, hidden), weight (vocabulary, hidden), bias (vocabulary) or None, targets (tokens).
    """

    @classmethod
    def apply(cls, hidden: Tensor, weight: Tensor, bias: Tensor | None, targets: Tensor, *more: Any) -> Any:
        """TRL's arguments and results: log-probabilities, and the others if asked for."""
        frozen = not weight.requires_grad and (bias is None or not bias.requires_grad)
        if hidden.device.type != "cpu" or not frozen or not len(hidden):
            return ChunkedLogProbFunction.apply(hidden, weight, bias, targets, *more)
        temperature, _, softcap, scale, outputs = more
        if softcap is not None:
            return ChunkedLogProbFunction.apply(hidden, weight, bias, targets, *more)
        dtype = torch.get_autocast_dtype("cpu") if torch.is_autocast_enabled("cpu") else hidden.dtype
        settings = scale / temperature, tuple(outputs), dtype
        more = hidden, weight, bias, targets, *settings
        return super().apply(*more)  # type: ignore[no-untyped-call]  # torch gives it no types

    @staticmethod
    def forward(
        ctx: Any,
        hidden: Tensor,
        weight: Tensor,
        bias: Tensor | None,
        targets: Tensor,
        scale: float,
        outputs: Sequence[str],
        dtype: torch.dtype,
    ) -> tuple[Tensor | None, ...]:
        """See the class."""
        ctx.set_materialize_grads(False)
        low = _weight(weight, dtype)
        keep = ctx.needs_input_grad[0] and len(hidden) * len(weight) * dtype.itemsize <= KEPT
        kept: list[Tensor] = []
        parts = []
        for start in range(0, len(hidden), ROWS):
            logits = _logits(hidden[start : start + ROWS], low, bias)
            parts.append(_fold(logits, targets[start : start + ROWS], scale, outputs, probabilities=keep))
            if keep:
                kept.append(logits)
        found = {name: torch.cat([part[name] for part in parts]) for name in ("log_probs", *outputs)}
        ctx.save_for_backward(hidden, low, bias, targets, found.get("entropy"), *kept)
        ctx.scale = scale
        others = [found.get(name) for name in ("log_sum_sq_probs", "mean_logits", "is_top1")]
        ctx.mark_non_differentiable(*(each for each in others if each is not None))
        return found["log_probs"], found.get("entropy"), *others

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor | None) -> tuple[Tensor | None, ...]:
        """The gradient of the hidden states."""
        hidden, low, bias, targets, entropy, *kept = ctx.saved_tensors
        by_logprobs, by_entropy = gradients[:2]
        found = torch.zeros(hidden.shape, dtype=_wide(low.dtype))
        for number, start in enumerate(range(0, len(hidden), ROWS)):
            part = slice(start, start + ROWS)
            if kept:
                p = kept[number]
            else:
                p = _logits(hidden[part], low, bias)
                _fold(p, targets[part], ctx.scale, (), probabilities=True)
            if by_logprobs is not None:
                # d log p(target) / d logit = [it is the target] - p
                slope = by_logprobs[part, None].to(found.dtype)
                found[part] += (low[targets[part]].to(found.dtype) - p @ low) * slope
            if by_entropy is not None:
                found[part] -= _spread(p, entropy[part]) @ low * by_entropy[part, None].to(found.dtype)
        return found.mul_(ctx.scale).to(hidden.dtype), None, None, None, None, None, None


def _wide(dtype: torch.dtype) -> torch.dtype:
    return torch.float64 if dtype == torch.float64 else torch.float32


def _logits(rows: Tensor, low: Tensor, bias: Tensor | None) -> Tensor:
    """Products of hidden states with the head, (tokens, vocabulary), in the dtype of the product."""
    found = rows.to(low.dtype) @ low.t()
    return found if bias is None else found.add_(bias.to(found.dtype))


def _stripes(whole: Tensor) -> Iterator[slice]:
    """Slices of the tokens of a (tokens, vocabulary) tensor, each to be processed at a time."""
    rows = max(1, STRIPE // whole.shape[1])
    for first in range(0, len(whole), rows):
        yield slice(first, first + rows)


def _fold(
    logits: Tensor, targets: Tensor, scale: float, outputs: Sequence[str], *, probabilities: bool
) -> dict[str, Tensor]:
    """The results of some tokens, each of the shape (tokens); `probabilities` overwrite the logits."""
    found: dict[str, list[Tensor]] = {name: [] for name in ("log_probs", *outputs)}
    wide = _wide(logits.dtype)
    buffers = [torch.empty(0, dtype=wide)] * 2
    for stripe in _stripes(logits):
        part, wanted = logits[stripe], targets[stripe, None]
        if buffers[0].shape != part.shape:
            buffers = [torch.empty(part.shape, dtype=wide) for _ in range(2)]
        z, e = buffers
        z.copy_(part)
        if scale != 1:
            z.mul_(scale)
        most = z.amax(dim=1, keepdim=True)
        if "is_top1" in outputs:  # the first of equal ones counts
            found["is_top1"].append(z.argmax(dim=1) == wanted[:, 0])
        z.sub_(most)
        if "mean_logits" in outputs:
            found["mean_logits"].append(z.mean(dim=1) + most[:, 0])
        total = torch.exp(z, out=e).sum(dim=1)
        log_total = total.log()
        found["log_probs"].append(z.gather(1, wanted)[:, 0] - log_total)
        if probabilities:
            torch.mul(e, total.reciprocal()[:, None], out=part)
        if "entropy" in outputs:
            found["entropy"].append(log_total - z.mul_(e).sum(dim=1) / total)
        if "log_sum_sq_probs" in outputs:
            found["log_sum_sq_probs"].append(e.square_().sum(dim=1).log() - 2 * log_total)
    return {name: torch.cat(parts) for name, parts in found.items()}


def _spread(p: Tensor, entropy: Tensor) -> Tensor:
    """p (log p + entropy): its negative is the entropy's gradient by the logits."""
    found = torch.empty_like(p)
    for stripe in _stripes(p):
        wide = p[stripe].to(entropy.dtype)
        found[stripe] = torch.xlogy(wide, wide).add_(wide.mul_(entropy[stripe, None]))
    return found
