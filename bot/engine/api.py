"""What the rest of the bot knows about an engine: sessions, streamed answers, and what can go wrong.

    engine = await open_engine(home)                      # from bot.engine.open
    async with engine.session() as session:               # one release from here to the end of the block
        if await session.count_tokens(messages) > session.context_length - sampling.max_tokens: ...
        async for event in session.stream(messages, sampling):
            ...                                           # Delta, Delta, ..., and one Finished at the end
    await engine.close()

Take one session for each answer. A new champion may take over at any moment, but the release of a session never
changes, so trimming, sampling and recording all see the same release. Sessions are cheap, and any number of them may
be open at once. While a session is open, the process of its release stays alive.

To stop an answer, close the iterator (`await stream.aclose()`, best through `contextlib.aclosing`) or cancel the
task that reads it. This closes the connection, and the server stops generating. A stopped stream gives no `Finished`.

Every failure is an `EngineError` with two sentences: `str(error)` is for the operator and goes into the log;
`error.for_member(texts)` is for the person who waits, and names no address, no key and no setting.
"""

from __future__ import annotations

import math
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Protocol

from data.chat import FREQUENCY_PENALTY, MAX_TOKENS, TEMPERATURE, TOP_P
from data.errors import ParleyError

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Iterator, Sequence
    from contextlib import AbstractAsyncContextManager

    from bot.engine.refused import Refused
    from bot.texts import Texts
    from data.chat import Message


class EngineError(ParleyError):
    """The engine could not answer. `str` tells the operator what happened and what to do.

    `refused` is what the server answered, if it did; it may hold what people said and is never shown or logged.
    """

    said = "engine_refused"  # the sentence in `bot.texts` for the person who waits

    def __init__(self, sentence: str, refused: Refused | None = None) -> None:
        super().__init__(sentence)
        self.refused = refused

    def for_member(self, texts: Texts) -> str:
        """The sentence for the person who waits."""
        return str(getattr(texts, self.said))


class EngineAway(EngineError):
    """The engine did not answer, could not be started, or broke off in the middle of an answer."""

    said = "engine_unreachable"


class EngineFailed(EngineAway):
    """The engine answered with an error of its own (HTTP 500)."""

    said = "engine_failed"


class EngineSilent(EngineAway):
    """The engine took the request and said nothing for too long. It may still be at it, so it is not asked again."""

    said = "engine_silent"


class EngineLoading(EngineAway):
    """The engine is loading its model."""

    said = "engine_loading"


class EngineBusy(EngineError):
    """The engine accepts no more requests for now (HTTP 429 or 503), for `seconds` if it says so."""

    said = "engine_busy"

    def __init__(self, sentence: str, refused: Refused | None = None, seconds: float | None = None) -> None:
        super().__init__(sentence, refused)
        self.seconds = seconds

    def for_member(self, texts: Texts) -> str:
        """See `EngineError.for_member`."""
        if self.seconds is None:
            return super().for_member(texts)
        return texts.engine_busy_for.format(seconds=max(1, math.ceil(self.seconds)))


class EngineSpent(EngineError):
    """The account at the server has nothing left: waiting does not help (HTTP 402, or a quota)."""

    said = "engine_spent"


class EngineFiltered(EngineError):
    """The server's filter refused the question."""

    said = "engine_filtered"


class ContextTooLong(EngineError):
    """The messages do not fit into the engine's context: trim the conversation and ask again.

    `limit` is the context in tokens, if the refusal names it.
    """

    said = "engine_too_long"

    def __init__(self, sentence: str, refused: Refused | None = None, limit: int | None = None) -> None:
        super().__init__(sentence, refused)
        self.limit = limit


@contextmanager
def sentences() -> Iterator[None]:
    """What cannot be served is an EngineError to the person who waits, like everything else that goes wrong."""
    try:
        yield
    except EngineError:
        raise
    except ParleyError as error:
        raise EngineError(str(error)) from error


