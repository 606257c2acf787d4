"""Tells a model's thinking from its answer while both stream in.

Reasoning models think before they answer. Many servers send the thoughts as a field of their own; others leave them
in the text, between tags (`<think>`, `[THINK]`), in gpt-oss's channels, or before a closing tag alone, because the
chat template wrote the opening one. An answer that only talks about such a tag, in a sentence or in code, stays.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum

from bot.engine.code import CodeContext

# What opens a thought, and what closes it again.
_PAIRS: tuple[tuple[str, str], ...] = (
    *(
        (rf"<\s?{name}\s?>", rf"<\s?/\s?{name}\s?>")
        for name in (
            r"(?:\w+:)?think(?:ing)?",
            r"thoughts?",
            r"thought_process",
            r"thinking_process",
            r"ant_?thinking",
            r"analysis",
            r"reason(?:ing)?",
            r"cot",
            r"reflect(?:ion)?",
            r"scratchpad",
            r"inner_(?:monologue|thoughts?)",
        )
    ),
    (r"\[THINK\]", r"\[/THINK\]"),
    (r"◁think▷", r"◁/think▷"),
    (r"<\|START_THINKING\|>", r"<\|END_THINKING\|>"),
    (r"<\|begin_of_thought\|>", r"<\|end_of_thought\|>"),
    (
        r"<\|(?:begin_of_)?think(?:ing)?\|>",
        r"<\|(?:/|end_of_)think(?:ing)?\|>|<\|end\|>\s?<\|begin\|>\s?assistant\s?<\|content\|>",
    ),
    (r"<\|thought\|>", r"<\|/thought\|>|<\|answer\|>"),
    (r"<\|reasoning_start\|>", r"<\|reasoning_end\|>"),
    # The thought as a turn of its own: `<|im_start|>think ... <|im_start|>answer`.
    (r"<\|im_start\|>\s?(?:assistant/)?think(?:ing)?\b", r"<\|im_start\|>\s?(?:answer|assistant)\b(?!/)"),
    (r"<\|inner_prefix\|>", r"<\|inner_suffix\|>"),
    (r"<unused94>(?:thought)?", r"<unused95>"),
    (r"<\|channel>\s?(?:thought|analysis)?", r"<channel\|>"),
)
_OPENS = re.compile("|".join(f"({opens})" for opens, _ in _PAIRS), re.IGNORECASE)
# Where one of these stands alone, a thought may have come before it; the beginning of a turn says nothing of that.
_CLOSES = re.compile("|".join(closes for _, closes in _PAIRS if "im_start" not in closes), re.IGNORECASE)
# gpt-oss: `<|start|>assistant<|channel|>analysis<|message|>...<|end|>`, and the answer in the channel `final`.
_CHANNEL = re.compile(
    r"(?:<\|start\|>\s?[\w.]*)?<\|channel\|>\s?(\w*)[^<]{0,80}(?:<\|constrain\|>[^<]{0,40})?<\|message\|>"
)
_CHANNEL_BEGINS = re.compile(r"<\|(?:start|channel)\|>")
_CHANNEL_ENDS = re.compile(r"<\|(?:end|return|call)\|>|(?=<\|(?:start|channel)\|>)")
_HEADER = 220  # a channel's header is never longer
# Words that begin a thought if the second ones follow: gpt-oss's channels without control tokens, which some servers
# leave out (`analysisThe user ...assistantfinalIt is 5.`), and Granite's.
_BARE = {
    "analysis": "assistantfinal",
    "assistantanalysis": "assistantfinal",
    "Here is my thought process:": "Here is my response:",
}
# What some models put around the answer that follows a thought.
_WRAP = re.compile(
    r"<(?:answer|response|output|final_answer)>|<\|(?:START_RESPONSE|begin_of_solution)\|>", re.IGNORECASE
)
_UNWRAP = re.compile(
    r"</(?:answer|response|output|final_answer)>|<\|(?:END_RESPONSE|end_of_solution)\|>", re.IGNORECASE
)
_MARK = re.compile(
    f"{_OPENS.pattern}|(?P<closes>{_CLOSES.pattern})|(?P<channel>{_CHANNEL_BEGINS.pattern})", re.IGNORECASE
)
_LONGEST = 40  # characters of the longest tag
_FIRST = "<[◁"
_ENDS_A_SENTENCE = ".!?:…。！？：\"'”’)]}*>"


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
    BARE = 6  # after words that other words must confirm (`_BARE`)


Piece = tuple[Kind, str]


class Thinking:
    """Divides one answer. `feed` takes the text as it comes; `end` says what the rest was."""

    def __init__(self, habits: Habits) -> None:
        self._habits = habits
        self._state = _State.INSIDE if habits.unknown or habits.inside else _State.START
        self._rest = ""
        self._scanned = 0  # how much of `_rest` was searched, in the states that keep all of it
        self._kept: list[str] = []  # what was searched and is kept, when the answer may have begun inside a thought
        self._closer = _CLOSES
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
        if self._thought and (wrapped := _WRAP.match(text)):
            self._wrapped, self._rest = True, text[wrapped.end() :]
            return True
        if self._thought and (closes := _CLOSES.match(text)):  # a closing tag too many
            self._rest = text[closes.end() :]
            return True
        if not self._thought and text.startswith(tuple(_BARE)):
            self._state, self._rest = _State.BARE, text
            return True
        if not last and (_may_begin_tag(text) or any(words.startswith(text) for words in _BARE)):
            return False
        if self._thought:
            self._rest = text
        self._state = _State.SAID
        return True

    def _opened(self, text: str) -> bool:
        """Whether an opening tag stands at the beginning; a channel's header counts."""
        if channel := _CHANNEL.match(text):
            self._habits.unknown = self._habits.inside = False
            self._rest = text[channel.end() :]
            final = channel[1].lower() in ("final", "")
            self._state, self._thought = (_State.START if final else _State.CHANNEL), True
            return True
        if opens := _OPENS.match(text):
            if opens.lastindex is None or _may_go_on(text, opens.end()):
                return False
            self._closer = re.compile(_PAIRS[opens.lastindex - 1][1], re.IGNORECASE)
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
        if found := _CHANNEL_ENDS.search(self._rest):
            self._think(self._rest[: found.start()])
            self._rest, self._state = self._rest[found.end() :], _State.START
            return True
        self._think(self._take(last))
        return False

    def _perhaps(self, last: bool) -> bool:
        text, opening = self._rest, _OPENS.match(self._rest)
        after = opening.end() if opening else 1
        found = _CLOSES.search(text, max(after, self._scanned - _LONGEST))
        self._scanned = len(text)
        if found is None or (len(text) - found.end() < 2 and not last):
            return False
        own_line = text[after:].lstrip(" \t").startswith("\n")
        if own_line or _stands_alone(text[: found.start()], text[found.end() :]):
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
            if not last and _may_begin_tag(text.lstrip()):
                return False
        for found in _CLOSES.finditer(text):
            if len(text) - found.end() < 2 and not last:
                return False
            if self._closed("".join(self._kept) + text[: found.start()], text[found.end() :]):
                return True
        at = len(text) if last else max(0, len(text) - _LONGEST)
        self._kept.append(text[:at])
        self._rest = text[at:]
        return False

    def _closed(self, before: str, after: str) -> bool:
        """Whether a closing tag ends the thought that an answer began with."""
        code = CodeContext()
        code.feed(before)
        if code.quotes or not (self._habits.inside or (_confirms(before, after) and not _OPENS.search(before))):
            return False
        self._habits.unknown, self._habits.inside = False, bool(before.strip())
        self._think(before)
        self._kept, self._rest, self._state = [], after, _State.START
        return True

    def _bare(self, last: bool) -> bool:
        del last
        begins = next(words for words in _BARE if self._rest.startswith(words))
        if (at := self._rest.find(_BARE[begins])) < 0:
            return False
        self._think(self._rest[len(begins) : at])
        self._rest, self._state = self._rest[at + len(_BARE[begins]) :], _State.START
        return True

    def _said(self, last: bool) -> bool:
        mark = _UNWRAP.search(self._rest) if self._wrapped else None
        found = _MARK.search(self._rest)
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
        if not last and len(self._rest) < _HEADER and not self._code.quotes:
            return False
        self._say_first(end)
        return True

    def _close_in_answer(self, end: int) -> None:
        alone = not self._code.quotes and not self._mentioned
        alone = alone and _confirms(self._code.last_line, self._rest[end:])
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
        at = len(self._rest) if last else _safe(self._rest)
        taken, self._rest = self._rest[:at], self._rest[at:]
        return taken


