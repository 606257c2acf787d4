"""Reports: an answer that somebody finds harmful is shown to the moderators, in a channel that they chose."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import discord
from discord import app_commands

from bot.discord.feedback import PLATFORM, tell
from bot.discord.place import NOBODY
from bot.texts import Texts, texts
from data.store import NewRating

if TYPE_CHECKING:
    from bot.discord.chat import Talk
    from bot.discord.client import Bot, Parley

log = logging.getLogger(__name__)

CHANNEL = "reports"  # the setting: the channel's id


def add_reports(bot: Parley, tree: app_commands.CommandTree[Bot]) -> None:
    """Add the commands to the bot's tree."""

    @tree.context_menu(name="Report this answer")
    @app_commands.guild_only()
    async def report(interaction: discord.Interaction[Bot], message: discord.Message) -> None:
        await interaction.response.defer(ephemeral=True)
        words = texts(str(interaction.locale))
        if not await bot.talk.refused(interaction, words):
            await tell(interaction, await reported(bot.talk, interaction, message, words))

    @tree.command(name="reports")
    @app_commands.guild_only()
    @app_commands.default_permissions(manage_guild=True)
    async def reports(interaction: discord.Interaction[Bot], channel: discord.TextChannel | None = None) -> None:
        await interaction.response.defer(ephemeral=True)
        words = texts(str(interaction.locale))
        if interaction.guild_id is None or not interaction.permissions.manage_guild:
            await tell(interaction, words.managers_only)
            return
        server = ("server", str(interaction.guild_id))
        await bot.talk.store.set_setting(CHANNEL, server, channel.id if channel else None)
        await bot.talk.audit(interaction, "reports", channel=channel.id if channel else None)
        told = words.reports_go.format(channel=channel.mention) if channel else words.reports_off
        await tell(interaction, told)


async def reported(talk: Talk, interaction: discord.Interaction[Bot], message: discord.Message, words: Texts) -> str:
    """Show an answer to the moderators, without saying who reported it; returns what became of that."""
    answer = await talk.store.shown(PLATFORM, str(message.id))
    if answer is None:
        return words.no_answer_here
    channel = await talk.store.setting(CHANNEL, [("server", str(interaction.guild_id))])
    if channel is None:
        return words.reports_missing
    try:
        place = talk.client.get_partial_messageable(int(channel))
        await place.send(words.reported_there.format(link=message.jump_url), allowed_mentions=NOBODY)
    except discord.HTTPException as error:
        log.warning("a report did not reach its channel: %s (code %s)", error.status, error.code)
        return words.reports_missing
    rater = await talk.store.person(PLATFORM, str(interaction.user.id))
    if await talk.store.agrees(rater):  # the moderators see it without; only what is kept needs consent
        stored = await talk.store.rate(
            NewRating(
                source_id=f"{PLATFORM}:{interaction.id}",
                rater=rater,
                kind="report",
                generation=answer.generation,
                platform=PLATFORM,
            )
        )
        if stored:
            talk.chat.metrics.ratings.add("report")
    return words.reported
