"""A session over HTTP, the same for every engine: harmless messages out, events in, one retry at the start."""

from __future__ import annotations

import logging
from contextlib import aclosing
from typing import TYPE_CHECKING, Protocol, TypeVar

from bot.engine.api import EngineAway, Event, Sampling
from bot.engine.counting import count
from data.chat import Message, harmless_messages, template_sha256

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence

    from bot.engine.counting import Counting
    from bot.engine.wire import Wire

log = logging.getLogger(__name__)
_T = TypeVar("_T")


class Source(Protocol):
    """One release on one server, and how to reach it again after it died."""

    release: int
    control: tuple[str, ...]
    context_length: int
    template: str
    counting: Counting
    wire: Wire

    async def renew(self, failed: Wire) -> None:
        """Puts a working connection in `wire` if it is still the one that failed. Raises EngineError."""


class HttpSession:
    """Implements `bot.engine.api.Session` on a source."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self.release = source.release
        self.control: Sequence[str] = source.control
        self.context_length = source.context_length
        self.template = source.template
        self.template_sha256 = template_sha256(source.template)

    async def reach(self) -> None:
        """See `Session.reach`."""
        await self._twice(lambda wire: wire.models())

    async def count_tokens(self, messages: Sequence[Message]) -> int:
        """See `Session.count_tokens`."""
        clean = self._clean(messages)
        return await self._twice(lambda wire: count(wire, self._source.counting, clean))

    async def stream(self, messages: Sequence[Message], sampling: Sampling) -> AsyncGenerator[Event, None]:
        """See `Session.stream`."""
        clean = self._clean(messages)
        started = False
        wire = self._source.wire
        try:
            async with aclosing(wire.chat(clean, sampling)) as events:
                async for event in events:
                    started = True
                    yield event
        except EngineAway as error:
            if started:
                raise  # half an answer was shown; a second one would not continue it
            log.warning("A request failed before its first token and is sent once more: %s", error)
            await self._source.renew(wire)
        else:
            return
        async with aclosing(self._source.wire.chat(clean, sampling)) as events:
            async for event in events:
                yield event

    async def _twice(self, ask: Callable[[Wire], Awaitable[_T]]) -> _T:
        wire = self._source.wire
        try:
            return await ask(wire)
        except EngineAway:
            await self._source.renew(wire)
            return await ask(self._source.wire)

    def _clean(self, messages: Sequence[Message]) -> list[Message]:
        # Half a surrogate pair is no character: no JSON can carry it and no tokenizer has it.
        whole = [Message(role=m["role"], content=m["content"].encode(errors="replace").decode()) for m in messages]
        return harmless_messages(whole, self.control)