def _safe(text: str) -> int:
    """How many characters of a text cannot be a part of a tag that is not complete."""
    tail = max(0, len(text) - _LONGEST)
    for at in range(tail, len(text)):
        if text[at] in _FIRST and _may_begin_tag(text[at:]):
            return at
    return len(text)


_TAG_SO_FAR = re.compile(r"<[|/<>\s\w:]*|\[/?[A-Z]*|◁/?[a-z]*")


def _may_begin_tag(text: str) -> bool:
    """Whether a text, which ends here for now, may become a tag."""
    if _CHANNEL_BEGINS.match(text) and len(text) < _HEADER:
        return True
    return len(text) < _LONGEST and _TAG_SO_FAR.fullmatch(text) is not None


def _may_go_on(text: str, end: int) -> bool:
    """Whether an opening tag that is optional at its end may still grow (`<|channel>thou`)."""
    return text[:end].lower().startswith(("<|channel>", "<unused94>")) and "thought".startswith(text[end:].lower())


def _confirms(before: str, after: str) -> bool:
    """Whether a closing tag alone ends a thought, and is not a word of a sentence."""
    return _stands_alone(before, after) or (bool(before.strip()) and after[:1].isupper())


def _stands_alone(before: str, after: str) -> bool:
    line = before.rpartition("\n")[2].rstrip(" \t")
    if not line:
        return True
    if line[-1] in "`'\"" and after[:1] == line[-1]:
        return False
    if after.startswith(("\n\n", "\r\n\r\n")):
        return True
    follows = after.lstrip(" \t")[:1]
    return line[-1] in _ENDS_A_SENTENCE and (
        follows in ("", "\n") or follows.isupper() or follows.isdigit() or not follows.isascii()
    )
