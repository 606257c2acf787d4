"""Lists of rows that a step makes of a snapshot's. The snapshot's rows may be in a file, and stay there."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import chain
from typing import overload

from data.rows import Row

# How often a row with answers of a release before the champion is drawn for PPO's reward model, for each time that
# another one is: PPO asks how good answers like the champion's are.
OLDER = 0.5


class Joined(Sequence[Row]):
    """Rows and some more."""

    def __init__(self, rows: Sequence[Row], more: Sequence[Row]) -> None:
        self._rows, self._more = rows, more

    def __len__(self) -> int:
        return len(self._rows) + len(self._more)

    def __iter__(self) -> Iterator[Row]:
        return chain(self._rows, self._more)

    @overload
    def __getitem__(self, at: int) -> Row: ...
    @overload
    def __getitem__(self, at: slice) -> Sequence[Row]: ...
    def __getitem__(self, at: int | slice) -> Row | Sequence[Row]:
        places = range(len(self))[at]
        if isinstance(places, range):
            return [self[place] for place in places]
        return self._rows[places] if places < len(self._rows) else self._more[places - len(self._rows)]


def fresh_more_often(rows: Sequence[Row], champion: int) -> Sequence[Row]:
    """The rows with other weights: rows with answers of releases before the champion weigh `OLDER` times as much.

    The sum of the weights stays the same, so the same number of rows is drawn. Imported rows count as fresh. If no
    row has answers of the champion or of a newer release yet, the weights stay as they are.
    """
    whole = aged = 0.0
    fresh = False
    for row in rows:
        whole += _weight(row)
        aged += _weight(row) * (OLDER if _older(row, champion) else 1.0)
        fresh = fresh or row.extra.get("release", -1) >= champion
    return _Aged(rows, champion, whole / aged) if fresh and aged else rows


class _Aged(Sequence[Row]):
    """Rows with changed weights: each is multiplied by `scale`, and by `OLDER` if its answers are an older release's.

    Older are the releases before the champion.
    """

    def __init__(self, rows: Sequence[Row], champion: int, scale: float) -> None:
        self._rows, self._champion, self._scale = rows, champion, scale

    def __len__(self) -> int:
        return len(self._rows)

    def __iter__(self) -> Iterator[Row]:
        return map(self._aged, self._rows)

    @overload
    def __getitem__(self, at: int) -> Row: ...
    @overload
    def __getitem__(self, at: slice) -> Sequence[Row]: ...
    def __getitem__(self, at: int | slice) -> Row | Sequence[Row]:
        found = self._rows[at]
        return self._aged(found) if isinstance(found, Row) else [self._aged(row) for row in found]

    def _aged(self, row: Row) -> Row:
        weight = _weight(row) * self._scale * (OLDER if _older(row, self._champion) else 1.0)
        return replace(row, extra={**row.extra, "weight": float(f"{weight:.4g}")})


def _older(row: Row, champion: int) -> bool:
    return bool(row.extra.get("release", champion) < champion)


def _weight(row: Row) -> float:
    return float(row.extra.get("weight", 1.0))
