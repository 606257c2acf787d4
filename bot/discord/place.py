"""Where the messages of an answer go: into a channel, or below a command, even where the bot is not a member."""

from __future__ import annotations

import logging
import time
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol

import aiohttp
import discord

from data.scopes import Scope, chain

if TYPE_CHECKING:
    import discord.abc

    from bot.discord.others import Once

log = logging.getLogger(__name__)

NOBODY = discord.AllowedMentions.none()
NO_HISTORY = 160002  # Discord's code for a reply where the bot may not read the history
_NOT_ASKED = 3600.0  # seconds in which no reply is tried where one was refused
_REMEMBERED = 10_000  # channels
_INVALID = 50035  # Discord's code for a request with a wrong field
_refused: dict[int, float] = {}  # channels, and when Discord refused a reply there


async def send_below(
    channel: discord.abc.Messageable,
    content: str,
    reference: Any,
    view: discord.ui.View | None = None,
    **extra: Any,
) -> discord.Message:
    """Send a message that replies to `reference`, if there is one; a plain one where Discord refuses replies."""
    if view:
        extra["view"] = view
    send = partial(channel.send, content, allowed_mentions=NOBODY, mention_author=False, **extra)
    number, now = getattr(channel, "id", 0), time.monotonic()
    if reference is None or now - _refused.get(number, -_NOT_ASKED) < _NOT_ASKED:
        return await send()
    try:
        return await send(reference=reference)
    except discord.HTTPException as error:
        if error.code == NO_HISTORY:
            log.info("no replies in a channel whose history the bot may not read: plain messages from now on")
            _refused[number] = now
            while len(_refused) > _REMEMBERED:
                del _refused[next(iter(_refused))]
        elif error.code != _INVALID or "message_reference" not in error.text:
            raise
        return await send()


def scopes(channel: Any, guild: int | None, conversation: int | None = None) -> list[Scope]:
    """The places around a message, from narrow to wide: conversation, thread, channel, category, server."""
    above = getattr(channel, "parent_id", None)  # only a thread has one
    # A thread whose channel is unknown, for example on a server without the bot, raises when its category is read.
    parent = getattr(channel, "parent", None) if above else channel
    category = None if isinstance(parent, discord.PartialMessageable) else getattr(parent, "category_id", None)
    here = getattr(channel, "id", None)
    thread, main = (here, above) if above else (None, here)
    return chain(conversation=conversation, thread=thread, channel=main, category=category, server=guild)


def main_channel(channel: Any) -> str:
    """The id of a channel; for a thread, the id of the channel that holds it."""
    return str(getattr(channel, "parent_id", None) or getattr(channel, "id", 0))


def conversation_key(channel: Any, number: int, message: int) -> str:
    """A conversation's key: the channel around a thread, the channel's own `number`, and the first message."""
    parent = getattr(channel, "parent_id", None)
    return f"{parent}/{number}:{message}" if parent else f"{number}:{message}"


def around(channel: Any, number: int) -> frozenset[int]:
    """The id of a channel (its `number`) and, for a thread, the id of the channel that holds it."""
    return frozenset(found for found in (number, getattr(channel, "parent_id", None)) if found)


class Place(Protocol):
    """What an answer needs from the place where it is shown.

    `channel` is its id, `guild` the server's; `channels` are its id and, for a thread, that of the thread's channel.
    """

    channel: int
    guild: int | None
    channels: frozenset[int]

    async def send(self, content: str, view: discord.ui.View | None) -> int:
        """Send a message; returns its id."""

    async def edit(self, message: int, content: str, view: discord.ui.View | None) -> None:
        """Change a message that was sent here."""

    async def typing(self) -> None:
        """Show that an answer is on its way."""

    def below(self, message: int) -> Place:
        """The same place, for messages that belong to one that was sent here."""


class InChannel:
    """A channel that the bot may write in; the first message replies to `reference`.

    With `once`, nothing more is sent when another process of the same bot was first.
    """

    def __init__(
        self,
        channel: discord.abc.MessageableChannel,
        reference: discord.MessageReference | None = None,
        once: Once | None = None,
    ) -> None:
        guild = getattr(channel, "guild", None)
        self.channel: int = channel.id
        self.channels = around(channel, channel.id)
        self.guild: int | None = guild.id if guild else None
        self._channel = channel
        self._reference = reference
        self._once = once
        self._sent: dict[int, discord.PartialMessage] = {}

    async def send(self, content: str, view: discord.ui.View | None) -> int:
        """See `Place.send`."""
        once = {} if self._once is None else {"nonce": self._once.nonce(len(self._sent))}
        sent = await send_below(self._channel, content, None if self._sent else self._reference, view, **once)
        if self._once is not None:
            self._once.check(sent, view)
        self._sent[sent.id] = discord.PartialMessage(channel=sent.channel, id=sent.id)
        return sent.id

    async def edit(self, message: int, content: str, view: discord.ui.View | None) -> None:
        """See `Place.edit`."""
        # Not Message.edit: it sends flags, which show link previews again.
        await self._sent[message].edit(content=content, view=view, allowed_mentions=NOBODY)

    async def typing(self) -> None:
        """See `Place.typing`."""
        try:
            await self._channel.typing()
        except (discord.DiscordException, aiohttp.ClientError, OSError) as error:
            log.info("Discord did not show that the bot types: %s", type(error).__name__)

    def below(self, message: int) -> InChannel:
        """See `Place.below`."""
        reference = discord.MessageReference(
            message_id=message, channel_id=self.channel, guild_id=self.guild, fail_if_not_exists=False
        )
        return InChannel(self._channel, reference)


class FollowUp:
    """After a deferred command or a button press: through the interaction, which lives for 15 minutes."""

    def __init__(self, interaction: discord.Interaction, *, command: bool) -> None:
        self.channel, self.guild = interaction.channel_id or 0, interaction.guild_id
        self.channels = around(interaction.channel, self.channel)
        self._interaction = interaction
        self._first = (
            command  # a command's own response is the first message; a button's is the message with the button
        )

    async def send(self, content: str, view: discord.ui.View | None) -> int:
        """See `Place.send`."""
        if self._first:
            self._first = False
            answered = await self._interaction.edit_original_response(
                content=content, view=view, allowed_mentions=NOBODY
            )
            return answered.id
        extra: dict[str, Any] = {"view": view} if view else {}
        sent = await self._interaction.followup.send(content, wait=True, allowed_mentions=NOBODY, **extra)
        return sent.id

    async def edit(self, message: int, content: str, view: discord.ui.View | None) -> None:
        """See `Place.edit`."""
        await self._interaction.followup.edit_message(message, content=content, view=view, allowed_mentions=NOBODY)

    async def typing(self) -> None:
        """Discord shows by itself that a command is being answered."""

    def below(self, message: int) -> FollowUp:  # noqa: ARG002 - the protocol's
        """Every follow-up is shown below the command anyway."""
        return self


def below(interaction: discord.Interaction, channel: Any, message: discord.Message) -> Place:
    """The place below the message whose button was pressed; where the bot is not a member, only follow-ups work."""
    guild = interaction.guild_id
    # Not interaction.guild, which discord.py makes up where the bot is not a member.
    if interaction.client.get_guild(guild) is None if guild else interaction.context.private_channel:
        return FollowUp(interaction, command=False)
    return InChannel(channel, message.to_reference(fail_if_not_exists=False))
