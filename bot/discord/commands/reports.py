"""Reports: an answer that somebody finds harmful is shown to the moderators, in a channel that they chose."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import discord
from discord import app_commands

from bot.discord.managers import for_managers
from bot.discord.place import NOBODY
from bot.discord.presses import PLATFORM, tell
from bot.discord.seen import Seen
from bot.texts import Texts, texts
from data.store import NewRating

if TYPE_CHECKING:
    from bot.discord.app import Talk
    from bot.discord.client import Bot, Parley

log = logging.getLogger(__name__)

CHANNEL = "reports"  # the setting: the channel's id


def add_reports(bot: Parley, tree: app_commands.CommandTree[Bot]) -> None:
    """Add the commands to the bot's tree."""
    lately = Seen()

    @tree.context_menu(name="Report this answer")
    @app_commands.guild_only()
    async def report(interaction: discord.Interaction[Bot], message: discord.Message) -> None:
        await interaction.response.defer(ephemeral=True)
        words = texts(str(interaction.locale))
        if not await bot.talk.refused(interaction, words):
            await tell(interaction, await reported(bot.talk, interaction, message, lately, words))

    @tree.command(name="reports")
    @app_commands.guild_only()
    @app_commands.default_permissions(manage_guild=True)
    async def reports(interaction: discord.Interaction[Bot], channel: discord.TextChannel | None = None) -> None:
        await interaction.response.defer(ephemeral=True)
        words = texts(str(interaction.locale))
        if not await for_managers(interaction, words):
            return
        server = ("server", str(interaction.guild_id))
        await bot.talk.store.set_setting(CHANNEL, server, channel.id if channel else None)
        await bot.talk.audit(interaction, "reports", channel=channel.id if channel else None)
        told = words.reports_go.format(channel=channel.mention) if channel else words.reports_off
        await tell(interaction, told)


async def reported(
    talk: Talk, interaction: discord.Interaction[Bot], message: discord.Message, lately: Seen, words: Texts
) -> str:
    """Show an answer to the moderators, without saying who reported it; returns what became of that.

    Who reports an answer again is thanked again, and nobody else hears of it: for good where they agreed that their
    ratings are kept; of others nothing is on disk, so for as long as this process remembers.
    """
    answer = await talk.store.shown(PLATFORM, str(message.id))
    if answer is None:
        return words.no_answer_here
    channel = await talk.store.setting(CHANNEL, [("server", str(interaction.guild_id))])
    if channel is None:
        return words.reports_missing
    rater = await talk.store.person(PLATFORM, str(interaction.user.id))
    source = f"{PLATFORM}:report:{answer.generation}:{rater}"
    if not lately.first(source) or await talk.store.rated(source):
        return words.reported
    shown = False
    try:
        place = talk.client.get_partial_messageable(int(channel))
        await place.send(words.reported_there.format(link=message.jump_url), allowed_mentions=NOBODY)
        shown = True
    except discord.HTTPException as error:
        log.warning("a report did not reach its channel: %s (code %s)", error.status, error.code)
        return words.reports_missing
    finally:
        if not shown:
            lately.forget(source)
    if await talk.store.agrees(rater):  # the moderators see it without; only what is kept needs consent
        stored = await talk.store.rate(
            NewRating(
                source_id=source,
                rater=rater,
                kind="report",
                generation=answer.generation,
                platform=PLATFORM,
            )
        )
        if stored:
            talk.chat.metrics.ratings.labels("report").inc()
    return words.reported
