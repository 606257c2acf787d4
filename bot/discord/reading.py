"""What a person wrote in a message, as the model reads it: the text, and the text files that came with it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import discord

from bot.discord.addressed import own_roles
from bot.discord.render import readable
from bot.display_names import label

if TYPE_CHECKING:
    from collections.abc import Sequence

LARGEST = 64 * 1024  # bytes of all the files of a message
_TYPES = ("application/json", "application/xml", "application/x-yaml", "application/toml", "application/x-sh")
# Text files that Discord does not always call text.
_NAMES = re.compile(
    r"\.(c|cfg|conf|cpp|cs|css|csv|diff|go|h|hpp|html|ini|java|js|json|jsonl|kt|log|lua|md|patch|php|py|rb|rs|rst|sh|sql"
    r"|srt|swift|tex|toml|ts|tsv|txt|xml|ya?ml)$",
    re.IGNORECASE,
)


class Unreadable(Exception):
    """A file with a message is gone or is not text; `str` is its name."""


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


async def whole_text(message: discord.Message, me: int) -> str:
    """Everything that a person wrote, files included. Raises `Unreadable` for a file that cannot be read."""
    texts = [text_of(message, me)]
    for file in sorted_out(message.attachments)[0]:
        try:
            content = (await file.read()).decode("utf-8-sig")
        except (discord.HTTPException, UnicodeDecodeError):
            raise Unreadable(file.filename) from None
        texts.append(f"[{file.filename}]\n{content}")
    return "\n\n".join(text for text in map(str.strip, texts) if text)


def _own_name(message: discord.Message, me: int) -> str:
    """What the bot is called where a message is."""
    found = next((user.display_name for user in message.mentions if user.id == me), None)
    if found is None and message.guild is not None and message.guild.me is not None:
        found = message.guild.me.display_name
    return label(found or "") or "bot"


def text_of(message: discord.Message, me: int) -> str:
    """What a person typed. Mentioned people did not say anything, so neither their ids nor their names are kept."""
    others = dict.fromkeys(user.id for user in message.mentions if user.id != me)
    mine = own_roles(message, me)
    return readable(
        message.content,
        me,
        users={user: "someone" + (f" {number}" if number > 1 else "") for number, user in enumerate(others, 1)},
        roles={role.id: role.name for role in message.role_mentions},
        channels={channel.id: getattr(channel, "name", "channel") for channel in message.channel_mentions},
        own_roles=mine,
        name=_own_name(message, me) if mine or any(user.id == me for user in message.mentions) else "",
    )
