"""`/stats`: what people taught so far: ratings, the champion, the trial, and how good the releases were.

It also says how far it is to the next verdict, and what to do next.
"""

from __future__ import annotations

import asyncio
import io
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import discord

from bot.discord.ids import server_of
from bot.discord.place import NOBODY
from bot.discord.telling import acknowledge, tell_file, texts_for
from bot.progress import FRESH, SIGNS, Progress, by_kind
from bot.progress import in_words as distance_in_words
from bot.release_chart import chart, compared, in_words, picture
from data.counts import RatingCounts, count_ratings
from data.erasure import FORGOTTEN, erased_rows
from data.lineage import releases_with
from data.releases import MINIMUM_PEOPLE, MINIMUM_PROMPTS, Releases
from data.rounds import decided
from data.trials import TrialSoFar, trial_so_far

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from discord import app_commands

    from bot.release_chart import ComparedRelease
    from bot.texts import Texts
    from data.distance import Distance
    from data.releases import Release
    from data.store import Store

# With fewer people the counts would show how each of them voted.
HIDES = 3


def add_stats(stats: Stats, tree: app_commands.CommandTree[Any]) -> None:
    """Add the command to a tree."""

    @tree.command(name="stats")
    async def show(interaction: discord.Interaction) -> None:
        await acknowledge(interaction)
        await stats.tell(interaction, texts_for(interaction))


@dataclass(frozen=True, slots=True)
class Overview:
    """What an installation's folder says at one moment; `rounds` are how the decided ones ended."""

    champion: int
    candidate: int | None
    releases: Sequence[Release]
    rounds: Sequence[str]


def overview(home: Path) -> Overview:
    """Read an installation's folder. It reads many small files, so call it in a thread."""
    releases = Releases(home)
    rounds = [each.status for each in decided(home / "rounds")]
    return Overview(releases.champion(), releases.candidate(), releases.all(), rounds)


class Stats:
    """The figures that `/stats` and `/release status` show; the costly ones are remembered."""

    def __init__(self, store: Store, home: Path, discord_permission: str | None) -> None:
        self.store = store
        self.home = home
        self.progress = Progress(home, discord_permission)
        self._trial: tuple[tuple[int, int], float, TrialSoFar] | None = None
        self._drawing = asyncio.Lock()
        self._drawn: tuple[Sequence[ComparedRelease], bytes | None] = ((), None)

    async def tell(self, interaction: discord.Interaction, texts: Texts) -> None:
        """Show them to the person who asked: those of their server, or all of them in a direct message."""
        now = await asyncio.to_thread(overview, self.home)
        lines = await self._lines(interaction.guild_id, now, texts)
        found = compared(now.releases, await self.store.champions())
        if not found:
            await interaction.followup.send("\n".join(lines), ephemeral=True, allowed_mentions=NOBODY)
            return
        text = "\n".join([*lines, texts.stats_learnt])
        drawn = await self._draw(found)
        if drawn is not None:
            file = discord.File(io.BytesIO(drawn), "learning.png", description=in_words(found, texts))
            if await tell_file(interaction, text, file):
                return
        text = f"{text}\n```\n{chart(found)}\n```"
        await interaction.followup.send(text, ephemeral=True, allowed_mentions=NOBODY)

    async def _lines(self, guild: int | None, now: Overview, texts: Texts) -> list[str]:
        server = await server_of(self.store, guild)
        async with self.store.database.read() as session:
            found = await count_ratings(session, server)
        first = texts.stats_here if guild else texts.stats_everywhere
        lines = [first.format(counts=_counts(found), people=found.raters), *await self.serving(now, texts)]
        if now.rounds:
            lines.append(texts.stats_rounds.format(rounds=len(now.rounds), promoted=now.rounds.count("promoted")))
        far = await self.progress.now()
        return [*lines, *distance_in_words(far, texts, hidden=self._hidden(far))]

    def _hidden(self, far: Distance) -> tuple[str, ...]:
        """The parts of the distance that people here should not see, or can do nothing about."""
        if self.progress.permission is None:  # what is said on Discord trains nothing then
            return ("prompts", "pairs", "thumbs", "people")
        few = any(part.name == "people" and part.have < HIDES for part in far.parts)
        return ("thumbs",) if few else ()

    async def serving(self, now: Overview, texts: Texts) -> list[str]:
        """Which release serves, how the one on trial does, and which ones learnt from people who left."""
        release = release_name(now.champion, texts)
        lines = [texts.stats_serving.format(release=release, releases=len(now.releases))]
        if now.candidate is None:
            lines.append(texts.stats_no_trial)
        else:
            found = await self._so_far(now.champion, now.candidate)
            line = texts.stats_trial if found.people >= HIDES else texts.stats_trial_few
            lines.append(
                line.format(
                    release=release_name(now.candidate, texts),
                    prompts=found.prompts,
                    share=found.share,
                    needed=MINIMUM_PROMPTS,
                    people=MINIMUM_PEOPLE,
                )
            )
        async with self.store.database.read() as session:
            gone = await erased_rows(session, FORGOTTEN)
        if left := await asyncio.to_thread(releases_with, self.home, gone):
            lines.append(texts.stats_left.format(releases=", ".join(map(str, left))))
        return [line[:1].upper() + line[1:] for line in lines]

    async def _so_far(self, champion: int, candidate: int) -> TrialSoFar:
        now, pair = time.monotonic(), (champion, candidate)
        if self._trial is None or self._trial[0] != pair or now > self._trial[1] + FRESH:
            async with self.store.database.read() as session:
                self._trial = pair, now, await trial_so_far(session, champion, candidate)
        return self._trial[2]

    async def _draw(self, found: Sequence[ComparedRelease]) -> bytes | None:
        async with self._drawing:  # once for everybody who asks at the same time
            if self._drawn[0] != found:
                self._drawn = found, await asyncio.to_thread(picture, found)
            return self._drawn[1]


def release_name(release: int, texts: Texts) -> str:
    """What a release is called; 0 is the base model."""
    return texts.of_release.format(release=release) if release else texts.the_base


def _counts(found: RatingCounts) -> str:
    if found.raters < HIDES:
        return f"{sum(found.ratings[kind] for kind in SIGNS)}"
    return by_kind(found)
