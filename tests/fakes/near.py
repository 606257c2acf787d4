"""The way to a fake engine in the same process: what it answers without failing needs no connection.

Whatever is more than an ordinary answer (a refusal, a connection that breaks, a pause, a server that is gone, an
unknown path) still goes over the socket, and `tests/bot/engine` tests nothing else. Sessions, the counting of tokens,
the changed bodies and the reading of events are the bot's own on both ways.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from bot.engine import place
from bot.engine.chunks import Chunk, read
from bot.engine.wire import SILENCE, Wire

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    import pytest

    from tests.fakes.engine import FakeEngine


class NearWire(Wire):
    """A wire to `fake`."""

    fake: FakeEngine

    async def get(self, path: str) -> dict[str, Any]:
        """See `Wire.get`."""
        return self._answer(path, {}) or await super().get(path)

    async def post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        """See `Wire.post`."""
        return self._answer(path, body) or await super().post(path, body)

    async def models(self) -> list[dict[str, Any]]:
        """See `Wire.models`."""
        found = self._answer("/v1/models", {})
        return await super().models() if found is None else found["data"]

    async def chat(self, body: dict[str, Any]) -> AsyncGenerator[Chunk, None]:
        """See `Wire.chat`."""
        streams = body["stream"] and self.silence == SILENCE
        events = self.fake.at_once(_copied(body)) if streams else None
        if events is None:
            async for chunk in super().chat(body):
                yield chunk
            return
        async for value in events:
            yield read(_copied(value))
        yield Chunk(done=True)

    def _answer(self, path: str, body: dict[str, Any]) -> dict[str, Any] | None:
        return _copied(self.fake.answer_at_once(path, _copied(body)))


def go_near(patch: pytest.MonkeyPatch, fake: FakeEngine) -> None:
    """Engines that are opened at this fake's address from now on reach it without a socket."""
    over_the_socket = place.Wire

    def wire(url: str, **named: Any) -> Wire:
        if url != fake.url:
            return over_the_socket(url, **named)
        near = NearWire(url, **named)
        near.fake = fake
        return near

    patch.setattr(place, "Wire", wire)


def _copied(value: Any) -> Any:
    """What arrives of it at the other end."""
    return json.loads(json.dumps(value))
