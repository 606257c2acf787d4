"""Log-probabilities of tokens from hidden states on a CPU, below TRL's one call of the head.

TRL's function goes over the vocabulary in tiles, computes each tile again in the backward pass, makes of it what the
gradient is in some fifteen passes, and multiplies it in float32. Where the head is frozen, as under an adapter, no
more is needed than the softmax: here a tile is kept (it is small where only answers are scored), read twice, and one
product over the whole vocabulary, which sums up in float32, gives the gradient of the hidden states.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import torch
import trl.trainer.utils
from torch import Tensor
from trl.kernels import ChunkedLogProbFunction

from alignment.rounding import Rounded

TILE = 4096  # columns at a time: what is made of them stays in a processor's cache
ROWS = 512  # tokens at a time
KEPT = 2**28  # bytes of logits that are kept for the backward pass; of more they are computed again
_weight = Rounded()


class LogProbs(torch.autograd.Function):
    """What TRL's function of the same place in `trl.trainer.utils` does, for a frozen head on a CPU.

    Gets hidden states (tokens, hidden), weight (vocabulary, hidden), bias (vocabulary) or None, targets (tokens).
    `on` switches it: off, TRL's own computes.
    """

    on = True

    @classmethod
    def apply(cls, hidden: Tensor, weight: Tensor, bias: Tensor | None, targets: Tensor, *more: Any) -> Any:
        """TRL's arguments and results: log-probabilities, and of the others what is asked for."""
        frozen = not weight.requires_grad and (bias is None or not bias.requires_grad)
        if not cls.on or hidden.device.type != "cpu" or not frozen or not len(hidden):
            return ChunkedLogProbFunction.apply(hidden, weight, bias, targets, *more)
        temperature, _, softcap, scale, outputs = more
        if softcap is not None:
            return ChunkedLogProbFunction.apply(hidden, weight, bias, targets, *more)
        dtype = torch.get_autocast_dtype("cpu") if torch.is_autocast_enabled("cpu") else hidden.dtype
        told = scale / temperature, tuple(outputs), dtype
        more = hidden, weight, bias, targets, *told
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
        parts: list[list[Tensor | None]] = []
        for start in range(0, len(hidden), ROWS):
            rows, wanted = hidden[start : start + ROWS].to(dtype), targets[start : start + ROWS]
            tiles = []
            for first, tile in _tiles(rows, low, bias):
                tiles.append(_fold(tile, wanted - first, scale, outputs))
                if keep:
                    kept.append(tile)
            parts.append(_joined(tiles, len(weight), outputs))
        found = [None if part[0] is None else torch.cat(part) for part in zip(*parts, strict=True)]
        log_z, logprobs, entropy, *others = found
        ctx.save_for_backward(hidden, low, bias, targets, log_z, entropy, *kept)
        ctx.scale = scale
        ctx.mark_non_differentiable(*(each for each in others if each is not None))
        return logprobs, entropy, *others

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor | None) -> tuple[Tensor | None, ...]:
        """The gradient of the hidden states."""
        hidden, low, bias, targets, log_z, entropy, *kept = ctx.saved_tensors
        by_logprobs, by_entropy = gradients[:2]
        found = torch.zeros(hidden.shape, dtype=log_z.dtype)
        at = 0
        for start in range(0, len(hidden), ROWS):
            part = slice(start, start + ROWS)
            rows = hidden[part].to(low.dtype)
            whole = torch.empty(len(rows), len(low), dtype=low.dtype)
            for first, tile in _tiles(rows, low, bias, kept[at:] if kept else None):
                at += 1
                log_p = _logits(tile, ctx.scale).sub_(log_z[part, None])
                p = log_p.exp()
                # d log p(target) / d logit = [it is the target] - p; d entropy / d logit = -p (log p + entropy)
                factor = torch.zeros_like(log_z[part]) if by_logprobs is None else -by_logprobs[part].to(log_z.dtype)
                if by_entropy is None:
                    p.mul_(factor[:, None])
                else:
                    slope = by_entropy[part, None].to(log_z.dtype)
                    p.mul_(factor[:, None] - slope * (log_p + entropy[part, None]))
                whole[:, first : first + tile.shape[1]] = p
            found[part] = whole @ low
            if by_logprobs is not None:
                found[part] += low[targets[part]].to(found.dtype) * by_logprobs[part, None].to(found.dtype)
        return found.mul_(ctx.scale).to(hidden.dtype), None, None, None, None, None, None


def _tiles(rows: Tensor, weight: Tensor, bias: Tensor | None, kept: Any = None) -> Iterator[tuple[int, Tensor]]:
    """The logits tile by tile, each with its first column; those that were kept, or computed anew."""
    for number, first in enumerate(range(0, len(weight), TILE)):
        if kept is not None:
            yield first, kept[number]
            continue
        tile = rows @ weight[first : first + TILE].t()
        if bias is not None:
            tile += bias[first : first + TILE].to(tile.dtype)
        yield first, tile


def _logits(tile: Tensor, scale: float) -> Tensor:
    """A tile of products as logits, in float32 at least; a copy."""
    wide = torch.float64 if tile.dtype == torch.float64 else torch.float32
    found = tile.to(wide, copy=True)
    return found if scale == 1 else found.mul_(scale)


def _fold(tile: Tensor, local: Tensor, scale: float, outputs: Sequence[str]) -> dict[str, Tensor]:
    """What is to be known of one tile, each of the shape (tokens)."""
    z = _logits(tile, scale)
    most = z.amax(dim=1)
    here = (local >= 0) & (local < z.shape[1])
    found = {"most": most, "target": z.gather(1, local.clamp(0, z.shape[1] - 1)[:, None])[:, 0].where(here, 0.0)}
    if "is_top1" in outputs:
        found["first"] = z.argmax(dim=1) - local  # 0: the target is the tile's first maximum
    if "mean_logits" in outputs:
        found["sum"] = z.sum(dim=1)
    e = (z - most[:, None]).exp_()
    found["exp"] = e.sum(dim=1)
    if "entropy" in outputs:
        found["weighted"] = torch.linalg.vecdot(e, z)
    if "log_sum_sq_probs" in outputs:
        found["squares"] = torch.linalg.vecdot(e, e)
    return found


def _joined(tiles: Sequence[dict[str, Tensor]], vocabulary: int, outputs: Sequence[str]) -> list[Tensor | None]:
    """Log of the sum of exponentials, then TRL's five results, of all tiles together."""
    each = {name: torch.stack([tile[name] for tile in tiles]) for name in tiles[0]}
    most = each["most"].amax(dim=0)
    share = (each["most"] - most).exp_()
    total = (each["exp"] * share).sum(dim=0)
    log_z = most + total.log()
    target = each["target"].sum(dim=0)
    entropy = squares = mean = top = None
    if "entropy" in outputs:
        entropy = log_z - (each["weighted"] * share).sum(dim=0) / total
    if "log_sum_sq_probs" in outputs:
        squares = (each["squares"] * share * share).sum(dim=0).log() - 2 * total.log()
    if "mean_logits" in outputs:
        mean = each["sum"].sum(dim=0) / vocabulary
    if "is_top1" in outputs:
        # Of the tiles that hold the maximum the first decides, as an argmax over all would.
        tile = (each["most"] == most).int().argmax(dim=0)
        top = each["first"].gather(0, tile[None])[0] == 0
    return [log_z, target - log_z, entropy, squares, mean, top]


def take_over() -> None:
    """Let TRL's head compute this way where it can."""
    trl.trainer.utils._ChunkedLogProbFunction = LogProbs
