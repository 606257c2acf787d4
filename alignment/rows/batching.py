"""Sequences of token ids as batches: similar lengths or shared beginnings together, padded on the right."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor


def batches(lengths: Sequence[int], budget: int) -> list[list[int]]:
    """Indices in batches of similar length. The longest times the count is at most `budget`, unless a batch has one
    row."""
    order = sorted(range(len(lengths)), key=lambda index: (-lengths[index], index))
    found: list[list[int]] = []
    for index in order:
        # The first sequence of a batch is its longest.
        if found and lengths[found[-1][0]] * (len(found[-1]) + 1) <= budget:
            found[-1].append(index)
        else:
            found.append([index])
    return found


def related(sequences: Sequence[Sequence[int]], budget: int) -> list[list[int]]:
    """Indices in batches of at most `budget` tokens, or of one sequence; a shared beginning counts once.

    Sequences that begin alike come together. Padded, a batch has at most four times `budget` tokens.
    """
    order = sorted(range(len(sequences)), key=lambda index: list(sequences[index]))
    found: list[list[int]] = []
    size = longest = 0
    for index in order:
        sequence = sequences[index]
        if found:
            size += len(sequence) - common(sequences[found[-1][-1]], sequence)
            longest = max(longest, len(sequence))
        if found and size <= budget and longest * (len(found[-1]) + 1) <= 4 * budget:
            found[-1].append(index)
        else:
            found.append([index])
            size = longest = len(sequence)
    return found


def common(one: Sequence[int], other: Sequence[int], start: int = 0) -> int:
    """The length of two sequences' common beginning; they are equal up to `start`."""
    end = min(len(one), len(other))
    while start < end and one[start] == other[start]:
        start += 1
    return start


def padded(sequences: Sequence[Sequence[int]], pad: int) -> tuple[Tensor, Tensor]:
    """Token ids and attention mask, padded on the right: two tensors of shape (sequences, longest)."""
    import torch  # here, because commands that import only names from this file need no torch

    longest = max(map(len, sequences))
    ids = torch.full((len(sequences), longest), pad, dtype=torch.long)
    mask = torch.zeros_like(ids)
    for row, sequence in enumerate(sequences):
        ids[row, : len(sequence)] = torch.tensor(list(sequence))
        mask[row, : len(sequence)] = 1
    return ids, mask
