"""The order in which rows are trained: similar lengths together, shuffled, the same after a resumption.

Weights of rows act here: a weight is how often a row is drawn, so it means the same in every stage, whatever the
loss.
"""

from bisect import bisect_left, insort
from collections import Counter
from collections.abc import Hashable, Iterator, Sequence

import torch

# How many batches are drawn together before they are sorted by length. More means less padding, and less chance in
# which rows share a batch.
_POOL = 8


class Draws:
    """Which rows one epoch trains, in random order: a function of seed and epoch alone.

    Without weights, or with equal ones, each row comes once. Otherwise an epoch has as many draws as the weights sum
    to (rounded, at least one), and a row is drawn in proportion to its weight, rounded up or down by chance: 0.25 in
    every fourth epoch on average, 3 three times in each, 0 never.

    Raises `ValueError` when no weight is above zero, or when there are not as many weights as rows.
    """

    def __init__(self, rows: int, seed: int, weights: Sequence[float] | None = None) -> None:
        self.rows, self.seed, self.count = rows, seed, rows
        self.weights: list[float] | None = None
        if weights is not None and len(weights) != rows:
            raise ValueError(f"{len(weights)} weights for {rows} rows")
        if weights and not max(weights) > 0:
            raise ValueError("no row has a weight above zero")
        if weights and len(set(weights)) > 1:
            total = sum(weights)
            self.count = max(1, round(total))
            self.weights = [weight * self.count / total for weight in weights]

    def generator(self, epoch: int) -> torch.Generator:
        """The epoch's own random generator: a resumed run would find the global one in another state."""
        return torch.Generator().manual_seed(self.seed * 1_000_003 + epoch)

    def draw(self, generator: torch.Generator) -> list[int]:
        """The rows of one epoch."""
        shuffled: list[int] = torch.randperm(self.rows, generator=generator).tolist()
        if self.weights is None:
            return shuffled
        # Systematic sampling: the rows lie end to end, each as long as its weight, and marks lie at whole steps from
        # a random start. A row is drawn for each mark on it.
        start = float(torch.rand(1, generator=generator, dtype=torch.float64))
        drawn: list[int] = []
        reached = 0.0
        for index in shuffled:
            reached += self.weights[index]
            while start + len(drawn) < reached and len(drawn) < self.count:
                drawn.append(index)
        if len(drawn) < self.count:  # the last mark, lost to rounding
            drawn.append(next(index for index in reversed(shuffled) if self.weights[index] > 0))
        return [drawn[at] for at in torch.randperm(len(drawn), generator=generator).tolist()]

    def stretch(self, start: int, count: int) -> list[int]:
        """`count` rows from place `start` on, where the epochs' draws lie end to end."""
        found: list[int] = []
        while len(found) < count:
            epoch, at = divmod(start + len(found), self.count)
            found += self.draw(self.generator(epoch))[at : at + count - len(found)]
        return found


