"""How far it is to the next verdict, for the people who teach: what there is, what it takes, what to do next."""

from __future__ import annotations

import asyncio
import logging
import time
from typing import TYPE_CHECKING

from data.distance import Distance, Part, questions
from data.figures import Figures, figures_beside

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path

    from bot.texts import Texts
    from data.counts import RatingCounts

log = logging.getLogger(__name__)

SIGNS = {"up": "👍", "down": "👎", "correction": "✏️", "comparison": "⚖️"}
FRESH = 300.0  # seconds for which the figures are reused ...
PATIENCE = 3.0  # seconds that somebody waits for figures
_RESTS = 20  # ... or as many times as long as computing them took, if that is longer


class Progress:
    """An installation's figures: the distance to each verdict, and the state of the trial.

    They take long, so they are computed beside the event loop, once for everybody who asks, and remembered. Nobody
    waits longer than `patience` seconds for them, and while older ones are there, only if computing is that quick.
    """

    def __init__(
        self, home: Path, discord_permission: str | None, fresh: float = FRESH, patience: float = PATIENCE
    ) -> None:
        self.home, self.permission, self.fresh, self.patience = home, discord_permission, fresh, patience
        self._found: Figures | None = None
        self._took = 0.0
        self._until: float | None = None
        self._looking: asyncio.Task[None] | None = None

    async def now(self, champion: int | None = None, candidate: int | None = None) -> Figures | None:
        """The figures, at most `fresh` seconds old, or older where computing them takes long; None while they are
        computed for the first time.

        With `champion` and `candidate`, older figures of another trial count as none.
        """
        other = self._found is not None and champion is not None and not self._of(champion, candidate)
        if self._looking is None and (other or self._until is None or time.monotonic() > self._until):
            self._looking = asyncio.create_task(self._look())
        if self._looking is not None and (other or self._found is None or self._took < self.patience):
            await asyncio.wait({self._looking}, timeout=self.patience)
        return self._found if champion is None or self._of(champion, candidate) else None

    def _of(self, champion: int, candidate: int | None) -> bool:
        found = self._found
        return found is not None and (found.champion, found.candidate) == (champion, candidate)

    async def _look(self) -> None:
        began = time.monotonic()
        try:
            self._found = await figures_beside(self.home, self.permission)
        except Exception:  # whatever it is, the older figures still tell something
            log.exception("the figures could not be computed")
        finally:
            self._took = time.monotonic() - began
            self._until = time.monotonic() + max(self.fresh, _RESTS * self._took)
            self._looking = None


def by_kind(found: RatingCounts) -> str:
    """The ratings by kind, as text that is the same in every language."""
    return ", ".join(f"{sign} {found.ratings[kind]}" for kind, sign in SIGNS.items())


def in_words(found: Distance | None, texts: Texts, *, hidden: Collection[str] = ()) -> list[str]:
    """The distance in a sentence, and what to do next in another, without the parts that are `hidden`.

    One sentence says that it is not known yet.
    """
    if found is None:
        return [texts.far_counting]
    shown = Distance(tuple(part for part in found.parts if part.name not in hidden))
    if not shown.parts:
        return []
    parts = [_part(part, texts) for part in shown.parts]
    lines = [texts.far.format(parts=texts.far_and.join(parts))]
    nearest = shown.nearest
    if nearest is None:
        return [*lines, texts.next_enough]
    name = f"{nearest.name}_{nearest.fewer}" if nearest.fewer else nearest.name
    return [*lines, getattr(texts, f"next_{name}").format(more=questions(nearest), lacks=nearest.lacks)]


def _part(part: Part, texts: Texts) -> str:
    count = texts.far_lacking.format(have=part.have, needed=part.needed) if part.lacks else str(part.have)
    said: str = getattr(texts, f"far_{part.name}").format(count=count)
    return said if part.lacks else texts.far_enough.format(part=said)
