"""Attention on a CPU over rows laid out as trees: each stretch attends only to those that lead to it.

On a CPU, torch's attention computes every pair of tokens of a sequence and then masks most of them, and its backward
pass is far slower than the processor multiplies. Here only the pairs that count are computed, as plain products of
matrices, in blocks; the backward pass computes them again, as in Dao et al., "FlashAttention", 2022. Nothing as large
as a mask is kept. `install.share_prefixes` lets transformers call it.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS

from alignment.fast.prefixes import Layout

BLOCK = 128  # queries at a time: their scores fit into a processor's cache
NAME = "sdpa"  # the implementation of transformers that `attend` stands in for


@dataclass(frozen=True, slots=True)
class Look:
    """Queries `first` to `last` of a sequence, and all places that any of these queries sees, in order.

    The last of these places are the queries' own, and each query sees those up to itself.
    """

    first: int
    last: int
    places: tuple[tuple[int, int], ...]


def looks(layout: Layout) -> list[Look]:
    """The looks to compute for rows that were laid out in one sequence."""
    (stretches,) = layout.stretches
    found: list[Look] = []
    where: dict[int, tuple[int, int]] = {}  # the places of each stretch
    start = 0
    for place in range(1, len(stretches) + 1):
        if place == len(stretches) or stretches[place] != stretches[start]:
            where[stretches[start]] = (start, place)
            found += _blocks(layout.above, where, stretches[start])
            start = place
    return found


def _blocks(above: Sequence[int], where: dict[int, tuple[int, int]], stretch: int) -> list[Look]:
    start, end = where[stretch]
    before: list[tuple[int, int]] = []
    while (stretch := above[stretch]) >= 0:
        before.insert(0, where[stretch])
    blocks = [(first, min(first + BLOCK, end)) for first in range(start, end, BLOCK)]
    return [Look(first, last, tuple(_joined([*before, (start, last)]))) for first, last in blocks]


def _joined(ranges: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """Ranges in order; those that touch become one."""
    found: list[tuple[int, int]] = []
    for first, last in ranges:
        if found and found[-1][1] == first:
            found[-1] = (found[-1][0], last)
        elif last > first:
            found.append((first, last))
    return found


class TreeAttention(torch.autograd.Function):
    """Softmax attention of `looks`, for one sequence.

    Queries have the shape (1, heads, length, size), and so has the result; keys and values may have fewer heads.
    """

    @staticmethod
    def forward(ctx: Any, query: Tensor, key: Tensor, value: Tensor, scale: float, work: list[Look]) -> Tensor:
        """See the class."""
        out = torch.zeros_like(query, memory_format=torch.contiguous_format)
        for look in work:
            values = _seen(look, value)
            weights = _weights(_taken(look, query, key), _seen(look, key), scale, look)
            _give(look, out, weights.to(values.dtype) @ values)
        ctx.save_for_backward(query, key, value, out)
        ctx.scale, ctx.work = scale, work
        return out

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor, Tensor, None, None]:
        """The gradients of queries, keys and values."""
        query, key, value, out = ctx.saved_tensors
        gradient = gradients[0].contiguous()
        by_query = torch.zeros_like(query, memory_format=torch.contiguous_format)
        by_key = torch.zeros_like(key, dtype=_wide(key.dtype), memory_format=torch.contiguous_format)
        by_value = torch.zeros_like(by_key)
        for look in ctx.work:
            queries, keys, values = _taken(look, query, key), _seen(look, key), _seen(look, value)
            mine = _taken(look, gradient, key)
            weights = _weights(queries, keys, ctx.scale, look)
            low = weights.to(values.dtype)
            _add(look, by_value, low.transpose(1, 2) @ mine)
            # The softmax's gradient: each weight's gradient minus their mean, times the weight.
            mean = (_taken(look, out, key).to(weights.dtype) * mine).sum(dim=-1, keepdim=True)
            inner = _product(mine, values).sub_(mean).mul_(weights).mul_(ctx.scale)
            inner = inner.to(keys.dtype)
            _give(look, by_query, inner @ keys)
            _add(look, by_key, inner.transpose(1, 2) @ queries)
        return by_query, by_key.to(key.dtype), by_value.to(value.dtype), None, None


def _wide(dtype: torch.dtype) -> torch.dtype:
    return torch.float64 if dtype == torch.float64 else torch.float32


def _taken(look: Look, tensor: Tensor, key: Tensor) -> Tensor:
    """The queries of a look by the heads of keys: (key heads, queries x heads a key head, size)."""
    part = tensor[0, :, look.first : look.last]
    return part.reshape(key.shape[1], -1, part.shape[-1])


def _seen(look: Look, tensor: Tensor) -> Tensor:
    """The keys or values that a look sees: (heads, places, size)."""
    parts = [tensor[0, :, first:last] for first, last in look.places]
    return parts[0] if len(parts) == 1 else torch.cat(parts, dim=1)


def _weights(queries: Tensor, keys: Tensor, scale: float, look: Look) -> Tensor:
    """How much each query looks at each place: (key heads, queries, places); 0 for places that it does not see."""
    scores = _product(queries, keys).mul_(scale)
    own = look.last - look.first
    tail = scores.view(len(scores), -1, own, scores.shape[-1])[..., -own:]
    tail.add_(_behind(own).to(scores.dtype))
    # One pass over the scores; computed from the log of the sum it would be six.
    return scores.softmax(dim=-1)


@functools.lru_cache(maxsize=BLOCK)
def _behind(own: int) -> Tensor:
    """For consecutive queries, shape (own, own): minus infinity where one must not see a later one, else 0."""
    return torch.full((own, own), -torch.inf).triu_(1)


def _product(one: Tensor, other: Tensor) -> Tensor:
    """One times the other's transpose, in float32 at least: rounded to bf16, a score is off by percents."""
    if one.dtype != torch.bfloat16 or other.dtype != torch.bfloat16:
        dtype = _wide(one.dtype)
        return one.to(dtype) @ other.to(dtype).transpose(1, 2)
    # Numbers from bf16 may be multiplied as bf16 and summed up in float32: the same result, twice as fast.
    # (A documented setting of torch for the whole process; nothing else multiplies in float32 meanwhile.)
    settings: Any = torch.backends.mkldnn.matmul  # type: ignore[attr-defined]  # torch does not declare it
    before = settings.fp32_precision
    settings.fp32_precision = "bf16"
    try:
        return one.float() @ other.float().transpose(1, 2)
    finally:
        settings.fp32_precision = before


