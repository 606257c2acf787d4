"""A session over HTTP, the same for every engine: it sends harmless messages, streams events and retries once."""

from __future__ import annotations

import logging
from contextlib import aclosing
from typing import TYPE_CHECKING, Protocol, TypeVar

from bot.engine.api import EngineAway, Sampling, StreamEvent
from bot.engine.counting import count
from data.chat import Message, harmless_messages, template_sha256

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence

    from bot.engine.counting import Counting
    from bot.engine.wire import Wire

log = logging.getLogger(__name__)
_T = TypeVar("_T")


class Backend(Protocol):
    """One release on one server, and how to connect to it again after it died."""

    release: int
    control: tuple[str, ...]
    context_length: int
    template: str
    counting: Counting
    wire: Wire

    async def renew(self, failed: Wire) -> None:
        """Puts a working connection into `wire`, if it is still the one that failed. Raises EngineError."""


class HttpSession:
    """Implements `bot.engine.api.Session` on a backend."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        self.release = backend.release
        self.control: Sequence[str] = backend.control
        self.context_length = backend.context_length
        self.template = backend.template
        self.template_sha256 = template_sha256(backend.template)

    async def reach(self) -> None:
        """See `Session.reach`."""
        await self._twice(lambda wire: wire.models())

    async def count_tokens(self, messages: Sequence[Message]) -> int:
        """See `Session.count_tokens`."""
        clean = self._clean(messages)
        return await self._twice(lambda wire: count(wire, self._backend.counting, clean))

    async def stream(self, messages: Sequence[Message], sampling: Sampling) -> AsyncGenerator[StreamEvent, None]:
        """See `Session.stream`."""
        clean = self._clean(messages)
        started = False
        wire = self._backend.wire
        try:
            async with aclosing(wire.chat(clean, sampling)) as events:
                async for event in events:
                    started = True
                    yield event
        except EngineAway as error:
            if started:
                raise  # half of the answer is on the screen already, and a second one would not continue it
            log.warning("A request failed before its first token; sending it once more: %s", error)
            await self._backend.renew(wire)
        else:
            return
        async with aclosing(self._backend.wire.chat(clean, sampling)) as events:
            async for event in events:
                yield event

    async def _twice(self, ask: Callable[[Wire], Awaitable[_T]]) -> _T:
        wire = self._backend.wire
        try:
            return await ask(wire)
        except EngineAway:
            await self._backend.renew(wire)
            return await ask(self._backend.wire)

    def _clean(self, messages: Sequence[Message]) -> list[Message]:
        # Half of a surrogate pair is not a character: JSON cannot carry it and tokenizers do not know it.
        whole = [Message(role=m["role"], content=m["content"].encode(errors="replace").decode()) for m in messages]
        return harmless_messages(whole, self.control)
