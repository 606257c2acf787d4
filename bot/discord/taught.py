"""What people taught so far, as a few lines: ratings, the release that serves, and how a trial stands."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from bot.discord.feedback import PLATFORM
from data.releases import MINIMUM_PEOPLE, MINIMUM_PROMPTS, Releases
from data.tally import Tally, tally, trial_so_far

if TYPE_CHECKING:
    from bot.discord.chat import Talk
    from bot.texts import Texts

_SIGNS = {"up": "👍", "down": "👎", "correction": "✏️", "comparison": "⚖️"}
# Of fewer people the counts would say how each of them voted.
HIDES = 3
FRESH = 300.0  # seconds that the figures of a trial are good for: all comparisons are read and weighed for them


class Taught:
    """Says what was taught."""

    def __init__(self, talk: Talk) -> None:
        self.talk = talk
        self._trial: tuple[tuple[int, int], float, tuple[int, float]] | None = None

    async def lines(self, guild: str | None, words: Texts) -> str:
        """The lines, about one server, or about all where there is none."""
        releases = Releases(self.talk.settings.home)
        champion, candidate = releases.champion(), releases.candidate()

        def name(release: int) -> str:
            return words.of_release.format(release=release) if release else words.the_base

        server = await self.talk.store.server(PLATFORM, guild) if guild else None
        async with self.talk.store.database.read() as session:
            found = await tally(session, server)
        first = words.stats_here if guild else words.stats_everywhere
        told = [
            first.format(counts=_counts(found), people=found.raters),
            words.stats_serving.format(release=name(champion), releases=len(releases.all())),
        ]
        if candidate is None:
            told.append(words.stats_no_trial)
        else:
            prompts, share = await self._so_far(champion, candidate)
            told.append(
                words.stats_trial.format(
                    release=name(candidate),
                    prompts=prompts,
                    share=share,
                    needed=MINIMUM_PROMPTS,
                    people=MINIMUM_PEOPLE,
                )
            )
        return "\n".join(line[:1].upper() + line[1:] for line in told)

    async def _so_far(self, champion: int, candidate: int) -> tuple[int, float]:
        now, pair = time.monotonic(), (champion, candidate)
        if self._trial is None or self._trial[0] != pair or now > self._trial[1] + FRESH:
            async with self.talk.store.database.read() as session:
                self._trial = pair, now, await trial_so_far(session, champion, candidate)
        return self._trial[2]


def _counts(found: Tally) -> str:
    if found.raters < HIDES:
        return f"{sum(found.ratings[kind] for kind in _SIGNS)}"
    return ", ".join(f"{sign} {found.ratings[kind]}" for kind, sign in _SIGNS.items())
