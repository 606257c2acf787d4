"""Ends an answer where the model's turn ends: at a control token, a stop string, or where it invents a person's turn.

Some servers leave control tokens in the text, and a base model without a chat template goes on with the next question
by itself. What comes after that is not part of the answer. An answer that explains a token in a sentence or in code,
or that is a dialogue because somebody asked for one, stays as it is.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from bot.engine.code import CodeContext

if TYPE_CHECKING:
    from collections.abc import Sequence

# Control tokens in the forms of all families, so that no tokenizer has to be known.
_CONTROL = (
    r"<\|/?[\w.▁-]{1,40}\|>|<｜[^｜<>\n]{1,40}｜>|<(?:start|end)_of_turn>|<\|turn>|<turn\|>|<[eb]os>|"
    r"<end_of_utterance>|"
    r"\[\|\w{1,20}\|\]|\[/?INST\]|<</?SYS>>|</s>"
)
# Those that begin a turn, with the role that follows.
_HEADER = re.compile(
    r"(?:<s>|<bos>|<\|begin_of_text\|>|<｜begin▁of▁sentence｜>)?\s*"
    r"(?:<\|im_start\|>|<\|start_header_id\|>|<start_of_turn>|<\|turn>|<\|start\|>|<\|begin\|>|<\|start_of_role\|>)"
    r"\s*(?:assistant|model|bot)(?![\w])\s*(?:<\|end_header_id\|>|<\|end_of_role\|>|<\|message\|>|<\|content\|>|<\|im_sep\|>)?\s*"
    r"|<\|end_header_id\|>|<\|end_of_role\|>|<\|message\|>|<\|im_sep\|>"
    r"|<s>|<bos>|<\|begin_of_text\|>|<\|assistant\|>|<｜Assistant｜>|<｜begin▁of▁sentence｜>|\[/INST\]",
    re.IGNORECASE,
)
_HEADER_SO_FAR = re.compile(
    r"\s*<(?:\|im_start\||\|start_header_id\||start_of_turn|\|turn|\|start\||\|begin\||\|start_of_role\|)>?\s*[a-z]{0,9}\s*(?:<\|?\w*)?",
    re.IGNORECASE,
)
# How a template writes that a person speaks: `user:`, `### Human:`, `**User:**`.
_PERSON = r"(?:\#{1,4}\s?|\*\*)?(?:user|human|instruction|用户|问)(?:\*\*)?\s?[:：]"
_ANY_ROLE = re.compile(
    r"\s*(?:\#{1,4}\s?|\*\*)?(?:user|human|person|assistant|bot|ai|instruction|用户|助手)\b", re.IGNORECASE
)
_MARK = re.compile(rf"(?P<token>{_CONTROL})|(?P<person>\n[ \t]*{_PERSON})", re.IGNORECASE)
_PERSON_SO_FAR = re.compile(
    r"\n[ \t]*(?:\#{0,4}\s?|\*{1,2})(?:u(?:s(?:er?)?)?|h(?:u(?:m(?:an?)?)?)?|i(?:n[a-z]{0,9})?|用户?|问)?"
    r"(?:\*{0,2})\s?",
    re.IGNORECASE,
)
_TOKEN_SO_FAR = re.compile(r"<(?:[|｜/]?[\w.▁|｜<-]*)|\[[|/]?\w*\|?")
_LONGEST = 48
_NAME_AND_VALUE = re.compile(r"[\s>*-]*[\w .()/-]{1,30}[:：]")


_ENDS = re.compile(r"end|eot|eos|stop|</s>|user|human|system|tool|start|turn|inst|sys>", re.IGNORECASE)


def _opens_something(mark: str) -> bool:
    """Whether a control token before the first word cannot end a turn, nor begin somebody else's."""
    return mark[0] in "<[" and _ENDS.search(mark) is None