def _give(look: Look, target: Tensor, part: Tensor) -> None:
    target[0, :, look.first : look.last] = part.reshape(target.shape[1], look.last - look.first, target.shape[-1])


def _add(look: Look, target: Tensor, part: Tensor) -> None:
    """Add a look's gradients to the places that it sees."""
    at = 0
    for first, last in look.places:
        target[0, :, first:last] += part[:, at : at + last - first]
        at += last - first


def carrier(work: list[Look]) -> Tensor:
    """A tensor that passes through a model's layers as a mask and carries the looks to each of them."""
    found = torch.zeros(1, 1, 1, 1, dtype=torch.bool)
    found.looks = work  # type: ignore[attr-defined]  # a mark on a tensor
    return found


def mask(work: list[Look], length: int) -> Tensor:
    """The looks as a mask of booleans, (1, 1, length, length)."""
    found = torch.zeros(1, 1, length, length, dtype=torch.bool)
    for look in work:
        for first, last in look.places:
            found[0, 0, look.first : look.last, first:last] = True
        found[0, 0, look.first : look.last, look.first : look.last].tril_()
    return found


def attend(
    usual: Any,
    module: Any,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Any,
    dropout: float = 0.0,
    **more: Any,
) -> Any:
    """An attention function of transformers: by the looks that the mask carries, else what `usual` computes."""
    work = getattr(attention_mask, "looks", None)
    if work is not None and dropout:  # dropout would need all weights at once
        attention_mask, work = mask(work, query.shape[2]), None
    if work is None:
        return usual(module, query, key, value, attention_mask, dropout=dropout, **more)
    scale = more.get("scaling") or query.shape[-1] ** -0.5
    if torch.is_autocast_enabled(query.device.type):  # as autocast does for torch's attention
        dtype = torch.get_autocast_dtype(query.device.type)
        query, key, value = query.to(dtype), key.to(dtype), value.to(dtype)
    # torch gives it no types.
    found: Tensor = TreeAttention.apply(query, key, value, scale, work)  # type: ignore[no-untyped-call]  # torch gives it no types
    return found.transpose(1, 2), None


def installed() -> bool:
    """Whether transformers' attention is `attend` (see `install.py`)."""
    return getattr(ALL_ATTENTION_FUNCTIONS[NAME], "func", None) is attend
