"""`/chat`, which opens a thread to talk in, and `/threads`: whether a first mention is answered in a thread."""

from __future__ import annotations

import logging
import math
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import discord
from discord import app_commands

from bot.discord.audit_log import record
from bot.discord.commands.choices import ON_OFF
from bot.discord.managers import for_managers
from bot.discord.own_threads import SETTING, may_talk_in_threads, remember_opener, thread_name
from bot.discord.place import NOBODY, scopes
from bot.discord.telling import acknowledge, tell, texts_for
from bot.rate_limit import Cap, RateLimiter, Spent

if TYPE_CHECKING:
    from bot.discord.app import App
    from bot.texts import Texts

log = logging.getLogger(__name__)

AN_HOUR = 5  # threads that `/chat` opens for one person


def add_threads(app: App, tree: app_commands.CommandTree[Any]) -> None:
    """Add the commands to a tree."""
    lately = RateLimiter()

    @tree.command(name="chat")
    @app_commands.guild_only()
    async def chat(interaction: discord.Interaction) -> None:
        await acknowledge(interaction)
        if not await app.refusals.refused(interaction):
            await tell(interaction, await opened(app, interaction, lately, texts_for(interaction)))

    @tree.command(name="threads")
    @app_commands.guild_only()
    @app_commands.default_permissions(manage_channels=True)
    @app_commands.choices(answer=ON_OFF)
    async def threads(interaction: discord.Interaction, answer: app_commands.Choice[str]) -> None:
        if (texts := await for_managers(interaction, "manage_channels")) is None:
            return
        places = scopes(interaction.channel, interaction.guild_id)
        on = answer.value == "on"
        await app.store.set_setting(SETTING, places[0], on, server=interaction.guild_id)
        await record(app.store, interaction, "threads", answer=answer.value)
        await tell(interaction, texts.threads_on if on else texts.threads_off)


async def opened(app: App, interaction: discord.Interaction, lately: RateLimiter, texts: Texts) -> str:
    """Open a thread with a greeting for the person who asked; returns what to tell them."""
    channel = interaction.channel
    if not isinstance(channel, discord.TextChannel):
        return texts.chat_not_here
    # The bot may be allowed to open threads where the person is not: it must not be a way around that.
    if not interaction.permissions.create_public_threads:
        return texts.chat_not_allowed
    if not may_talk_in_threads(interaction.app_permissions):
        return texts.chat_refused
    room = lately.take([Cap("person", ("person", str(interaction.user.id)), AN_HOUR)])
    if isinstance(room, Spent):
        return texts.chat_enough.format(limit=AN_HOUR, minutes=math.ceil(room.seconds / 60))
    persona = await app.rules.persona(channel, interaction.guild_id)
    name = thread_name(interaction.user.display_name, persona.name)
    thread: discord.Thread | None = None
    try:
        thread = await channel.create_thread(name=name, type=discord.ChannelType.public_thread)
        await remember_opener(app.store, thread, interaction.user)
        how = texts.chat_write if app.settings.discord_message_content else texts.chat_mention
        await thread.send(f"{persona.greeting}\n-# {how}", allowed_mentions=NOBODY)
        with suppress(discord.HTTPException):  # they get a link to it anyway
            await thread.add_user(interaction.user)
    except discord.HTTPException as error:
        log.info("a thread could not be opened: %s (code %s)", error.status, error.code)
        if thread is None:
            lately.give_back(room)
        return texts.chat_refused
    return texts.chat_opened.format(thread=thread.mention)
