"""How far it is to the next verdict, for the people who teach: what there is, what it takes, what to do next."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

from data.database import NAME, Database
from data.distance import Distance, distance, questions
from data.home import installation_key

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path

    from bot.texts import Texts
    from data.counts import RatingCounts
    from data.trials import TrialSoFar

SIGNS = {"up": "👍", "down": "👎", "correction": "✏️", "comparison": "⚖️"}
FRESH = 300.0  # seconds for which the figures are reused ...
_RESTS = 20  # ... or as many times as long as computing them took, if that is longer


class Progress:
    """The distance of an installation to each verdict. It takes long, so a thread computes it; it is remembered."""

    def __init__(self, home: Path, discord_permission: str | None, fresh: float = FRESH) -> None:
        self.home, self.permission, self.fresh = home, discord_permission, fresh
        self._found = Distance()
        self._until: float | None = None
        self._looking = asyncio.Lock()

    async def now(self) -> Distance:
        """The distance, at most `fresh` seconds old, or older where computing it takes long."""
        async with self._looking:  # once for everybody who asks at the same time
            began = time.monotonic()
            if self._until is None or began > self._until:
                self._found = await asyncio.to_thread(self._look)
                self._until = time.monotonic() + max(self.fresh, _RESTS * (time.monotonic() - began))
            return self._found

    def _look(self) -> Distance:
        # Here, because it loads numpy, and the bot should start without it.
        from data.datasets import collect

        database, key = self.home / NAME, installation_key(self.home)
        rows = collect(database, database, key, discord_permission=self.permission, draws=False)
        return distance(rows, asyncio.run(self._trial()))

    async def _trial(self) -> TrialSoFar | None:
        from data.trials import running_trial

        # With connections of its own: those of the store belong to the event loop of the bot.
        database = await Database.open(self.home / NAME)
        try:
            async with database.read() as session:
                return await running_trial(session, self.home)
        finally:
            await database.close()


def by_kind(found: RatingCounts) -> str:
    """The ratings by kind, as text that is the same in every language."""
    return ", ".join(f"{sign} {found.ratings[kind]}" for kind, sign in SIGNS.items())


def in_words(found: Distance, texts: Texts, *, hidden: Collection[str] = ()) -> list[str]:
    """The distance in a sentence, and what to do next in another, without the parts that are `hidden`."""
    shown = Distance(tuple(part for part in found.parts if part.name not in hidden))
    if not shown.parts:
        return []
    parts = [getattr(texts, f"far_{part.name}").format(have=part.have, needed=part.needed) for part in shown.parts]
    lines = [texts.far.format(parts=texts.far_and.join(parts))]
    nearest = shown.nearest
    if nearest is None:
        return [*lines, texts.next_enough]
    name = f"{nearest.name}_{nearest.fewer}" if nearest.fewer else nearest.name
    return [*lines, getattr(texts, f"next_{name}").format(more=questions(nearest), lacks=nearest.lacks)]
