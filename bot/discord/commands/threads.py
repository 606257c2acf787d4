"""Threads of the bot's own: `/chat` opens one, and where managers want it so does a first mention."""

from __future__ import annotations

import logging
import math
from typing import TYPE_CHECKING, Any

import discord
from discord import app_commands

from bot.discord.managers import for_managers
from bot.discord.place import NOBODY, scopes
from bot.discord.presses import PLATFORM, tell
from bot.rate_limit import Cap, RateLimiter, Spent
from bot.texts import Texts, texts

if TYPE_CHECKING:
    from bot.discord.app import Talk
    from bot.discord.client import Bot, Parley

log = logging.getLogger(__name__)

SETTING = "threads"  # whether a first mention in a channel is answered in a thread
AN_HOUR = 5  # threads that `/chat` opens for one person
_NAME = 80  # characters; Discord takes 100


def own_thread(channel: Any, me: int) -> bool:
    """Whether the bot began a thread, so that everything in it is said to the bot."""
    return isinstance(channel, discord.Thread) and channel.owner_id == me


def thread_name(text: str, otherwise: str) -> str:
    """The name of a thread: how its first message begins, on one line."""
    line = " ".join(text.split())
    return (line if len(line) <= _NAME else line[: _NAME - 1].rstrip() + "…") or otherwise


async def thread_for(talk: Talk, message: discord.Message) -> discord.Thread | None:
    """The thread that a first mention is to be answered in; None where it is answered in its channel."""
    channel = message.channel
    if not isinstance(channel, discord.TextChannel) or message.reference is not None:
        return None
    # It is there already where a process died before it answered.
    if message.thread is not None and own_thread(message.thread, talk.me):
        return message.thread
    if not await talk.store.setting(SETTING, scopes(channel, channel.guild.id), talk.settings.discord_threads):
        return None
    name = thread_name(
        message.clean_content.replace(f"@{channel.guild.me.display_name}", ""), message.author.display_name
    )
    try:
        thread = await message.create_thread(name=name)
    except discord.HTTPException as error:  # no permission, say: then it is answered where it was asked
        log.info("a thread could not be opened: %s (code %s)", error.status, error.code)
        return None
    await _opened_for(talk, thread, message.author)
    return thread


async def _opened_for(talk: Talk, thread: discord.Thread, user: discord.abc.User) -> None:
    """Remember whose a thread is: for Discord it is the bot's, whoever it was opened for."""
    await talk.store.set_opened_for(str(thread.id), await talk.store.person(PLATFORM, str(user.id)), thread.guild.id)


async def opened_thread(talk: Talk, channel: Any, user: discord.abc.User) -> bool:
    """Whether somebody opened a thread, by themselves or by asking the bot."""
    if not isinstance(channel, discord.Thread):
        return False
    if channel.owner_id == user.id:
        return True
    return await talk.store.opened_for(str(channel.id)) == await talk.store.person(PLATFORM, str(user.id))


def add_threads(bot: Parley, tree: app_commands.CommandTree[Bot]) -> None:
    """Add the commands to the bot's tree."""
    lately = RateLimiter()

    @tree.command(name="chat")
    @app_commands.guild_only()
    async def chat(interaction: discord.Interaction[Bot]) -> None:
        await interaction.response.defer(ephemeral=True)
        words = texts(str(interaction.locale))
        if not await bot.talk.refused(interaction, words):
            await tell(interaction, await opened(bot.talk, interaction, lately, words))

    @tree.command(name="threads")
    @app_commands.guild_only()
    @app_commands.default_permissions(manage_channels=True)
    @app_commands.choices(
        answer=[app_commands.Choice(name="on", value="on"), app_commands.Choice(name="off", value="off")]
    )
    async def threads(interaction: discord.Interaction[Bot], answer: app_commands.Choice[str]) -> None:
        await interaction.response.defer(ephemeral=True)
        words = texts(str(interaction.locale))
        if not await for_managers(interaction, words, "manage_channels"):
            return
        places = scopes(interaction.channel, interaction.guild_id)
        on = answer.value == "on"
        await bot.talk.store.set_setting(SETTING, places[0], on, server=interaction.guild_id)
        await bot.talk.audit(interaction, "threads", answer=answer.value)
        await tell(interaction, words.threads_on if on else words.threads_off)


async def opened(talk: Talk, interaction: discord.Interaction[Bot], lately: RateLimiter, words: Texts) -> str:
    """Open a thread with a greeting for who asked for one; returns what to tell them."""
    channel = interaction.channel
    if not isinstance(channel, discord.TextChannel):
        return words.chat_not_here
    # The bot may open threads where the person may not: it is no way around what they are allowed.
    if not interaction.permissions.create_public_threads:
        return words.chat_not_allowed
    room = lately.take([Cap("person", ("person", str(interaction.user.id)), AN_HOUR)])
    if isinstance(room, Spent):
        return words.chat_enough.format(limit=AN_HOUR, minutes=math.ceil(room.seconds / 60))
    who = await talk.persona(channel, interaction.guild_id)
    name = thread_name(interaction.user.display_name, who.name)
    thread: discord.Thread | None = None
    try:
        thread = await channel.create_thread(name=name, type=discord.ChannelType.public_thread)
        await _opened_for(talk, thread, interaction.user)
        how = words.chat_write if talk.settings.discord_message_content else words.chat_mention
        await thread.send(f"{who.greeting}\n-# {how}", allowed_mentions=NOBODY)
        await thread.add_user(interaction.user)
    except discord.HTTPException as error:
        log.info("a thread could not be opened: %s (code %s)", error.status, error.code)
        if thread is None:
            lately.give_back(room)
        return words.chat_refused
    return words.chat_opened.format(thread=thread.mention)
