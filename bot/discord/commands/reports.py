"""Reports: moderators see an answer that somebody finds harmful, in a channel that they chose with `/reports`."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import discord
from discord import app_commands

from bot.discord.audit_log import record
from bot.discord.ids import PLATFORM, person_of
from bot.discord.managers import for_managers
from bot.discord.place import NOBODY
from bot.discord.seen import Seen
from bot.discord.telling import acknowledge, tell, texts_for
from data.store import NewRating

if TYPE_CHECKING:
    from bot.discord.app import App
    from bot.texts import Texts

log = logging.getLogger(__name__)

CHANNEL = "reports"  # the setting: the channel's id


def add_reports(app: App, tree: app_commands.CommandTree[Any]) -> None:
    """Add the commands to a tree."""
    lately = Seen()

    @tree.context_menu(name="Report this answer")
    @app_commands.guild_only()
    async def report(interaction: discord.Interaction, message: discord.Message) -> None:
        await acknowledge(interaction)
        if not await app.refusals.refused(interaction):
            await tell(interaction, await reported(app, interaction, message, lately, texts_for(interaction)))

    @tree.command(name="reports")
    @app_commands.guild_only()
    @app_commands.default_permissions(manage_guild=True)
    async def reports(interaction: discord.Interaction, channel: discord.TextChannel | None = None) -> None:
        if (texts := await for_managers(interaction)) is None:
            return
        server = ("server", str(interaction.guild_id))
        await app.store.set_setting(CHANNEL, server, channel.id if channel else None)
        await record(app.store, interaction, "reports", channel=channel.id if channel else None)
        text = texts.reports_go.format(channel=channel.mention) if channel else texts.reports_off
        await tell(interaction, text)


async def reported(
    app: App, interaction: discord.Interaction, message: discord.Message, lately: Seen, texts: Texts
) -> str:
    """Show an answer to the moderators, without saying who reported it; returns how that ended.

    A person who reports an answer again is thanked again, and nobody else is told. That holds forever for people who
    agreed that their ratings are kept. Nothing is stored about others, so for them it holds while this process runs.
    """
    answer = await app.store.shown(PLATFORM, str(message.id))
    if answer is None:
        return texts.no_answer_here
    channel = await app.store.setting(CHANNEL, [("server", str(interaction.guild_id))])
    if channel is None:
        return texts.reports_missing
    rater = await person_of(app.store, interaction.user.id)
    source = f"{PLATFORM}:report:{answer.generation}:{rater}"
    if not lately.first(source) or await app.store.rated(source):
        return texts.reported
    shown = False
    try:
        place = app.client.get_partial_messageable(int(channel))
        there = app.client.get_channel(int(channel)) or place
        public = await app.rules.texts(there, interaction.guild_id)
        await place.send(public.reported_there.format(link=message.jump_url), allowed_mentions=NOBODY)
        shown = True
    except discord.HTTPException as error:
        log.warning("a report did not reach its channel: %s (code %s)", error.status, error.code)
        return texts.reports_missing
    finally:
        if not shown:
            lately.forget(source)
    if await app.store.agrees(rater):  # the moderators see it without consent; only what is stored needs it
        stored = await app.store.rate(
            NewRating(
                source_id=source,
                rater=rater,
                kind="report",
                generation=answer.generation,
                platform=PLATFORM,
            )
        )
        if stored:
            app.chat.metrics.ratings.labels("report").inc()
    return texts.reported
