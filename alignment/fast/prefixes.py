"""The layout in which rows with a common beginning are computed once: its tokens, and which tokens each token sees.

The rows of a batch form trees: a shared beginning is one stretch of tokens, and each row continues from there. In a
laid-out sequence a token sees only the stretches that lead to it, and has the position that it has in its row. So
every number is what the row would get by itself. Pure functions on token ids.

If attention is computed over a whole sequence, sharing pays only until that costs more than it saves. So a tree is
cut where that is cheaper (`Cost`), and the pieces are laid side by side into sequences of one length. If attention is
computed only for the pairs that count, sharing always pays, and everything is laid into one sequence.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Sequence
from dataclasses import dataclass, field

from alignment.rows.batching import common

Tokens = Sequence[int]


@dataclass(frozen=True, slots=True)
class Cost:
    """The cost of a sequence: `token` for each of its tokens, and `pair` for each pair of them, in any unit."""

    token: float
    pair: float

    def of(self, tokens: int) -> float:
        """The cost of a sequence with this number of tokens."""
        return self.token * tokens + self.pair * tokens * tokens


@dataclass(slots=True)
class Stretch:
    """Tokens that some rows share, from place `start` of these rows on; `ends` are the rows that end there."""

    tokens: Tokens
    start: int
    ends: list[int] = field(default_factory=list)
    children: list[Stretch] = field(default_factory=list)

    @property
    def size(self) -> int:
        """The tokens of this stretch and of all that follow it."""
        return len(self.tokens) + sum(child.size for child in self.children)


@dataclass(slots=True)
class Layout:
    """Sequences of one length. In each, a token has an id, a position and a stretch; -1 is the stretch of padding.

    `above` gives for each stretch the one that it follows (-1: none); stretches are numbered through the whole batch.
    `where` gives for each row the (sequence, place) of each of its tokens.
    """

    ids: list[list[int]]
    positions: list[list[int]]
    stretches: list[list[int]]
    above: list[int]
    where: list[list[tuple[int, int]]]

    @property
    def length(self) -> int:
        """The length of each sequence."""
        return len(self.ids[0])


def tree(rows: Sequence[Tokens]) -> list[Stretch]:
    """The rows as trees, one for each first token. Equal rows end at one place; empty rows are left out."""
    order = sorted((number for number, row in enumerate(rows) if len(row)), key=lambda number: list(rows[number]))
    return _split(rows, order, 0)


def size_of(rows: Sequence[Tokens]) -> int:
    """How many tokens rows have if shared beginnings count once."""
    return sum(root.size for root in tree(rows))


def lay_out(rows: Sequence[Tokens], cost: Cost | None, pad: int) -> Layout:
    """Lay rows out so that shared beginnings are computed once where that is cheaper; without `cost`, everywhere."""
    if cost is None:
        pieces = tree(rows)
        length = sum(piece.size for piece in pieces)
    else:
        pieces = [piece for root in tree(rows) for piece in _pieces(root, cost)]
        length = max(piece.size for piece in pieces)
    made = Layout([], [], [], [], [[] for _ in rows])
    for sequence, group in enumerate(_side_by_side(pieces, length)):
        made.ids.append([])
        made.positions.append([])
        made.stretches.append([])
        for piece in group:
            _lay(made, sequence, piece, -1, [])
        short = length - len(made.ids[-1])
        made.ids[-1] += [pad] * short
        made.positions[-1] += [0] * short
        made.stretches[-1] += [-1] * short
    return made


def _split(rows: Sequence[Tokens], order: Sequence[int], start: int) -> list[Stretch]:
    """The trees of sorted rows (`order`) that are equal up to `start` and longer than that."""
    found = []
    first = 0
    while first < len(order):
        token = rows[order[first]][start]
        last = first
        while last < len(order) and rows[order[last]][start] == token:
            last += 1
        group = order[first:last]
        end = common(rows[group[0]], rows[group[-1]], start)  # rows are sorted, so all between share it too
        ends = [number for number in group if len(rows[number]) == end]
        longer = [number for number in group if len(rows[number]) > end]
        found.append(Stretch(rows[group[0]][start:end], start, ends, _split(rows, longer, end)))
        first = last
    return found


def _pieces(root: Stretch, cost: Cost) -> list[Stretch]:
    """A tree, or the pieces into which it is cheaper to cut it, each with its own copy of what they share."""
    parts = [piece for child in root.children for piece in _pieces(child, cost)]
    if len(parts) < 2:
        return [root]
    # Join small ones first, as long as joining is cheaper. Rows that end here need no piece.
    shared = len(root.tokens)
    bundles: list[list[Stretch]] = []
    size = 0
    for part in sorted(parts, key=lambda part: part.size):
        apart = cost.of(size) + cost.of(shared + part.size)
        if bundles and cost.of(size + part.size) < apart:
            bundles[-1].append(part)
            size += part.size
        else:
            bundles.append([part])
            size = shared + part.size
    return [
        Stretch(root.tokens, root.start, root.ends if number == 0 else [], bundle)
        for number, bundle in enumerate(bundles)
    ]


def _side_by_side(pieces: Sequence[Stretch], length: int) -> list[list[Stretch]]:
    """Pieces in few sequences: the longest first, each into the fullest sequence that has room."""
    groups: list[list[Stretch]] = []
    spaces: list[tuple[int, int]] = []
    for piece in sorted(pieces, key=lambda piece: -piece.size):
        size = piece.size
        at = bisect_left(spaces, (size, -1))
        if at < len(spaces):
            space, group = spaces.pop(at)
        else:
            space, group = length, len(groups)
            groups.append([])
        groups[group].append(piece)
        insort(spaces, (space - size, group))
    return groups


def _lay(made: Layout, sequence: int, stretch: Stretch, above: int, path: list[tuple[int, int]]) -> None:
    number = len(made.above)
    made.above.append(above)
    begin = len(made.ids[sequence])
    count = len(stretch.tokens)
    made.ids[sequence] += stretch.tokens
    made.positions[sequence] += range(stretch.start, stretch.start + count)
    made.stretches[sequence] += [number] * count
    path = [*path, *((sequence, place) for place in range(begin, begin + count))]
    for row in stretch.ends:
        made.where[row] = path
    for child in stretch.children:
        _lay(made, sequence, child, number, path)
