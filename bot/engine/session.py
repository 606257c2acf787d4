"""A session over HTTP, the same for every engine: it sends harmless messages, streams events and mends what it can.

A request is sent again only when the engine has not begun to answer it: once after a lost connection, once after a
short pause that the engine asked for, while it loads its model, and without a field that it refused.
"""

from __future__ import annotations

import asyncio
import logging
import time
from contextlib import AbstractAsyncContextManager, aclosing, nullcontext
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from bot.engine.api import (
    ContextTooLong,
    Delta,
    EngineAway,
    EngineBusy,
    EngineError,
    EngineLoading,
    EngineSilent,
    Finished,
    Sampling,
    StreamEvent,
    Thought,
)
from bot.engine.context import smaller
from bot.engine.counting import Counting, count, estimate
from bot.engine.reading import Reading
from data.chat import Message, harmless_messages, template_sha256

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence

    from bot.engine.room import Room
    from bot.engine.wire import Wire

log = logging.getLogger(__name__)
_T = TypeVar("_T")

CHANGES = 8  # times that one request is changed because of what a server refused
WAIT = 20.0  # seconds; a longer pause that a server asks for is told to the person instead
LOADING = 45.0  # seconds to wait for a model that loads
LOOK = 2.0  # seconds between two looks


class Backend(Protocol):
    """One release on one server, and how to connect to it again after it died.

    Where `release` is 0, `model` is the mark of the home's base (`data.home_base`), or the name of another model.
    `room` is the memory that all answers of the server share, None where the server itself makes them wait for it.
    """

    release: int
    model: str | None
    control: tuple[str, ...]
    context_length: int
    template: str
    counting: Counting
    wire: Wire
    room: Room | None

    async def renew(self, failed: Wire) -> None:
        """Puts a working connection into `wire`, if it is still the one that failed. Raises EngineError."""

    async def restore(self) -> bool:
        """Puts the release back into a server that has forgotten it; whether that was done. Raises EngineError."""


class _Mending:
    """What was done already for one request, so that nothing is tried for ever."""

    def __init__(self) -> None:
        self.changes = 0
        self.renewed = False
        self.restored = False
        self.waited = False
        self.until: float | None = None  # when loading takes too long


