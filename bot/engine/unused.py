"""What a server holds and nobody needs: since when, and what is due to be taken out."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

UNUSED = 600.0  # seconds after which a release that nobody needs is taken out of a server


class Unused:
    """Watches the names of releases that a server holds."""

    def __init__(self) -> None:
        self._since: dict[str, float] = {}

    def due(self, held: Collection[str], ours: Mapping[str, int], kept: Collection[int]) -> list[str]:
        """The names in `held` that have been unused for a while.

        `ours` are the releases of this home by their names there: other names are left alone. `kept` are the releases
        that are needed.
        """
        now = time.monotonic()
        idle = [name for name in held if name in ours and ours[name] not in kept]
        self._since = {name: self._since.get(name, now) for name in idle}
        return sorted(name for name, since in self._since.items() if now - since >= UNUSED)
