"""What people taught so far: ratings, the release that serves, how a trial stands, and how good releases were."""

from __future__ import annotations

import asyncio
import io
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import discord

from bot.discord.place import NOBODY
from bot.discord.presses import PLATFORM
from bot.release_chart import chart, compared, in_words, picture
from data.counts import Tally, TrialSoFar, tally, trial_so_far
from data.releases import MINIMUM_PEOPLE, MINIMUM_PROMPTS, Releases
from data.rounds import decided

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from bot.discord.app import Talk
    from bot.release_chart import ComparedRelease
    from bot.texts import Texts
    from data.releases import Release

_SIGNS = {"up": "👍", "down": "👎", "correction": "✏️", "comparison": "⚖️"}
# Of fewer people the counts would say how each of them voted.
HIDES = 3
FRESH = 300.0  # seconds that the figures of a trial are good for: all comparisons are read and weighed for them


@dataclass(frozen=True, slots=True)
class Standing:
    """What an installation's folder says at one moment; `rounds` are how the decided ones ended."""

    champion: int
    candidate: int | None
    releases: Sequence[Release]
    rounds: Sequence[str]


def standing(home: Path) -> Standing:
    """Read what there is. Reads many small files: for a thread of its own."""
    releases = Releases(home)
    rounds = [str(manifest["status"]) for manifest in decided(home / "rounds")]
    return Standing(releases.champion(), releases.candidate(), releases.all(), rounds)


class Taught:
    """Says what was taught."""

    def __init__(self, talk: Talk) -> None:
        self.talk = talk
        self._trial: tuple[tuple[int, int], float, TrialSoFar] | None = None
        self._drawing = asyncio.Lock()
        self._drawn: tuple[Sequence[ComparedRelease], bytes | None] = ((), None)

    async def tell(self, interaction: discord.Interaction, words: Texts) -> None:
        """Show it to the person who asked, about their server or, elsewhere, about all."""
        guild = interaction.guild_id
        now = await asyncio.to_thread(standing, self.talk.settings.home)
        told = await self._lines(str(guild) if guild else None, now, words)
        found = compared(now.releases, await self.talk.store.champions())
        if not found:
            await interaction.followup.send("\n".join(told), ephemeral=True, allowed_mentions=NOBODY)
            return
        text = "\n".join([*told, words.stats_learnt])
        drawn = await self._draw(found)
        if drawn is None:
            text = f"{text}\n```\n{chart(found)}\n```"
            await interaction.followup.send(text, ephemeral=True, allowed_mentions=NOBODY)
            return
        file = discord.File(io.BytesIO(drawn), "learning.png", description=in_words(found, words))
        await interaction.followup.send(text, file=file, ephemeral=True, allowed_mentions=NOBODY)

    async def _lines(self, guild: str | None, now: Standing, words: Texts) -> list[str]:
        server = await self.talk.store.server(PLATFORM, guild) if guild else None
        async with self.talk.store.database.read() as session:
            found = await tally(session, server)
        first = words.stats_here if guild else words.stats_everywhere
        told = [first.format(counts=_counts(found), people=found.raters), *await self.serving(now, words)]
        if now.rounds:
            told.append(words.stats_rounds.format(rounds=len(now.rounds), promoted=now.rounds.count("promoted")))
        return told

    async def serving(self, now: Standing, words: Texts) -> list[str]:
        """Which release serves, and how the one on trial does."""
        release = release_name(now.champion, words)
        told = [words.stats_serving.format(release=release, releases=len(now.releases))]
        if now.candidate is None:
            told.append(words.stats_no_trial)
        else:
            found = await self._so_far(now.champion, now.candidate)
            line = words.stats_trial if found.people >= HIDES else words.stats_trial_few
            told.append(
                line.format(
                    release=release_name(now.candidate, words),
                    prompts=found.prompts,
                    share=found.share,
                    needed=MINIMUM_PROMPTS,
                    people=MINIMUM_PEOPLE,
                )
            )
        return [line[:1].upper() + line[1:] for line in told]

    async def _so_far(self, champion: int, candidate: int) -> TrialSoFar:
        now, pair = time.monotonic(), (champion, candidate)
        if self._trial is None or self._trial[0] != pair or now > self._trial[1] + FRESH:
            async with self.talk.store.database.read() as session:
                self._trial = pair, now, await trial_so_far(session, champion, candidate)
        return self._trial[2]

    async def _draw(self, found: Sequence[ComparedRelease]) -> bytes | None:
        async with self._drawing:  # once for everybody who asks at the same time
            if self._drawn[0] != found:
                self._drawn = found, await asyncio.to_thread(picture, found)
            return self._drawn[1]


def release_name(release: int, words: Texts) -> str:
    """What a release is called; 0 is the base model."""
    return words.of_release.format(release=release) if release else words.the_base


def _counts(found: Tally) -> str:
    if found.raters < HIDES:
        return f"{sum(found.ratings[kind] for kind in _SIGNS)}"
    return ", ".join(f"{sign} {found.ratings[kind]}" for kind, sign in _SIGNS.items())
