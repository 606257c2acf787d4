"""`/announcements` and `/refusals`: the channels in which the bot speaks by itself, to members and to managers."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import discord
from discord import app_commands

from bot.discord import announcing, refused
from bot.discord.audit_log import record
from bot.discord.managers import for_managers
from bot.discord.telling import tell
from data.errors import BadInput
from data.releases import Releases

if TYPE_CHECKING:
    from bot.discord.app import App


def add_channels(app: App, tree: app_commands.CommandTree[Any]) -> None:
    """Add the commands to a tree."""

    @tree.command(name="announcements")
    @app_commands.guild_only()
    @app_commands.default_permissions(manage_guild=True)
    async def announcements(interaction: discord.Interaction, channel: discord.TextChannel | None = None) -> None:
        if (texts := await for_managers(interaction)) is None:
            return
        if channel is not None and not may_write(channel):
            await tell(interaction, texts.channel_closed.format(channel=channel.mention))
            return
        try:
            serving = await asyncio.to_thread(Releases(app.settings.home).serving)
        except BadInput:
            await tell(interaction, texts.internal_error)
            return
        served = await app.store.champions()
        number = channel.id if channel else None
        base = serving.base.mark if serving.base else None
        await app.store.change_setting(
            announcing.SETTING,
            _server(interaction),
            lambda now: announcing.chosen(now, number, serving.number, served, base),
        )
        await record(app.store, interaction, "announcements", channel=number)
        text = texts.announcements_go.format(channel=channel.mention) if channel else texts.announcements_off
        await tell(interaction, text)

    @tree.command(name="refusals")
    @app_commands.guild_only()
    @app_commands.default_permissions(manage_guild=True)
    async def refusals(interaction: discord.Interaction, channel: discord.TextChannel | None = None) -> None:
        if (texts := await for_managers(interaction)) is None:
            return
        if channel is not None and not may_write(channel):
            await tell(interaction, texts.channel_closed.format(channel=channel.mention))
            return
        number = channel.id if channel else None
        await app.store.set_setting(refused.CHANNEL, _server(interaction), number)
        await record(app.store, interaction, "refusals", channel=number)
        await tell(interaction, texts.refusals_go.format(channel=channel.mention) if channel else texts.refusals_off)


def _server(interaction: discord.Interaction) -> tuple[str, str]:
    return "server", str(interaction.guild_id)


def may_write(channel: discord.TextChannel) -> bool:
    """Whether the bot may write in a channel of a server that it is on."""
    allowed = channel.permissions_for(channel.guild.me)
    return allowed.view_channel and allowed.send_messages
