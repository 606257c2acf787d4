"""How an answer looks on Discord: pure functions from text to messages of at most 2,000 characters."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from bot.discord.markup import LONGEST_CLOSING, Markup, open_at_end

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

LIMIT = 2000
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


class GrowingText:
    """A text in parts of at most `limit` characters (at least 64), while it grows.

    It is divided at paragraphs, sentences or words. Markup that is divided is closed and opened again; what is still
    open at the end is closed. Parts that are followed by another one never change, and are not looked at again: the
    work for a text is linear in its length, however small its pieces are.
    """

    def __init__(self, limit: int = LIMIT) -> None:
        self._limit = limit
        self._finished: list[str] = []
        self._open = Markup()  # the markup that is open where the last part begins
        self._rest = ""  # the text of the last part, without white space at its end
        self._space: list[str] = []  # white space that belongs to the text if more follows

    def add(self, piece: str) -> None:
        """Add the next piece of the text."""
        text = piece.rstrip()
        space = piece[len(text) :]
        if text:
            whole = "".join((self._rest, *self._space, text))
            self._space = []
            self._divide(whole if self._rest else whole.lstrip())
        if space and self._rest:
            self._space.append(space)

    def __bool__(self) -> bool:
        return bool(self._rest or self._finished)

    @property
    def parts(self) -> list[str]:
        """The parts of the text so far."""
        if not self._rest:
            return list(self._finished)
        last = self._open.opening + self._rest
        return [*self._finished, last + open_at_end(last, len(self._open.opening)).closing]

    def _divide(self, rest: str) -> None:
        """Cut parts off the beginning of `rest` until what is left fits into one."""
        at = 0
        while self._too_long(rest, at):
            room = self._limit - len(self._open.opening) - LONGEST_CLOSING
            piece, after = _first_part(self._open.opening, rest[at : at + room])
            if piece.strip():
                self._finished.append(f"{self._open.opening}{piece.rstrip()}{after.closing}")
            start, at = at, at + len(piece)
            while at < len(rest) and (rest[at] == "\n" or (after.fence is None and rest[at].isspace())):
                at += 1
            self._open = open_at_end(self._open.opening + rest[start:at])
        self._rest = rest[at:]

    def _too_long(self, rest: str, at: int) -> bool:
        """Whether what follows `at` is more than the last part holds. It stays so, whatever is added."""
        length = len(self._open.opening) + len(rest) - at
        if length <= self._limit - LONGEST_CLOSING:
            return False
        head = rest[at : at + self._limit]
        return length > self._limit or bool(self._open.opening) or "`" in head or "||" in head


def _first_part(opening: str, window: str) -> tuple[str, Markup]:
    """What of a window goes into a message that begins with `opening`, and the markup that is open at its end."""
    piece = window[: _cut(window)]
    after = open_at_end(opening + piece)
    # Not just after the beginning of a code block or a spoiler, and not within inline code if that is short.
    while after.began is not None and after.began - len(opening) > len(window) // 2:
        piece = piece[: after.began - len(opening)]
        after = open_at_end(opening + piece)
    return piece, after


def split(text: str, limit: int = LIMIT) -> list[str]:
    """The parts of a whole text; see `GrowingText`."""
    growing = GrowingText(limit)
    growing.add(text)
    return growing.parts


def _cut(window: str) -> int:
    """Where to divide: after the last good break in the window's second half, or at its end."""
    for pattern in _BREAKS:
        ends = [match.end() for match in pattern.finditer(window) if match.end() > len(window) // 2]
        if ends:
            return ends[-1]
    end = len(window)
    while end > 1 and window[end - 1] in "`|":  # never through the middle of what opens or closes something
        end -= 1
    return end


def parts(text: str, buttons: str = "", note: str | None = None) -> list[MessagePart]:
    """The messages that show an answer; the last one has the buttons, and the note in small print below its text."""
    return messages(split(text), buttons, note)


def messages(contents: list[str], buttons: str = "", note: str | None = None) -> list[MessagePart]:
    """The messages that show the parts of an answer; see `parts`."""
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
    *,
    own_roles: Sequence[int] = (),
    name: str = "",
) -> str:
    """What a person wrote, with names instead of ids, which are personal data.

    A mention of the bot, or of one of its `own_roles`, goes where it only addresses the bot; within a sentence the
    bot's `name` stands in its place.
    """
    mention = "|".join((rf"<@!?{me}>", *(f"<@&{role}>" for role in own_roles)))
    content = _unaddressed(content, mention, name)
    content = re.sub(r"<@!?(\d+)>", lambda m: f"@{users.get(int(m[1]), 'someone')}", content)
    content = re.sub(r"<@&(\d+)>", lambda m: f"@{roles.get(int(m[1]), 'role')}", content)
    content = re.sub(r"<#(\d+)>", lambda m: f"#{channels.get(int(m[1]), 'channel')}", content)
    return re.sub(r"<a?(:\w+:)\d+>", r"\1", content).strip()


def _unaddressed(content: str, mention: str, name: str) -> str:
    # At the beginning, with the comma or colon after it; not in "@Parley's". A colon may also begin an emoji.
    first = re.compile(rf"\s*(?:{mention})(?![-'’的?!.？！。…])(?:[:：;；](?!\w+:)|\s*[,，、])?\s*")
    while found := first.match(content):
        content = content[found.end() :]
    # Alone on a line, or after the last sentence.
    content = re.sub(rf"(?m)^[ \t]*(?:{mention})[ \t]*(?:\n|\Z)", "", content)
    content = re.sub(rf"(?<=[.!?…。！？])\s*(?:{mention})\s*\Z", "", content)
    if not name:
        return re.sub(rf" *(?:{mention}) *", " ", content)
    return re.sub(rf"(?P<before>\w?)(?:{mention})(?P<after>\w?)", partial(_named, name), content)


def _named(name: str, found: re.Match[str]) -> str:
    before, after = found["before"], found["after"]
    return f"{before}{' ' if before else ''}@{name}{' ' if after else ''}{after}"
