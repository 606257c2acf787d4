"""How an answer looks on Discord: pure functions from text to messages of at most 2,000 characters."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

LIMIT = 2000
_FENCE = "```"
_CLOSE = f"\n{_FENCE}"
_OPENING = re.compile(r"```([\w+#.-]{0,20})\n")
# Where a text may be divided, best first: paragraphs, items of a list (not those within an item: Discord drops the
# spaces at the beginning of a message), lines, sentences, words.
_BREAKS = tuple(
    map(re.compile, (r"\n\s*\n(?! )", r"\n(?=(?:[-*+]|\d+[.)]) )", r"\n", r"(?<=[.!?…])\s|(?<=[。！？；])", r"\s"))
)


@dataclass(frozen=True)
class MessagePart:
    """One message of an answer. `buttons` names the buttons below it: "stop", "rate" ..., or "" for none."""

    content: str
    buttons: str = ""


def split(text: str, limit: int = LIMIT) -> list[str]:
    """The text in parts of at most `limit` characters (at least 64), divided at paragraphs, sentences or words.

    A code block that is divided is closed and opened again; one that is still open at the end is closed. When a text
    grows, only its last part changes, so a growing answer never rewrites the parts before.
    """
    parts: list[str] = []
    rest, fence = text.strip(), ""
    while rest:
        room = limit - len(fence) - len(_CLOSE)
        cut = len(rest) if len(rest) <= room else _cut(rest[:room])
        piece, rest = rest[:cut], rest[cut:]
        after = _open_fence(fence + piece)
        body = piece.rstrip() if rest or not after else piece
        if body.strip():
            parts.append(f"{fence}{body}{_CLOSE if after else ''}")
        fence = after
        rest = rest.lstrip("\n") if fence else rest.lstrip()
    return parts


def _cut(window: str) -> int:
    """Where to divide: after the last good break in the window's second half, or at its end."""
    for pattern in _BREAKS:
        ends = [match.end() for match in pattern.finditer(window) if match.end() > len(window) // 2]
        if ends:
            return ends[-1]
    end = len(window)
    while end > 1 and window[end - 1] == "`":  # never through the middle of a fence
        end -= 1
    return end


def _open_fence(text: str) -> str:
    """The line that opened the code block in which the text ends, with its line end; "" outside of one."""
    marks = [match.start() for match in re.finditer(_FENCE, text)]
    if len(marks) % 2 == 0:
        return ""
    opening = _OPENING.match(text, marks[-1])
    return f"{_FENCE}{opening[1] if opening else ''}\n"


def parts(text: str, buttons: str = "", note: str | None = None) -> list[MessagePart]:
    """The messages that show an answer; the last one has the buttons, and the note in small print below its text."""
    contents = split(text)
    if note:
        small = "\n".join(f"-# {line}" for line in note[:300].splitlines())
        if contents and len(contents[-1]) + len(small) + 1 <= LIMIT:
            contents[-1] += f"\n{small}"
        else:
            contents.append(small)
    return [
        MessagePart(content, buttons if number == len(contents) else "") for number, content in enumerate(contents, 1)
    ]


def next_change(shown: Sequence[MessagePart], wanted: Sequence[MessagePart]) -> int | None:
    """The index of the first message that must be sent or edited; None when everything wanted is shown."""
    for index, part in enumerate(wanted):
        if index >= len(shown) or shown[index] != part:
            return index
    return None


def readable(
    content: str,
    me: int,
    users: Mapping[int, str],
    roles: Mapping[int, str],
    channels: Mapping[int, str],
) -> str:
    """What a person wrote, without the bot's own mention, and with names instead of ids, which are personal data."""
    content = re.sub(rf" *<@!?{me}> *", " ", content)
    content = re.sub(r"<@!?(\d+)>", lambda m: f"@{users.get(int(m[1]), 'someone')}", content)
    content = re.sub(r"<@&(\d+)>", lambda m: f"@{roles.get(int(m[1]), 'role')}", content)
    content = re.sub(r"<#(\d+)>", lambda m: f"#{channels.get(int(m[1]), 'channel')}", content)
    return re.sub(r"<a?(:\w+:)\d+>", r"\1", content).strip()
