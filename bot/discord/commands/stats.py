"""`/stats`: what people taught so far: ratings, the champion, the trial, and how good the releases were.

It also says how far it is to the next verdict, and what to do next.
"""

from __future__ import annotations

import asyncio
import io
import time
from typing import TYPE_CHECKING, Any

import discord

from bot.discord.ids import server_of
from bot.discord.place import NOBODY
from bot.discord.telling import acknowledge, tell_file, texts_for
from bot.overview import Overview, counts_in_words, left_of, overview, serving, thumbs_hidden
from bot.progress import Progress
from bot.progress import in_words as distance_in_words
from bot.release_chart import chart, compared, in_words, picture
from data.counts import RatingCounts, count_ratings

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from discord import app_commands

    from bot.release_chart import ComparedRelease
    from bot.texts import Texts
    from data.distance import Distance
    from data.figures import Figures
    from data.store import Store

# With this many ratings or more, counts are shown again for _RESTS times as long as counting took.
_MANY, _RESTS = 20_000, 20


def add_stats(stats: Stats, tree: app_commands.CommandTree[Any]) -> None:
    """Add the command to a tree."""

    @tree.command(name="stats")
    async def show(interaction: discord.Interaction) -> None:
        await acknowledge(interaction)
        await stats.tell(interaction, texts_for(interaction))


class Stats:
    """The figures that `/stats` and `/release status` show; the costly ones are remembered."""

    def __init__(self, store: Store, home: Path, discord_permission: str | None) -> None:
        self.store = store
        self.home = home
        self.progress = Progress(home, discord_permission)
        self._counted: dict[int | None, tuple[float, RatingCounts]] = {}
        self._counting = asyncio.Lock()
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
        found = await self._count(server)
        first = texts.stats_here if guild else texts.stats_everywhere
        known = await self.progress.now(now.champion, now.candidate)
        lines = [
            first.format(counts=counts_in_words(found), people=found.raters),
            *await self.serving(now, known, texts),
        ]
        if now.rounds:
            lines.append(texts.stats_rounds.format(rounds=len(now.rounds), promoted=now.promoted))
        far = known.distance if known else None
        return [*lines, *distance_in_words(far, texts, hidden=self._hidden(far) if far else ())]

    async def _count(self, server: int | None) -> RatingCounts:
        """The ratings of a server, or of all. Where counting takes long, the last counts are told for a while."""
        async with self._counting:
            began = time.monotonic()
            until, found = self._counted.get(server, (0.0, None))
            if found is None or began >= until:
                async with self.store.database.read() as session:
                    found = await count_ratings(session, server)
                ended = time.monotonic()
                many = found.ratings.total() >= _MANY
                self._counted[server] = ended + (_RESTS * (ended - began) if many else 0.0), found
            return found

    def _hidden(self, far: Distance) -> tuple[str, ...]:
        """The parts of the distance that people here should not see, or can do nothing about."""
        if self.progress.permission is None:  # what is said on Discord trains nothing then
            return ("prompts", "pairs", "thumbs", "people")
        return thumbs_hidden(far)

    async def serving(self, now: Overview, known: Figures | None, texts: Texts) -> list[str]:
        """Which release serves, how the one on trial does, and which ones learnt from people who left."""
        left = await asyncio.to_thread(left_of, self.home)
        return serving(now, known.trial if known else None, left, texts)

    async def _draw(self, found: Sequence[ComparedRelease]) -> bytes | None:
        async with self._drawing:  # once for everybody who asks at the same time
            if self._drawn[0] != found:
                self._drawn = found, await asyncio.to_thread(picture, found)
            return self._drawn[1]
