"""What a platform and the core say to each other: a question to answer, and the events of its answer."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from bot.texts import EN, Texts

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence

    from bot.rate_limit import Cap
    from data.personas import Persona
    from data.store import StoredGeneration, StoredMessage


@dataclass(frozen=True, kw_only=True)
class Ask:
    """A question to answer.

    `question` stores the question and gives it back. It is called when its turn has come, not before: only then is
    it known what a running conversation's last answer was, and a question that is turned away is never kept.
    `shown` names the platform's messages that show the answer so far. They are recorded with it, so that whoever
    replies to an answer the moment it is there is understood. `names` are what people are called, as far as known;
    the model reads them, and nothing keeps them. `caps` are the limits that the answer counts for.
    """

    person: int
    channel: str
    platform: str
    persona: Persona
    question: Callable[[], Awaitable[StoredMessage]]
    shown: Callable[[], Sequence[str]] = tuple
    names: Callable[[Iterable[int | None]], Mapping[int | None, str]] = lambda _: {}
    texts: Texts = EN
    caps: Sequence[Cap] = ()


@dataclass(frozen=True)
class Queued:
    """The answer has to wait; `ahead` others come first."""

    ahead: int


@dataclass(frozen=True)
class Started:
    """The answer's turn has come."""


@dataclass(frozen=True)
class Piece:
    """The next piece of the answer's text."""

    text: str


@dataclass(frozen=True)
class Held:
    """There is text, and it is shown when it was looked at as a whole."""


@dataclass(frozen=True)
class Answered:
    """The end: the answer as it was recorded. `note` is a sentence to show below it, if there is one to say."""

    generation: StoredGeneration
    finish_reason: str
    note: str | None = None


@dataclass(frozen=True)
class Failed:
    """The end: there is no answer and nothing was recorded. `sentence` says why, `kind` in a word to count it by."""

    sentence: str
    kind: str = field(default="internal", compare=False)


@dataclass(frozen=True)
class Paired:
    """The end of two answers to one question: the usual one, and the other; a `Failed` where there is no other."""

    usual: Answered
    other: Answered | Failed


AnswerEvent = Queued | Started | Piece | Held | Answered | Paired | Failed


class Unanswerable(Exception):
    """The question cannot be answered as it is; `str` is the sentence for the person."""


class Flagged(Unanswerable):
    """Moderation found something wrong with the question."""


class RunningAnswer:
    """A running answer: iterate over its events (once), or stop it."""

    def __init__(self) -> None:
        self.stopped = asyncio.Event()
        self.counts = False  # whether the engine gave what it was asked for
        self._events: asyncio.Queue[AnswerEvent] = asyncio.Queue()
        self.task: asyncio.Task[None] | None = None  # set by who runs it

    def stop(self) -> None:
        """End the answer here. What was said so far is kept and recorded as stopped."""
        self.stopped.set()

    @property
    def made(self) -> bool:
        """Whether it has ended, and is recorded."""
        return self.task is not None and self.task.done()

    async def wait(self) -> None:
        """Wait until the answer is recorded, whoever reads it."""
        if self.task:
            await asyncio.wait({self.task})

    def tell(self, event: AnswerEvent) -> None:
        """Pass an event on to whoever reads."""
        self._events.put_nowait(event)

    async def __aiter__(self) -> AsyncIterator[AnswerEvent]:
        while True:
            event = await self._events.get()
            yield event
            if isinstance(event, Answered | Paired | Failed):
                return
