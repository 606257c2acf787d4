"""Who a message is for, judged from the message alone."""

from __future__ import annotations

from datetime import timedelta

import discord

LATE = timedelta(hours=1)  # how long after a message its author may add the mention by an edit


def from_a_person(message: discord.Message) -> bool:
    """Whether a person wrote a message, rather than a bot or Discord itself."""
    written = message.type in (discord.MessageType.default, discord.MessageType.reply)
    return written and not message.author.bot and message.webhook_id is None


def own_roles(message: discord.Message, me: int) -> list[int]:
    """The ids of the mentioned roles that are the bot's own: Discord gives every bot a role with its name."""
    return [role.id for role in message.role_mentions if role.tags is not None and role.tags.bot_id == me]


def mentioned(message: discord.Message, me: int) -> bool:
    """Whether a message mentions the bot, or its own role, which Discord's list of suggestions offers as well."""
    return any(user.id == me for user in message.mentions) or bool(own_roles(message, me))


def addressed(message: discord.Message, me: int) -> bool:
    """Whether a person plainly wrote to the bot: in a direct message, with a mention, or in a reply to the bot."""
    if not from_a_person(message):
        return False
    if message.guild is None or mentioned(message, me):
        return True
    replied = message.reference.resolved if message.reference else None
    return isinstance(replied, discord.Message) and replied.author.id == me


def addressed_late(message: discord.Message, before: discord.Message | None, me: int) -> bool:
    """Whether an edit added the mention; `before` is the message as it was, where that is known.

    An edit of an old message does not count: where it was heard then, nobody may remember.
    """
    if message.edited_at is None or message.guild is None or not from_a_person(message):
        return False
    if not mentioned(message, me) or (before is not None and mentioned(before, me)):
        return False
    return message.edited_at - message.created_at <= LATE


def to_somebody_else(message: discord.Message, me: int) -> bool:
    """Whether people talk to each other in the bot's own thread: by a reply or a mention."""
    replied = message.reference.resolved if message.reference else None
    if isinstance(replied, discord.Message):
        return replied.author.id != me
    everyone = "@everyone" in message.content or "@here" in message.content  # whether or not it pings
    return everyone or bool(message.mentions or message.role_mentions)


def linear(message: discord.Message) -> bool:
    """Whether messages here follow each other without replies: in threads and in direct messages."""
    return message.guild is None or isinstance(message.channel, discord.Thread)