class HttpSession:
    """Implements `bot.engine.api.Session` on a backend."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        self.release = backend.release
        self.model = backend.model
        self.control: Sequence[str] = backend.control
        self.context_length = backend.context_length
        self._counted: tuple[list[Message], bool, int] | None = None  # the last count: messages, `thinks`, tokens
        self._guessed = False  # the context was made smaller without knowing how much fits
        self.template = backend.template
        self.template_sha256 = template_sha256(backend.template)

    def sampled(self, sampling: Sampling) -> dict[str, Any]:
        """See `Session.sampled`."""
        return self._backend.wire.dialect.sampled(sampling)

    async def reach(self) -> None:
        """See `Session.reach`."""
        await self._twice(lambda wire: wire.reach())

    async def count_tokens(self, messages: Sequence[Message], *, thinks: bool = False) -> int:
        """See `Session.count_tokens`."""
        clean = self._clean(messages)
        try:
            sent = self._backend.wire.dialect.messages
            found = await self._twice(lambda wire: count(wire, self._backend.counting, sent(clean), thinks=thinks))
            self._counted = (clean, thinks, found)
            return found
        except EngineError as error:
            if error.refused is None:
                raise
            log.info("The engine did not count tokens, so their number is estimated: %s", error)
            return estimate(clean)

    async def stream(self, messages: Sequence[Message], sampling: Sampling) -> AsyncGenerator[StreamEvent, None]:
        """See `Session.stream`."""
        clean = self._clean(messages)
        async with await self._room(clean, sampling), aclosing(self._answered(clean, sampling)) as events:
            async for event in events:
                yield event

    async def _room(self, clean: list[Message], sampling: Sampling) -> AbstractAsyncContextManager[None]:
        """The room for a question and its longest answer, in an engine whose memory all answers share."""
        if self._backend.room is None:
            return nullcontext()
        last = self._counted
        known = last is not None and last[:2] == (clean, sampling.thinks)
        tokens = last[2] if known and last else await self.count_tokens(clean, thinks=sampling.thinks)
        return self._backend.room.take(min(tokens + sampling.max_tokens, self.context_length))

    async def _answered(self, clean: list[Message], sampling: Sampling) -> AsyncGenerator[StreamEvent, None]:
        """Streams an answer, and asks again as long as what keeps the engine from it can be mended."""
        mending = _Mending()
        while True:
            wire, begun = self._backend.wire, False
            body = wire.dialect.body(wire.model, clean, sampling)
            try:
                async with aclosing(self._once(wire, body, sampling)) as events:
                    async for event in events:
                        begun = True
                        if self._guessed:
                            self._remember()
                        if event is not None:
                            yield event
                return
            except EngineError as error:
                # Half of the answer is on the screen already, and a second one would not continue it.
                if begun:
                    raise
                if isinstance(error, ContextTooLong):
                    self._shrink(error.limit, estimate(clean) + sampling.max_tokens)
                    raise  # the caller cuts the conversation
                if not await self._mended(error, wire, body, mending):
                    raise
                log.debug("A request is sent again: %s", error)

    async def _once(
        self, wire: Wire, body: dict[str, Any], sampling: Sampling
    ) -> AsyncGenerator[StreamEvent | None, None]:
        """Streams an answer to one request; None says that the engine has begun to answer."""
        started, first = time.perf_counter(), None
        reading = Reading(wire.habits, (*sampling.stop, *wire.dialect.stops))
        async with aclosing(wire.chat(body)) as chunks:
            try:
                async for chunk in chunks:
                    yield None
                    for event in reading.take(chunk):
                        if first is None and isinstance(event, Delta | Thought):
                            first = time.perf_counter() - started
                        yield event
                    if reading.over:
                        break
            except EngineError:
                for event in reading.end():
                    yield event
                raise
        for event in reading.end():
            first = time.perf_counter() - started if first is None else first
            yield event
        if reading.reason is None and not reading.done and not reading.over:
            raise EngineAway(f"The engine at {wire.shown} broke off in the middle of an answer.")
        reason = reading.finish_reason(sampling.max_tokens)
        yield Finished(reason, reading.prompt_tokens, reading.completion_tokens, first_token_seconds=first)

    async def _mended(self, error: EngineError, wire: Wire, body: dict[str, Any], mending: _Mending) -> bool:
        """Whether the request may be sent again; what must change for that is changed."""
        if _forgotten(error) and not mending.restored:
            mending.restored = True
            if await self._backend.restore():
                log.warning("The engine at %s had forgotten a release; it has it again.", wire.shown)
                return True
        if error.refused is not None and mending.changes < CHANGES:
            mending.changes += 1
            if learnt := wire.dialect.learn(error.refused, body):
                log.info("The engine at %s refuses %s from now on.", wire.shown, learnt)
                return True
        if isinstance(error, EngineLoading):
            return await self._loaded(mending)
        if isinstance(error, EngineBusy):
            return await self._waited(error, mending)
        if isinstance(error, EngineAway) and not isinstance(error, EngineSilent) and not mending.renewed:
            log.warning("A request failed before its first token; sending it once more: %s", error)
            mending.renewed = True
            await self._backend.renew(wire)
            return True
        return False

    def _shrink(self, limit: int | None, sent: int) -> None:
        """The server holds less than it says, or than we thought."""
        named = limit is not None and limit < self.context_length
        self._guessed = not named
        self.context_length = limit if limit and named else smaller(min(sent, self.context_length))
        if not self._guessed:
            self._remember()

    def _remember(self) -> None:
        """What fits counts for every answer from now on; a guess only once it has been answered."""
        self._guessed = False
        self._backend.context_length = min(self._backend.context_length, self.context_length)
        log.info(
            "The engine at %s holds %d tokens at most; conversations are cut to that from now on.",
            self._backend.wire.shown,
            self.context_length,
        )

    async def _loaded(self, mending: _Mending) -> bool:
        now = time.monotonic()
        mending.until = mending.until or now + LOADING
        if now >= mending.until:
            return False
        await asyncio.sleep(LOOK)
        return True

    async def _waited(self, error: EngineBusy, mending: _Mending) -> bool:
        if mending.waited or error.seconds is None or error.seconds > WAIT:
            return False
        mending.waited = True
        await asyncio.sleep(error.seconds)
        return True

    async def _twice(self, ask: Callable[[Wire], Awaitable[_T]]) -> _T:
        wire = self._backend.wire
        try:
            return await ask(wire)
        except EngineAway as error:
            if error.refused is not None:
                raise
            await self._backend.renew(wire)
            return await ask(self._backend.wire)
        except EngineError as error:
            if not _forgotten(error) or not await self._backend.restore():
                raise
            return await ask(self._backend.wire)

    def _clean(self, messages: Sequence[Message]) -> list[Message]:
        # Half of a surrogate pair is not a character: JSON cannot carry it and tokenizers do not know it.
        whole = [Message(role=m["role"], content=m["content"].encode(errors="replace").decode()) for m in messages]
        return harmless_messages(whole, self.control)


def _forgotten(error: EngineError) -> bool:
    """Whether a refusal may mean that the server does not know the model any more."""
    return error.refused is not None and error.refused.status == HTTPStatus.NOT_FOUND
