"""The labels of many items by many raters, as arrays: what a rating says of one answer, or of a pair."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]
Signs = NDArray[np.float32]

_BLOCK = 2000  # items at a time
_PAIRS = 2_000_000  # pairs of labels at a time
_CROWDED = 30  # an item that more than one rater in 30 rated is cheaper as a column of a matrix


@dataclass(frozen=True, slots=True)
class Labels:
    """One label an entry: `rater` and `item` are numbers, `value` is yes or no. Entries of an item stand together.

    An item has at most one label by each rater. `names` are the raters' names, in the order of their numbers.
    """

    names: Sequence[str]
    rater: Ints
    item: Ints  # from 0, without gaps
    value: Flags

    @property
    def items(self) -> int:
        """The number of items."""
        return int(self.item[-1]) + 1 if len(self.item) else 0

    def sizes(self) -> Ints:
        """How many labels each item has."""
        return np.bincount(self.item, minlength=self.items)

    def ratings(self) -> Ints:
        """How many items each rater labelled."""
        return np.bincount(self.rater, minlength=len(self.names))

    def signs(self) -> Signs:
        """1 for yes, -1 for no."""
        return np.where(self.value, np.float32(1), np.float32(-1))

    def with_at_least(self, raters: int) -> "Labels":
        """The items that this many people labelled."""
        return self.only((self.sizes() >= raters)[self.item])

    def only(self, kept: Flags) -> "Labels":
        """Some of the entries."""
        _, item = np.unique(self.item[kept], return_inverse=True)
        return Labels(self.names, self.rater[kept], item.astype(np.int64), self.value[kept])

    def by_rater(self, values: Floats) -> Floats:
        """The sum over each rater's entries."""
        return np.bincount(self.rater, values, minlength=len(self.names)).astype(np.float64)

    def by_item(self, values: Floats) -> Floats:
        """The sum over each item's entries."""
        return np.bincount(self.item, values, minlength=self.items).astype(np.float64)


def gathered(names: Sequence[str], rater: Ints, item: NDArray[np.uint64], value: Flags, at: Ints) -> Labels:
    """Labels of recorded ratings: of a rater's labels of an item only the newest counts.

    `item` are any numbers that tell items apart, `at` the times. Items and their raters come in the order of time.
    """
    order = np.argsort(at, kind="stable")
    rater, value = rater[order], value[order]
    number = _ranked(item[order])
    first, last = ends(number * (len(names) or 1) + rater)
    seen = np.lexsort((first, number[first]))
    first, last = first[seen], last[seen]
    return Labels(names, rater[first], number[first], value[last])


def _ranked(values: NDArray[np.uint64]) -> Ints:
    """Numbers from 0 in the order in which the values appear first."""
    _, first, inverse = np.unique(values, return_index=True, return_inverse=True)
    rank = np.empty(len(first), dtype=np.int64)
    rank[np.argsort(first)] = np.arange(len(first))
    return rank[inverse]


def ends(keys: Ints) -> tuple[Ints, Ints]:
    """The first and the last place of each key."""
    order = np.argsort(keys, kind="stable")
    ordered = keys[order]
    new = np.ones(len(keys) + 1, dtype=bool)
    new[1:-1] = ordered[1:] != ordered[:-1]
    return order[new[:-1]], order[new[1:]]


@dataclass(frozen=True, slots=True)
class Square:
    """The labels by some raters, for what is computed of each two of them.

    `place` says which of these raters gave a label. Items that few of them labelled are taken pair by pair; crowded
    ones are columns of matrices. So the work follows the number of pairs, and a crowd does not square it.
    """

    raters: int
    few: tuple[Ints, Ints, Signs]  # place, item and sign of each entry, sorted by item
    crowded: tuple[Ints, Ints, Signs]

    @classmethod
    def of(cls, labels: Labels, raters: Ints) -> "Square":
        """The labels by these raters (their numbers)."""
        where = np.full(len(labels.names), -1, dtype=np.int64)
        where[raters] = np.arange(len(raters))
        place = where[labels.rater]
        kept = place >= 0
        place, item, sign = place[kept], labels.item[kept], labels.signs()[kept]
        many = np.bincount(item, minlength=labels.items)[item] > max(8, len(raters) // _CROWDED)
        few = place[~many], item[~many], sign[~many]
        return cls(len(raters), few, (place[many], item[many], sign[many]))

    def pairs(self) -> Iterator[tuple[Ints, Ints]]:
        """The pairs of entries of one item in `few`, by their places there, in both orders, some at a time."""
        item = self.few[1]
        starts = np.flatnonzero(np.r_[True, item[1:] != item[:-1]]) if len(item) else np.empty(0, dtype=np.int64)
        sizes = np.diff(np.r_[starts, len(item)])
        done = np.cumsum(sizes**2)
        begin = 0
        while begin < len(starts):
            before = done[begin - 1] if begin else 0
            end = max(begin + 1, int(np.searchsorted(done, before + _PAIRS)))
            size, start = sizes[begin:end], starts[begin:end]
            first = np.repeat(np.arange(start[0], start[-1] + size[-1]), np.repeat(size, size))
            length = np.repeat(size, size)  # of the item of each entry
            offset = np.arange(len(first)) - np.repeat(np.cumsum(length) - length, length)
            yield first, np.repeat(np.repeat(start, size), length) + offset
            begin = end

    def columns(self) -> Iterator[Signs]:
        """The labels in `crowded` as matrices (raters, items), some items at a time; 0 for not rated."""
        place, item, sign = self.crowded
        _, number = np.unique(item, return_inverse=True)
        items = int(number[-1]) + 1 if len(number) else 0
        for start in range(0, items, _BLOCK):
            low, high = np.searchsorted(number, [start, start + _BLOCK])
            block = np.zeros((self.raters, min(_BLOCK, items - start)), dtype=np.float32)
            block[place[low:high], number[low:high] - start] = sign[low:high]
            yield block

    def agreement(self) -> tuple[Signs, Signs]:
        """For each two raters: the items on which they agree less those on which they differ, and all they share."""
        net = np.zeros((self.raters, self.raters), dtype=np.float32)
        shared = np.zeros_like(net)
        place, _, sign = self.few
        for one, other in self.pairs():
            where = place[one] * self.raters + place[other]
            net += self.summed(where, sign[one] * sign[other])
            shared += self.summed(where, None)
        for block in self.columns():
            rated = np.abs(block)
            net += block @ block.T
            shared += rated @ rated.T
        return net, shared

    def summed(self, where: Ints, values: Signs | Floats | None) -> Signs:
        """Values added up in a matrix of each two raters."""
        flat = np.bincount(where, values, minlength=self.raters**2)
        return flat.astype(np.float32).reshape(self.raters, self.raters)