@dataclass(frozen=True)
class Sampling:
    """How an answer is sampled.

    `max_tokens` counts the answer's tokens only. With `seed` None the server chooses one; to repeat an answer, give a
    seed and record it. `stop` strings end the answer and are not part of it.
    """

    temperature: float = TEMPERATURE
    top_p: float = TOP_P
    frequency_penalty: float = FREQUENCY_PENALTY
    max_tokens: int = MAX_TOKENS
    seed: int | None = None
    stop: tuple[str, ...] = ()
    thinks: bool = False  # whether the model is asked to think first; its thoughts count towards `max_tokens`

    def as_dict(self) -> dict[str, Any]:
        """The settings as plain JSON values, for the record of a generation; `thinks` only where it is asked for."""
        found = {**asdict(self), "stop": list(self.stop)}
        return found if self.thinks else {name: value for name, value in found.items() if name != "thinks"}


@dataclass(frozen=True)
class Delta:
    """The next piece of the answer. `text` is never empty."""

    text: str


@dataclass(frozen=True)
class Thought:
    """The next piece of what the model thinks before it answers. It is not part of the answer."""

    text: str


@dataclass(frozen=True)
class TakenBack:
    """All text so far was a thought, as a closing tag has shown: the answer begins after this."""


@dataclass(frozen=True)
class Finished:
    """The last event of a stream: why the answer ended and how many tokens it took.

    `finish_reason` is "stop" (the model ended its turn), "length" (the answer reached `max_tokens` or the end of the
    context), "filtered" (the server's filter cut it), "unknown" (the server ended the answer and did not say why),
    "damaged" (a part was unreadable), or "error". Token counts are the server's, or None if it gives none.
    `first_token_seconds` is the time from sending the request to the first text, or None if there was no text.
    """

    finish_reason: str
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    first_token_seconds: float | None = None


StreamEvent = Delta | Thought | TakenBack | Finished


class Session(Protocol):
    """One release of one engine, fixed for as long as the session is open."""

    @property
    def release(self) -> int:
        """The number of the release that answers; 0 is the base model without an adapter, or another model."""

    @property
    def model(self) -> str | None:
        """With release 0: the mark of the home's base (`data.home_base`), or another model's own name; else None."""

    @property
    def control(self) -> Sequence[str]:
        """The control strings of the served tokenizer, for `data.chat.harmless`.

        `count_tokens` and `stream` make every content harmless themselves. The caller needs this only to hash or
        store what was rendered (`rendered_hash(harmless_messages(messages, session.control), session.template)`).
        """

    @property
    def context_length(self) -> int:
        """How many tokens one request may hold, prompt and answer together."""

    @property
    def template(self) -> str:
        """The chat template's text as `data.chat.load_template` gives it; "" if the server does not say."""

    @property
    def template_sha256(self) -> str:
        """The hex SHA-256 of `template`."""

    async def reach(self) -> None:
        """Checks that the server answers, over the same connection as an answer. Raises EngineError."""

    async def count_tokens(self, messages: Sequence[Message], *, thinks: bool = False) -> int:
        """The length of the rendered prompt in tokens, including the template and the start of the answer.

        `thinks` as in `Sampling`: some templates say it in the prompt.

        The server's own endpoints give the exact number (llama-server, vLLM); without them it is a safe
        over-estimate. Raises EngineError.
        """

    def sampled(self, sampling: Sampling) -> dict[str, Any]:
        """The settings with which answers are really sampled, for the record: a server may refuse some of them, and
        the operator may set others.
        """

    def stream(self, messages: Sequence[Message], sampling: Sampling) -> AsyncGenerator[StreamEvent, None]:
        """Streams the answer to `messages`: any number of `Delta`s and `Thought`s, then exactly one `Finished`.

        If the engine dies before it begins to answer, the request is sent once more. A request that it refuses
        because of a field is sent again without that field, and a short pause that it asks for is made. Iterating
        raises ContextTooLong (`context_length` is smaller afterwards), EngineBusy, EngineAway (also in the middle of
        an answer) or another EngineError.
        """


class Engine(Protocol):
    """A server that generates text, reached over HTTP."""

    def cannot_serve(self, release: int) -> str | None:
        """Why it would not answer as a release that becomes the champion; None if nothing is known against it.

        The sentence is for operators, and names no address.
        """

    def session(self) -> AbstractAsyncContextManager[Session]:
        """Opens a session on the release that serves now. Raises EngineError after `close`."""

    async def close(self) -> None:
        """Closes the connections and lets the embedded process go; it exits with its last client. Idempotent."""
