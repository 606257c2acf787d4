"""The bot's own threads, in which every message is for the bot, and the people for whom they were opened."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import discord

from bot.discord.addressed import own_roles, reply_to
from bot.discord.ids import person_of
from bot.discord.place import scopes

if TYPE_CHECKING:
    from bot.discord.app import App
    from data.store import Store

log = logging.getLogger(__name__)

SETTING = "threads"  # whether a first mention in a channel is answered in a thread
_LONGEST_NAME = 80  # characters; Discord takes 100


def own_thread(channel: Any, me: int) -> bool:
    """Whether the bot opened this thread, so that everything in it is said to the bot."""
    return isinstance(channel, discord.Thread) and channel.owner_id == me


def thread_name(text: str, otherwise: str) -> str:
    """The name of a thread: the beginning of its first message, on one line."""
    line = " ".join(text.split())
    return (line if len(line) <= _LONGEST_NAME else line[: _LONGEST_NAME - 1].rstrip() + "…") or otherwise


def may_talk_in_threads(here: discord.Permissions) -> bool:
    """Whether the bot may open a thread in a channel and write in it."""
    return here.create_public_threads and here.send_messages_in_threads


async def thread_for(app: App, message: discord.Message) -> discord.Thread | None:
    """The thread in which a first mention is answered; None where it is answered in its channel."""
    channel = message.channel
    if not isinstance(channel, discord.TextChannel) or reply_to(message) is not None:
        return None
    # A process that died before it answered may have opened it.
    if message.thread is not None and own_thread(message.thread, app.me):
        return message.thread
    if not await app.store.setting(SETTING, scopes(channel, channel.guild.id), app.settings.discord_threads):
        return None
    if not may_talk_in_threads(channel.permissions_for(channel.guild.me)):
        return None
    name = thread_name(_without_mentions(message, app.me), message.author.display_name)
    try:
        thread = await message.create_thread(name=name)
    except discord.HTTPException as error:  # for example without the permission: then it is answered in its channel
        log.info("a thread could not be opened: %s (code %s)", error.status, error.code)
        return None
    await remember_opener(app.store, thread, message.author)
    return thread


def _without_mentions(message: discord.Message, me: int) -> str:
    """A message as people see it, without the mentions of the bot."""
    assert message.guild is not None
    roles = [message.guild.get_role(role) for role in own_roles(message, me)]
    text = message.clean_content
    for name in (message.guild.me.display_name, *(role.name for role in roles if role is not None)):
        text = text.replace(f"@{name}", "")
    return text


async def remember_opener(store: Store, thread: discord.Thread, user: discord.abc.User) -> None:
    """Store for whom a thread was opened: on Discord, its owner is always the bot."""
    await store.set_opened_for(str(thread.id), await person_of(store, user.id), thread.guild.id)


async def opened_thread(store: Store, channel: Any, user: discord.abc.User) -> bool:
    """Whether a person opened this thread, themselves or through the bot."""
    if not isinstance(channel, discord.Thread):
        return False
    if channel.owner_id == user.id:
        return True
    return await store.opened_for(str(channel.id)) == await person_of(store, user.id)
