"""What is in a message, as the model reads it: its text, what Discord shows as text, and the text files with it."""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import aiohttp
import discord

from bot.discord.addressed import from_a_person, own_roles
from bot.discord.render import readable
from bot.display_names import label

if TYPE_CHECKING:
    from collections.abc import Sequence

LARGEST = 64 * 1024  # bytes of all the files of a message
FETCHING = 10.0  # seconds that Discord may take to hand over a file
_TYPES = ("application/json", "application/xml", "application/x-yaml", "application/toml", "application/x-sh")
# Text files that Discord does not always call text.
_NAMES = re.compile(
    r"\.(c|cfg|conf|cpp|cs|css|csv|diff|go|h|hpp|html|ini|java|js|json|jsonl|kt|log|lua|md|patch|php|py|rb|rs|rst|sh|sql"
    r"|srt|swift|tex|toml|ts|tsv|txt|xml|ya?ml)$",
    re.IGNORECASE,
)


class Unreadable(Exception):
    """A file with a message is gone or is not text; `str` is its name."""


@dataclass(frozen=True)
class Contents:
    """What is in a message before its files are fetched.

    `files` can be read and `left` are the names of what cannot. `unknown`: a part of it was written by somebody who
    is not known: it is a bot's, a webhook's, or it was forwarded.
    """

    text: str
    files: Sequence[discord.Attachment]
    left: Sequence[str]
    unknown: bool

    def __bool__(self) -> bool:
        return bool(self.text or self.files)


def contents(message: discord.Message, me: int) -> Contents:
    """What is in a message, forwarded messages included."""
    texts = [text_of(message, me), *_shown_as_text(message)]
    by_a_person = from_a_person(message)
    if not by_a_person:  # under a person's message, embeds are previews of links
        texts += [_embed(embed) for embed in message.embeds]
    files = list(message.attachments)
    for forwarded in message.message_snapshots:
        files += forwarded.attachments
        texts += [readable(forwarded.content, 0, {}, {}, {}), *_shown_as_text(forwarded)]
        texts += [_embed(embed) for embed in forwarded.embeds]
    read, left = sorted_out(files)
    unknown = not by_a_person or bool(message.message_snapshots)
    return Contents(_joined(texts), read, left, unknown)


async def read(found: Contents) -> str:
    """All that is in a message, files included. Raises `Unreadable` for a file that cannot be read."""
    return _joined([found.text, *[f"[{file.filename}]\n{await _fetched(file)}" for file in found.files]])


async def read_what_there_is(found: Contents) -> tuple[str, list[str]]:
    """The same, and the names of the files that could not be read in the end."""
    texts, left = [found.text], []
    for file in found.files:
        try:
            texts.append(f"[{file.filename}]\n{await _fetched(file)}")
        except Unreadable as error:
            left.append(str(error))
    return _joined(texts), left


async def whole_text(message: discord.Message, me: int) -> str:
    """Everything in a message. Raises `Unreadable` for a file that cannot be read."""
    return await read(contents(message, me))


def text_of(message: discord.Message, me: int) -> str:
    """What a person typed. Mentioned people did not say anything, so neither their ids nor their names are kept."""
    others = dict.fromkeys(user.id for user in message.mentions if user.id != me)
    return readable(
        message.content,
        me,
        users={user: "someone" + (f" {number}" if number > 1 else "") for number, user in enumerate(others, 1)},
        roles={role.id: role.name for role in message.role_mentions},
        channels={channel.id: getattr(channel, "name", "channel") for channel in message.channel_mentions},
        own_roles=own_roles(message, me),
        name=_own_name(message, me),
    )


def is_text(name: str, content_type: str | None) -> bool:
    """Whether a file is read, by its name and the type that Discord gives it."""
    kind = (content_type or "").partition(";")[0].strip().lower()
    return kind.startswith("text/") or kind in _TYPES or _NAMES.search(name) is not None


def sorted_out(files: Sequence[discord.Attachment]) -> tuple[list[discord.Attachment], list[str]]:
    """The files that are read, and the names of those that are not: not text, or too large."""
    read: list[discord.Attachment] = []
    left: list[str] = []
    room = LARGEST
    for file in files:
        if is_text(file.filename, file.content_type) and file.size <= room:
            room -= file.size
            read.append(file)
        else:
            left.append(file.filename)
    return read, left


async def _fetched(file: discord.Attachment) -> str:
    try:
        async with asyncio.timeout(FETCHING):
            data = await file.read()
        if len(data) > LARGEST:  # more than Discord said
            raise Unreadable(file.filename)
        return data.decode("utf-8-sig")
    except (discord.DiscordException, aiohttp.ClientError, OSError, UnicodeDecodeError):
        raise Unreadable(file.filename) from None


def _shown_as_text(message: discord.Message | discord.MessageSnapshot) -> list[str]:
    """What Discord shows besides the text and the files, as far as it is words."""
    texts = [f"[sticker: {sticker.name}]" for sticker in message.stickers]
    texts += [f"[{file.filename}: {file.description}]" for file in message.attachments if file.description]
    poll = getattr(message, "poll", None)  # a forwarded message has none
    if poll is not None:
        texts.append("\n".join((f"[poll] {poll.question}", *(f"- {answer.text}" for answer in poll.answers))))
    return [readable(text, 0, {}, {}, {}) for text in texts + _words_in(message.components)]


def _words_in(components: Sequence[discord.Component]) -> list[str]:
    """The texts among the components of a bot's or a webhook's message."""
    texts: list[str] = []
    for component in components:
        if isinstance(component, discord.TextDisplay):
            texts.append(component.content)
        texts += _words_in(getattr(component, "children", []))
    return texts


def _embed(embed: discord.Embed) -> str:
    lines = [embed.title, embed.description, *(f"{field.name}: {field.value}" for field in embed.fields)]
    return readable("\n".join(line for line in lines if line), 0, {}, {}, {})


def _joined(texts: Sequence[str]) -> str:
    return "\n\n".join(text for text in map(str.strip, texts) if text)


def _own_name(message: discord.Message, me: int) -> str:
    """What the bot is called where a message is."""
    found = next((user.display_name for user in message.mentions if user.id == me), None)
    if found is None and message.guild is not None and message.guild.me is not None:
        found = message.guild.me.display_name
    return label(found or "") or "bot"