class LengthGrouped(torch.utils.data.Sampler[int]):
    """Indices for one epoch, so that each optimizer step gets rows of similar length.

    transformers' own grouping draws from the global random state, which a resumed run does not have at the start of
    its epoch. Here the order is a function of seed and epoch. `batch` is the number of rows of one optimizer step,
    over all devices and accumulation steps: how it is cut into smaller batches does not change its rows, unless there
    are `prompts`. `weights` are those of `Draws`. `prompts` gives each row's prompt; rows with equal prompts are then
    neighbours, so that the prompt is computed once. Of the `at_once` rows that a device computes together, they take
    up to a quarter, or two of four, so that rows of only one prompt are rare.
    """

    def __init__(
        self,
        lengths: Sequence[int],
        batch: int,
        seed: int,
        weights: Sequence[float] | None = None,
        prompts: Sequence[Hashable] | None = None,
        at_once: int = 1,
    ) -> None:
        self.lengths, self.batch, self.epoch, self.prompts = list(lengths), batch, 0, prompts
        self.most = max(at_once // 4, min(2, at_once // 2), 1)
        self.draws = Draws(len(self.lengths), seed, weights)

    def set_epoch(self, epoch: int) -> None:
        """Set the next epoch; the trainer calls this."""
        self.epoch = epoch

    def __len__(self) -> int:
        return self.draws.count

    def __iter__(self) -> Iterator[int]:
        generator = self.draws.generator(self.epoch)
        order = [row for unit in self._units(self.draws.draw(generator)) for row in unit]
        pool = self.batch * _POOL
        batches: list[list[int]] = []
        for start in range(0, len(order), pool):
            drawn = self._by_length(order[start : start + pool])
            batches += [drawn[at : at + self.batch] for at in range(0, len(drawn), self.batch)]
        # Only the last batch may be short, or later ones would be cut across the groups.
        full = [batch for batch in batches if len(batch) == self.batch]
        short = [batch for batch in batches if len(batch) < self.batch]
        for at in torch.randperm(len(full), generator=generator).tolist():
            yield from full[at]
        for batch in short:
            yield from batch

    def _by_length(self, drawn: Sequence[int]) -> list[int]:
        """Rows by length; units of one prompt come in different turns, so that they are not neighbours."""
        turns: Counter[Hashable] = Counter()
        found = []
        for unit in self._units(drawn):
            turn = 0
            if self.prompts is not None:
                turn = turns[self.prompts[unit[0]]]
                turns[self.prompts[unit[0]]] += 1
            found += [(turn, -max(self.lengths[each] for each in unit), min(unit), row) for row in unit]
        return [row for *_, row in sorted(found)]

    def _units(self, order: Sequence[int]) -> list[list[int]]:
        """The drawn rows in units: those of one prompt move up to its first. (A row drawn twice is in two units.)"""
        if self.prompts is None:
            return [[row] for row in order]
        units: list[list[int]] = []
        begun: dict[Hashable, list[int]] = {}
        for row in order:
            unit = begun.get(self.prompts[row])
            if unit is None or len(unit) == self.most or row in unit:
                unit = begun[self.prompts[row]] = []
                units.append(unit)
            unit.append(row)
        return units


class Packs(torch.utils.data.Sampler[list[int]]):
    """Lists of rows for one epoch; the rows of a list are trained as one sequence of at most `room` tokens.

    Each epoch draws its rows (`weights` are those of `Draws`) and packs them again: the longest first, each into the
    fullest pack that still has room (best fit decreasing). A trainer counts its steps once, so every epoch has as
    many packs as the first. Where weights make the draws differ, a pack is divided or a little overfull.
    """

    def __init__(self, lengths: Sequence[int], room: int, seed: int, weights: Sequence[float] | None = None) -> None:
        self.lengths, self.room, self.epoch = list(lengths), room, 0
        self.draws = Draws(len(self.lengths), seed, weights)
        self._count = len(self._packed(self.draws.draw(self.draws.generator(0)), None))

    def set_epoch(self, epoch: int) -> None:
        """Set the next epoch; the trainer calls this."""
        self.epoch = epoch

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[list[int]]:
        generator = self.draws.generator(self.epoch)
        packs = self._packed(self.draws.draw(generator), self._count)
        for at in torch.randperm(len(packs), generator=generator).tolist():
            yield packs[at]

    def _packed(self, rows: list[int], limit: int | None) -> list[list[int]]:
        packs: list[list[int]] = []
        spaces: list[tuple[int, int]] = []  # the room left in a pack, and its number; the fullest first
        for row in sorted(rows, key=lambda index: -self.lengths[index]):
            at = bisect_left(spaces, (self.lengths[row], -1))
            if at < len(spaces):
                space, pack = spaces.pop(at)
            elif limit is None or len(packs) < limit:
                space, pack = self.room, len(packs)
                packs.append([])
            else:
                space, pack = spaces.pop()
            packs[pack].append(row)
            insort(spaces, (space - self.lengths[row], pack))
        while limit is not None and len(packs) < limit:
            most = max(packs, key=len)
            packs.append([most.pop() for _ in range(len(most) // 2)])
        return packs
