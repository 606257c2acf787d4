"""What a platform and the core tell each other: a question to answer, and the events of its answer."""

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
class Wishes:
    """How a program wants an answer sampled; None is as usual. It gets no more tokens than others do.

    An answer that one of the `stop` texts may have ended is not recorded as one that ended by itself.
    """

    temperature: float | None = None
    top_p: float | None = None
    frequency_penalty: float | None = None
    max_tokens: int | None = None
    seed: int | None = None
    stop: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Ask:
    """A question to answer.

    `question` stores the question and returns it. It is called when the question's turn comes, not before: only then
    is the last answer of a running conversation known, and a question that is turned away is never stored.
    `shown` returns the ids of the platform's messages that show the answer so far. They are recorded with it, so that
    a reply is understood even if it comes at once. `names` returns the display names that are known; the model reads
    them, and they are not stored. `caps` are the limits that this answer counts towards. `wishes` say how the
    answer is sampled where that is not as usual. `by_name` says that a program chose the release by its name: its
    users may know which one answers, so the answer counts in no trial.
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
    wishes: Wishes | None = None
    by_name: bool = False


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
class Thinking:
    """The next piece of what the model thinks before it answers; it comes only where people may see it."""

    text: str


@dataclass(frozen=True)
class TakenBack:
    """The pieces so far were thoughts and no answer: the answer begins anew."""


@dataclass(frozen=True)
class Held:
    """There is text that is not shown (yet): it must be checked as a whole first, or the model still thinks."""


@dataclass(frozen=True)
class Answered:
    """The end: the answer as it was recorded. `note` is a sentence to show below it, or None.

    The numbers of tokens are the engine's, None where it gives none.
    """

    generation: StoredGeneration
    finish_reason: str
    note: str | None = None
    prompt_tokens: int | None = field(default=None, compare=False)
    completion_tokens: int | None = field(default=None, compare=False)


@dataclass(frozen=True)
class Failed:
    """The end: there is no answer and nothing was recorded. `sentence` says why; `kind` is a word to count it by.

    `stuck` says that the conversation cannot go on, so that a new one should be offered (see `bot.anew`). `seconds`
    is after how long it may be tried again, where that is known.
    """

    sentence: str
    kind: str = field(default="internal", compare=False)
    stuck: bool = field(default=False, compare=False)
    seconds: float | None = field(default=None, compare=False)


@dataclass(frozen=True)
class Paired:
    """The end of two answers to one question: the usual one and the other, which is `Failed` if there is none."""

    usual: Answered
    other: Answered | Failed


AnswerEvent = Queued | Started | Piece | Thinking | TakenBack | Held | Answered | Paired | Failed


class Unanswerable(Exception):
    """The question cannot be answered as it is; `str` is the sentence for the person."""


class Flagged(Unanswerable):
    """Moderation found something wrong with the question."""


class RunningAnswer:
    """A running answer for a person. Iterate over its events (once), or stop it."""

    def __init__(self, person: int) -> None:
        self.person = person
        self.stopped = asyncio.Event()
        self.counts = False  # whether it counts towards the limits: only if the engine gave an answer
        self._events: asyncio.Queue[AnswerEvent] = asyncio.Queue()
        self.task: asyncio.Task[None] | None = None  # set by the `Chat` that runs it

    def stop(self) -> None:
        """End the answer here. The text so far is kept and recorded as stopped."""
        self.stopped.set()

    @property
    def made(self) -> bool:
        """Whether it has ended and is recorded."""
        return self.task is not None and self.task.done()

    async def wait(self) -> None:
        """Wait until the answer is recorded, whether or not anybody reads its events."""
        if self.task:
            await asyncio.wait({self.task})

    def tell(self, event: AnswerEvent) -> None:
        """Pass an event to the reader."""
        self._events.put_nowait(event)

    async def __aiter__(self) -> AsyncIterator[AnswerEvent]:
        while True:
            event = await self._events.get()
            yield event
            if isinstance(event, Answered | Paired | Failed):
                return