class Turns:
    """Passes an answer on up to where it ends. `over` is set when that was before the stream's end."""

    def __init__(self, stops: Sequence[str] = ()) -> None:
        self.over = False
        self._stops = [stop for stop in stops if stop]
        self._rest = ""
        self._code = CodeContext()
        self._said = False
        self._any = False  # words of the answer were passed on
        self._headed = False
        self._script = False  # the answer begins with a speaker, so it is a dialogue

    def feed(self, text: str) -> str:
        """What of the answer is certain now."""
        if self.over:
            return ""
        self._rest += text
        return self._run(last=False)

    def end(self) -> str:
        """The rest of the answer."""
        return "" if self.over else self._run(last=True)

    def _run(self, *, last: bool) -> str:
        out: list[str] = []
        if not self._said and not self._begin(last=last):
            return ""
        while not self.over:
            stop = self._next_stop()
            mark = _MARK.search(self._rest)
            if mark is None or stop < mark.start():
                taken = self._rest[:stop] if stop < len(self._rest) else self._take(last)
                self.over = stop < len(self._rest) and bool(self._stops) and self._at_stop(stop)
                out.append(self._say(taken))
                break
            out.append(self._say(self._rest[: mark.start()]))
            self._rest = self._rest[mark.start() :]
            token = mark.end() - mark.start()
            if not last and not self._rest[token:].strip():
                break  # what follows decides
            if not self._any and _opens_something(self._rest[:token]):
                self._rest = self._rest[token:].lstrip()
                continue
            if self._ends(self._rest[:token], self._rest[token:], person=mark["person"] is not None):
                self.over = True
                break
            out.append(self._say(self._rest[:token]))
            self._rest = self._rest[token:]
        return "".join(out)

    def _begin(self, *, last: bool) -> bool:
        """Takes off what a template puts before an answer; returns whether the answer has begun."""
        while header := _HEADER.match(self._rest.lstrip()):
            self._headed, self._rest = True, self._rest.lstrip()[header.end() :]
        text = self._rest.lstrip()
        if self._headed:
            self._rest = text
        if not text and not last:
            return False
        if not last and len(text) < _LONGEST and (_TOKEN_SO_FAR.fullmatch(text) or _HEADER_SO_FAR.fullmatch(text)):
            return False
        self._script = _ANY_ROLE.match(text) is not None
        self._said = bool(text)
        return True

    def _ends(self, mark: str, after: str, *, person: bool) -> bool:
        if person:
            return self._invented(mark)
        if not after.strip():
            return not self._code.last_line.endswith("`")
        if self._code.quotes or self._code.last_line.endswith(("'", '"', "“", "「")):
            return False
        if mark.lower() == "</s>":
            return after.startswith("\n\n") or self._code.line_begins
        # A word of a sentence has its blanks around it.
        return after[0] in "\r\n<[" or not (after[0] in " ,.;:)?!\t'\"" and not self._code.line_begins)

    def _invented(self, mark: str) -> bool:
        """Whether a line that begins with a person's label is a turn that the model invented."""
        if self._code.fenced or self._script or self._code.quotes:
            return False
        line = self._code.last_line if self._code.last_line.strip() else self._code.line_before
        strong = mark.strip().startswith("#") or mark.strip()[:1].islower()
        introduced = line.rstrip().endswith((":", "："))
        return not introduced and (strong or not _NAME_AND_VALUE.match(line))

    def _next_stop(self) -> int:
        """Where the first stop string begins; the length of the rest if there is none."""
        found = [at for at in (self._rest.find(stop) for stop in self._stops) if at >= 0]
        return min(found, default=len(self._rest))

    def _at_stop(self, at: int) -> bool:
        return any(self._rest.startswith(stop, at) for stop in self._stops)

    def _say(self, text: str) -> str:
        self._any = self._any or bool(text.strip())
        self._code.feed(text)
        return text

    def _take(self, last: bool) -> str:
        at = len(self._rest) if last else self._safe()
        taken, self._rest = self._rest[:at], self._rest[at:]
        return taken

    def _safe(self) -> int:
        """How many characters of the rest cannot be the beginning of a mark."""
        text = self._rest
        longest = max([_LONGEST, *map(len, self._stops)])
        for at in range(max(0, len(text) - longest), len(text)):
            tail = text[at:]
            if any(stop.startswith(tail) for stop in self._stops):
                return at
            if tail[0] in "<[" and _TOKEN_SO_FAR.fullmatch(tail):
                return at
            if tail[0] == "\n" and _PERSON_SO_FAR.fullmatch(tail):
                return at
        return len(text)
