"""Tells a model's thinking from its answer while both stream in.

Reasoning models think before they answer. Many servers send the thoughts as a field of their own; others leave them
in the text, between tags (`<think>`, `[THINK]`), in gpt-oss's channels, or before a closing tag alone, because the
chat template wrote the opening one. An answer that only talks about such a tag, in a sentence or in code, stays.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum

from bot.engine import tags
from bot.engine.code import CodeContext


class Kind(Enum):
    """What a piece of the text is."""

    SAID = "said"
    THOUGHT = "thought"
    TAKEN_BACK = "taken back"  # everything that came as said before was a thought; the piece has no text


@dataclass
class Habits:
    """What is known about how a model thinks, for as long as the process runs.

    `unknown` says that a closing tag alone may still come: until the first answer has shown whether it does, text is
    held back. `inside` says that the model begins inside a thought.
    """

    unknown: bool = False
    inside: bool = False


class _State(Enum):
    START = 0  # nothing said yet
    SAID = 1
    THOUGHT = 2  # between tags, for certain
    CHANNEL = 3  # in one of gpt-oss's channels that is not the answer's
    PERHAPS = 4  # after an opening tag in the middle of an answer, which a closing one must confirm
    INSIDE = 5  # from the beginning, and a closing tag must confirm it
    BARE = 6  # after words that other words must confirm (`tags.BARE`)


Piece = tuple[Kind, str]


class Thinking:
    """Divides one answer. `feed` takes the text as it comes; `end` says what the rest was."""

    def __init__(self, habits: Habits) -> None:
        self._habits = habits
        self._state = _State.INSIDE if habits.unknown or habits.inside else _State.START
        self._rest = ""
        self._scanned = 0  # how much of `_rest` was searched, in the states that keep all of it
        self._kept: list[str] = []  # what was searched and is kept, when the answer may have begun inside a thought
        self._closer = tags.CLOSES
        self._code = CodeContext()
        self._mentioned = False  # an opening tag was a word of the answer, so a closing one is, too
        self._thought = False
        self._wrapped = False
        self._any = False  # something was said
        self._out: list[Piece] = []

    def feed(self, text: str) -> list[Piece]:
        """The pieces that are certain now."""
        self._rest += text
        return self._run(last=False)

    def separate(self) -> None:
        """The server sent thoughts apart from the answer: then no closing tag comes alone."""
        self._thought = True
        self._habits.unknown = self._habits.inside = False
        if self._state is _State.INSIDE:
            self._state, self._rest, self._kept = _State.START, "".join(self._kept) + self._rest, []

    def end(self, *, cut: bool) -> list[Piece]:
        """The last pieces; `cut` says that the answer was cut off by its limit."""
        pieces = self._run(last=True)
        rest, self._rest = self._rest, ""
        if self._state is _State.PERHAPS:
            pieces.append((Kind.THOUGHT if cut and re.match(r"\S+[ \t]*\n", rest) else Kind.SAID, rest))
        elif self._state is _State.INSIDE:
            pieces += self._unconfirmed("".join(self._kept) + rest, cut=cut)
        elif self._state is _State.BARE:
            pieces.append((Kind.SAID, rest))
        return [piece for piece in pieces if piece[1] or piece[0] is Kind.TAKEN_BACK]

    def _unconfirmed(self, text: str, *, cut: bool) -> list[Piece]:
        """What was held back to the end because a closing tag might have come."""
        if self._habits.inside and cut:
            return [(Kind.THOUGHT, text)]
        if text.strip():
            self._habits.unknown = False
        again = Thinking(Habits())  # it is an ordinary answer, which may still hold tags in the middle
        return [*again.feed(text), *again.end(cut=cut)]

    # -- the states; each takes what it can from `_rest` and says whether it got further

    def _run(self, *, last: bool) -> list[Piece]:
        steps = {
            _State.START: self._start,
            _State.SAID: self._said,
            _State.THOUGHT: self._in_thought,
            _State.CHANNEL: self._in_channel,
            _State.PERHAPS: self._perhaps,
            _State.INSIDE: self._inside,
            _State.BARE: self._bare,
        }
        while steps[self._state](last):
            pass
        out, self._out = self._out, []
        return out

    def _start(self, last: bool) -> bool:
        text = self._rest.lstrip()
        if not text:
            if self._thought:
                self._rest = ""
            return False
        if self._opened(text):
            return True
        if self._thought and (wrapped := tags.WRAP.match(text)):
            self._wrapped, self._rest = True, text[wrapped.end() :]
            return True
        if self._thought and (closes := tags.CLOSES.match(text)):  # a closing tag too many
            self._rest = text[closes.end() :]
            return True
        if not self._thought and text.startswith(tuple(tags.BARE)):
            self._state, self._rest = _State.BARE, text
            return True
        if not last and (tags.may_begin_tag(text) or any(words.startswith(text) for words in tags.BARE)):
            return False
        if self._thought:
            self._rest = text
        self._state = _State.SAID
        return True

    def _opened(self, text: str) -> bool:
        """Whether an opening tag stands at the beginning; a channel's header counts."""
        if channel := tags.CHANNEL.match(text):
            self._habits.unknown = self._habits.inside = False
            self._rest = text[channel.end() :]
            final = channel[1].lower() in ("final", "")
            self._state, self._thought = (_State.START if final else _State.CHANNEL), True
            return True
        if opens := tags.OPENS.match(text):
            if opens.lastindex is None or tags.may_go_on(text, opens.end()):
                return False
            self._closer = re.compile(tags.PAIRS[opens.lastindex - 1][1], re.IGNORECASE)
            self._habits.unknown = self._habits.inside = False
            self._rest, self._state = text[opens.end() :], _State.THOUGHT
            return True
        return False

    def _in_thought(self, last: bool) -> bool:
        for found in self._closer.finditer(self._rest):
            if self._rest[: found.start()].endswith("`"):
                after = self._rest[found.end() :]
                if not after and not last:
                    return False
                if after.startswith("`"):
                    continue  # the thought talks about the tag
            self._think(self._rest[: found.start()])
            self._rest = self._rest[found.end() :]
            self._state, self._code = _State.START, CodeContext()
            return True
        self._think(self._take(last))
        return False

    def _in_channel(self, last: bool) -> bool:
        if found := tags.CHANNEL_ENDS.search(self._rest):
            self._think(self._rest[: found.start()])
            self._rest, self._state = self._rest[found.end() :], _State.START
            return True
        self._think(self._take(last))
        return False

    def _perhaps(self, last: bool) -> bool:
        text, opening = self._rest, tags.OPENS.match(self._rest)
        after = opening.end() if opening else 1
        found = tags.CLOSES.search(text, max(after, self._scanned - tags.LONGEST))
        self._scanned = len(text)
        if found is None or (len(text) - found.end() < 2 and not last):
            return False
        own_line = text[after:].lstrip(" \t").startswith("\n")
        if own_line or tags.stands_alone(text[: found.start()], text[found.end() :]):
            self._think(text[after : found.start()])
            self._rest = text[found.end() :].lstrip()
        else:  # a sentence about the two tags
            self._mentioned = True
            self._say_first(found.end())
        self._state = _State.SAID
        return True

    def _inside(self, last: bool) -> bool:
        text = self._rest
        if not self._kept:  # a tag at the beginning says at once how this model thinks
            if self._opened(text.lstrip()):
                return True
            if not last and tags.may_begin_tag(text.lstrip()):
                return False
        for found in tags.CLOSES.finditer(text):
            if len(text) - found.end() < 2 and not last:
                return False
            if self._closed("".join(self._kept) + text[: found.start()], text[found.end() :]):
                return True
        at = len(text) if last else max(0, len(text) - tags.LONGEST)
        self._kept.append(text[:at])
        self._rest = text[at:]
        return False

    def _closed(self, before: str, after: str) -> bool:
        """Whether a closing tag ends the thought that an answer began with."""
        code = CodeContext()
        code.feed(before)
        if code.quotes or not (
            self._habits.inside or (tags.confirms(before, after) and not tags.OPENS.search(before))
        ):
            return False
        self._habits.unknown, self._habits.inside = False, bool(before.strip())
        self._think(before)
        self._kept, self._rest, self._state = [], after, _State.START
        return True

    def _bare(self, last: bool) -> bool:
        del last
        begins = next(words for words in tags.BARE if self._rest.startswith(words))
        found = [(at, ends) for ends in tags.BARE[begins] if (at := self._rest.find(ends, len(begins))) >= 0]
        if not found:
            return False
        at, ends = min(found)
        self._think(self._rest[len(begins) : at])
        self._rest, self._state = self._rest[at + len(ends) :], _State.START
        return True

    def _said(self, last: bool) -> bool:
        mark = tags.UNWRAP.search(self._rest) if self._wrapped else None
        found = tags.MARK.search(self._rest)
        if mark and (found is None or mark.start() < found.start()):
            self._say(self._rest[: mark.start()].rstrip())
            self._rest, self._wrapped = self._rest[mark.end() :], False
            return True
        if found is None:
            self._say(self._take(last))
            return False
        self._say(self._rest[: found.start()])
        self._rest = self._rest[found.start() :]
        end = found.end() - found.start()
        if not last and len(self._rest) - end < 2:
            return False
        if found["channel"]:
            return self._channel_in_answer(end, last=last)
        if found["closes"]:
            self._close_in_answer(end)
        elif self._code.line_begins and not self._code.quotes:
            self._state, self._scanned = _State.PERHAPS, 0
        else:
            self._mentioned = True
            self._say_first(end)
        return True

    def _channel_in_answer(self, end: int, *, last: bool) -> bool:
        if not self._code.quotes and self._opened(self._rest):
            return True
        if not last and len(self._rest) < tags.HEADER and not self._code.quotes:
            return False
        self._say_first(end)
        return True

    def _close_in_answer(self, end: int) -> None:
        alone = not self._code.quotes and not self._mentioned
        alone = alone and tags.confirms(self._code.last_line, self._rest[end:])
        if not alone:
            self._say_first(end)
            return
        self._out = [(Kind.THOUGHT, text) for _, text in self._out]
        self._out.append((Kind.TAKEN_BACK, ""))
        self._habits.unknown, self._habits.inside = False, self._any and not self._thought
        self._thought, self._any = True, False
        self._rest, self._state, self._code = self._rest[end:], _State.START, CodeContext()

    # -- pieces

    def _say_first(self, characters: int) -> None:
        self._say(self._rest[:characters])
        self._rest = self._rest[characters:]

    def _say(self, text: str) -> None:
        if text:
            self._code.feed(text)
            self._any = True
            self._out.append((Kind.SAID, text))

    def _think(self, text: str) -> None:
        self._thought = True
        if text:
            self._out.append((Kind.THOUGHT, text))

    def _take(self, last: bool) -> str:
        """What of the rest cannot be the beginning of a tag."""
        at = len(self._rest) if last else tags.safe(self._rest)
        taken, self._rest = self._rest[:at], self._rest[at:]
        return taken
