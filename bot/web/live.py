"""The answers that are being made at this moment, and what their readers have not seen yet. In memory only.

A browser may lose its connection, or be closed and opened again, while the answer goes on: whoever reads begins with
the whole text so far. A reader who is slow gets more at a time, and holds nobody up.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from bot.answers import Answered, Failed, Held, Paired, Piece, Queued, Started, TakenBack, Thinking

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from contextlib import AbstractAsyncContextManager

    from bot.answers import AnswerEvent, RunningAnswer

log = logging.getLogger(__name__)

End = Answered | Paired | Failed
Kind = Literal["status", "whole", "piece", "thought", "done"]
_KEPT = 600.0  # seconds for which the end of an answer is kept for whoever still reads
_MOST = 2000  # ends that are kept
_PING = 15.0  # seconds without anything to say after which a reader hears that the answer still goes on


@dataclass(frozen=True)
class News:
    """Something for a reader. A status is `held`, how many come first, or nothing."""

    kind: Kind
    text: str = ""


class LiveAnswer:
    """One answer, or two to compare, for one person in one conversation. `question` is what they asked."""

    def __init__(self, person: int, key: str, question: str, *, two: bool = False, again: int | None = None) -> None:
        self.id = secrets.token_urlsafe(18)
        self.person = person
        self.key = key
        self.question = question
        self.two = two
        self.again = again  # the answer that it stands beside
        self.end: End | None = None
        self.turned: bool | None = None  # whether the other of two answers is shown first
        self.ended_at = 0.0
        self._answer: RunningAnswer | None = None
        self._stopped = False
        self._text = self._thoughts = self._status = ""
        self._begun = 0  # how often the text began anew
        self._news = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def begin(self, start: Callable[[], AbstractAsyncContextManager[RunningAnswer]], broken: str) -> None:
        """Start the answer within its block, which is open until the end; `broken` tells of an error of our own."""
        self._task = asyncio.create_task(self._run(start, broken))

    def stop(self) -> None:
        """End here; the text so far is kept."""
        self._stopped = True
        if self._answer is not None:
            self._answer.stop()

    async def wait(self) -> None:
        """Wait until it has ended and is recorded."""
        if self._task is not None:
            await asyncio.wait({self._task})

    async def _run(self, start: Callable[[], AbstractAsyncContextManager[RunningAnswer]], broken: str) -> None:
        try:
            async with start() as answer:
                self._answer = answer
                if self._stopped:
                    answer.stop()
                async for event in answer:
                    self._take(event)
                await answer.wait()
        except Exception:
            log.exception("an answer on the page broke off")
        finally:
            self.end = self.end or Failed(broken)
            self.ended_at = time.monotonic()
            self._tell()

    def _take(self, event: AnswerEvent) -> None:
        match event:
            case Queued(ahead):
                self._status = str(ahead)
            case Started():
                self._status = ""
            case Held():
                self._status = "held"
            case Piece(text) if not self.two:
                self._text += text
                self._status = ""
            case Thinking(text) if not self.two:
                self._thoughts += text
            case TakenBack():
                self._text, self._begun = "", self._begun + 1
            case Answered() | Paired() | Failed():
                self.end = event
        self._tell()

    def _tell(self) -> None:
        self._news.set()
        self._news = asyncio.Event()

    async def news(self) -> AsyncIterator[News | None]:
        """What happens from now on, the whole text so far first; None says that nothing happened for a while."""
        said = thought = begun = -1
        status = ""
        while True:
            waiting = self._news
            if self._status != status:
                status = self._status
                yield News("status", status)
            if len(self._thoughts) > max(thought, 0):
                piece, thought = self._thoughts[max(thought, 0) :], len(self._thoughts)
                yield News("thought", piece)
            if begun != self._begun or said < 0:
                begun, said = self._begun, len(self._text)
                yield News("whole", self._text)
            elif len(self._text) > said:
                piece, said = self._text[said:], len(self._text)
                yield News("piece", piece)
            if self.end is not None and self.ended_at:
                yield News("done")
                return
            if waiting is self._news:
                try:
                    async with asyncio.timeout(_PING):
                        await waiting.wait()
                except TimeoutError:
                    yield None


class LiveAnswers:
    """Finds the answers that run, and those that ended lately, by their random ids."""

    def __init__(self) -> None:
        self._answers: dict[str, LiveAnswer] = {}

    def add(self, answer: LiveAnswer) -> None:
        """Keep an answer that begins."""
        now = time.monotonic()
        ended = [each for each in self._answers.values() if each.ended_at]
        for each in ended[: max(0, len(ended) - _MOST)]:
            del self._answers[each.id]
        for each in ended:
            if now - each.ended_at > _KEPT:
                self._answers.pop(each.id, None)
        self._answers[answer.id] = answer

    def under(self, number: str, person: int) -> LiveAnswer | None:
        """A person's answer by its id."""
        found = self._answers.get(number)
        return found if found is not None and found.person == person else None

    def running(self, person: int, key: str | None = None) -> list[LiveAnswer]:
        """A person's answers that have not ended, in all conversations or in one, the oldest first."""
        return [
            each
            for each in self._answers.values()
            if each.person == person and not each.ended_at and key in (None, each.key)
        ]

    async def stop_all(self, person: int) -> None:
        """Stop a person's answers, wait until they are recorded, and forget what was said in them."""
        while running := self.running(person):
            for each in running:
                each.stop()
            for each in running:
                await each.wait()
        self._answers = {name: each for name, each in self._answers.items() if each.person != person}
