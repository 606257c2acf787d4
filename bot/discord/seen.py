"""Which ids were seen before: after a lost connection, Discord repeats what may not have arrived."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Hashable

LAST = 4096


class Seen:
    """Remembers the last ids."""

    def __init__(self, last: int = LAST) -> None:
        self._last = last
        self._ids: dict[Hashable, None] = {}

    def first(self, number: Hashable) -> bool:
        """Whether this id comes for the first time, as far as remembered; it is remembered from now on."""
        if number in self._ids:
            return False
        self._ids[number] = None
        if len(self._ids) > self._last:
            del self._ids[next(iter(self._ids))]
        return True

    def __contains__(self, number: Hashable) -> bool:
        return number in self._ids

    def forget(self, number: Hashable) -> None:
        """Drop an id: next time it comes for the first time again."""
        self._ids.pop(number, None)
