"""Threads of the bot's own: `/chat` opens one, and where managers want it so does a first mention."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import discord
from discord import app_commands

from bot.discord.feedback import tell
from bot.discord.place import NOBODY, scopes
from bot.texts import Texts, texts

if TYPE_CHECKING:
    from bot.discord.chat import Talk
    from bot.discord.client import Bot, Parley

log = logging.getLogger(__name__)

SETTING = "threads"  # whether a first mention in a channel is answered in a thread
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
    if not await talk.store.setting(SETTING, scopes(channel, channel.guild.id), talk.settings.discord_threads):
        return None
    name = thread_name(
        message.clean_content.replace(f"@{channel.guild.me.display_name}", ""), message.author.display_name
    )
    try:
        return await message.create_thread(name=name)
    except discord.HTTPException as error:  # no permission, say: then it is answered where it was asked
        log.info("a thread could not be opened: %s (code %s)", error.status, error.code)
        return None


def add_threads(bot: Parley, tree: app_commands.CommandTree[Bot]) -> None:
    """Add the commands to the bot's tree."""

    @tree.command(name="chat")
    @app_commands.guild_only()
    async def chat(interaction: discord.Interaction[Bot]) -> None:
        await interaction.response.defer(ephemeral=True)
        await tell(interaction, await opened(bot.talk, interaction, texts(str(interaction.locale))))

    @tree.command(name="threads")
    @app_commands.guild_only()
    @app_commands.default_permissions(manage_channels=True)
    @app_commands.choices(
        answer=[app_commands.Choice(name="on", value="on"), app_commands.Choice(name="off", value="off")]
    )
    async def threads(interaction: discord.Interaction[Bot], answer: app_commands.Choice[str]) -> None:
        await interaction.response.defer(ephemeral=True)
        words = texts(str(interaction.locale))
        places = scopes(interaction.channel, interaction.guild_id)
        if not interaction.permissions.manage_channels or not places:
            await tell(interaction, words.managers_only)
            return
        on = answer.value == "on"
        await bot.talk.store.set_setting(SETTING, places[0], on, server=interaction.guild_id)
        await tell(interaction, words.threads_on if on else words.threads_off)


async def opened(talk: Talk, interaction: discord.Interaction[Bot], words: Texts) -> str:
    """Open a thread with a greeting for who asked for one; returns what to tell them."""
    channel = interaction.channel
    if not isinstance(channel, discord.TextChannel):
        return words.chat_not_here
    who = await talk.persona(channel, interaction.guild_id)
    name = thread_name(interaction.user.display_name, who.name)
    try:
        thread = await channel.create_thread(name=name, type=discord.ChannelType.public_thread)
        how = words.chat_write if talk.settings.discord_message_content else words.chat_mention
        await thread.send(f"{who.greeting}\n-# {how}", allowed_mentions=NOBODY)
        await thread.add_user(interaction.user)
    except discord.HTTPException as error:
        log.info("a thread could not be opened: %s (code %s)", error.status, error.code)
        return words.chat_refused
    return words.chat_opened.format(thread=thread.mention)
