"""How far it is to the next verdict, for the people who teach: what there is, what it takes, what to do next."""

from __future__ import annotations

import asyncio
import logging
import time
from dataclasses import replace
from typing import TYPE_CHECKING

from data.distance import Distance, Part, questions, with_trial
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
    In a large home the trial's state comes first, and more often than the distance.
    """

    def __init__(
        self, home: Path, discord_permission: str | None, fresh: float = FRESH, patience: float = PATIENCE
    ) -> None:
        self.home, self.permission, self.fresh, self.patience = home, discord_permission, fresh, patience
        self._found: Figures | None = None
        self._took = self._whole_took = 0.0  # the last time, and when all figures were computed
        self._until: float | None = None
        self._whole_due = 0.0
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
        """Compute all figures, where they are due; where that takes long, the trial's state is known first."""
        began = trial = time.monotonic()
        slow = self._whole_took >= self.patience
        whole = not slow or began >= self._whole_due
        try:
            if slow or self._found is None:
                found = await figures_beside(self.home, self.permission, whole=False)
                far = None if self._found is None else self._found.distance
                self._found = replace(found, distance=None if far is None else with_trial(far, found.trial))
                trial = time.monotonic()
            if whole:
                self._found = await figures_beside(self.home, self.permission)
        except Exception:  # whatever it is, the older figures still tell something
            log.exception("the figures could not be computed")
        finally:
            ended = time.monotonic()
            self._took = ended - began
            self._until = ended + max(self.fresh, _RESTS * (trial - began))
            if whole:
                self._whole_took = ended - trial
                self._whole_due = ended + _RESTS * self._whole_took
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
