"""What the rest of the bot knows of an engine: open one, take a session, stream an answer.

    engine = await open_engine(home)                      # the embedded engine, or PARLEY_ENGINE_URL's
    async with engine.session() as session:               # one release from here to the end of the block
        if await session.count_tokens(messages) > session.context_length - sampling.max_tokens: ...
        async for event in session.stream(messages, sampling):
            ...                                           # Delta, Delta, ..., and one Finished at the end
    await engine.close()

Take one session for one answer: a new champion may take over at any moment, and the release of a session never
changes, so that trimming, sampling and recording all see the same release. Sessions are cheap; any number of them
may be open at once. While a session is open its release's process stays alive.

To stop an answer, close the iterator (`await stream.aclose()`, best through `contextlib.aclosing`) or cancel the
task that reads it: the connection is closed and the server stops generating. A stopped stream gives no `Finished`.

All failures are `EngineError`s, and `str(error)` is a sentence for the person who waits.
"""

from __future__ import annotations

import os
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Protocol

from data.chat import FREQUENCY_PENALTY, MAX_TOKENS, TEMPERATURE, TOP_P
from data.errors import ParleyError

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Sequence
    from contextlib import AbstractAsyncContextManager
    from pathlib import Path

    from data.chat import Message


class EngineError(ParleyError):
    """The engine could not answer. The message says what happened and what to do."""


class EngineAway(EngineError):
    """Nothing answers at the engine's address, it could not be started, or broke off in mid-answer."""


class EngineBusy(EngineError):
    """The engine refuses more requests for now (HTTP 429 or 503). Try again in a moment."""


class ContextTooLong(EngineError):
    """The messages do not fit into the engine's context: trim the conversation and ask again."""


@dataclass(frozen=True)
class Sampling:
    """How an answer is drawn.

    `max_tokens` counts the answer's tokens only; `seed` None lets the server choose (record a seed of your own if the
    answer is to be repeatable). `stop` strings end the answer and are not part of it.
    """

    temperature: float = TEMPERATURE
    top_p: float = TOP_P
    frequency_penalty: float = FREQUENCY_PENALTY
    max_tokens: int = MAX_TOKENS
    seed: int | None = None
    stop: tuple[str, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """The settings as plain JSON values, for the record of a generation."""
        return {**asdict(self), "stop": list(self.stop)}


@dataclass(frozen=True)
class Delta:
    """The next piece of the answer. `text` is never empty."""

    text: str


@dataclass(frozen=True)
class Finished:
    """The last event of a stream: why it ended and what it cost.

    `finish_reason` is "stop" (the model ended its turn) or "length" (the answer hit `max_tokens` or the context), or
    whatever else the server says. Token counts are the server's, None where it gives none.
    `first_token_seconds` is the time from sending the request to the first text, None if there was no text.
    """

    finish_reason: str
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    first_token_seconds: float | None = None


Event = Delta | Finished


class Session(Protocol):
    """One release of one engine, fixed for as long as the session is open."""

    @property
    def release(self) -> int:
        """The number of the release that answers; 0 is the base model without an adapter.

        For another server (PARLEY_ENGINE_URL) it is read from a model name like `release-0007`, else 0.
        """

    @property
    def control(self) -> Sequence[str]:
        """The control strings of the served tokenizer, for `data.chat.harmless`.

        `count_tokens` and `stream` make every content harmless themselves; the caller needs this only to hash or
        store what was rendered (`rendered_hash(harmless_messages(messages, session.control), session.template)`).
        """

    @property
    def context_length(self) -> int:
        """How many tokens one request may hold, prompt and answer together."""

    @property
    def template(self) -> str:
        """The chat template's text as `data.chat.load_template` gives it; "" where the server does not tell."""

    @property
    def template_sha256(self) -> str:
        """The hex SHA-256 of `template`."""

    async def reach(self) -> None:
        """Asks the server for a sign of life, in the way in which an answer would reach it. Raises EngineError."""

    async def count_tokens(self, messages: Sequence[Message]) -> int:
        """The length of the rendered prompt in tokens, template and the start of the answer included.

        Exact by the server's own endpoints where it has them (llama-server, vLLM), else a safe over-estimate.
        Raises EngineError.
        """

    def stream(self, messages: Sequence[Message], sampling: Sampling) -> AsyncGenerator[Event, None]:
        """The answer to `messages`, piece by piece: any number of `Delta`s, then exactly one `Finished`.

        A request that fails before its first token because the engine died is sent once more. Raises ContextTooLong,
        EngineBusy, EngineAway (also in the middle of an answer) or another EngineError, when it is iterated.
        """


class Engine(Protocol):
    """A server that generates text, reached over HTTP."""

    def session(self) -> AbstractAsyncContextManager[Session]:
        """A session on the release that serves now. Entering it raises EngineError after `close`."""

    async def close(self) -> None:
        """Lets go of connections and of the embedded process, which exits when nobody else uses it. Idempotent."""


async def open_engine(
    home: Path,
    *,
    url: str | None = None,
    model: str | None = None,
    api_key: str | None = None,
    release: int | None = None,
    base: str | None = None,
    context_length: int | None = None,
) -> Engine:
    """Opens the engine to use: the server at `url`, else at PARLEY_ENGINE_URL, else the embedded engine of `home`.

    With an address: `model` (PARLEY_ENGINE_MODEL) defaults to the first model that the server lists, `api_key` comes
    from PARLEY_ENGINE_API_KEY, `context_length` is asked from the server when not given. Without an address: the
    champion of `home` and every champion after it, or always the one `release` given here; `base` (PARLEY_BASE, then
    the bundled one) is what release 0 means. Raises EngineError or BadInput when it cannot be used at all; for the
    embedded engine the process is running when this returns.
    """
    # Imported here: the openai package takes a second, which `--help` does not have.
    if address := url or os.environ.get("PARLEY_ENGINE_URL"):
        from bot.engine.external import ExternalEngine

        return await ExternalEngine.open(
            home,
            address,
            model=model or os.environ.get("PARLEY_ENGINE_MODEL"),
            api_key=api_key or os.environ.get("PARLEY_ENGINE_API_KEY", ""),
            context_length=context_length,
        )
    from bot.engine.embedded import EmbeddedEngine

    return await EmbeddedEngine.open(
        home, release=release, base=base or os.environ.get("PARLEY_BASE"), context=context_length
    )
