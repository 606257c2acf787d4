"""A server that takes no connection in time has not taken the request either, so it may be asked again."""

import socket
import sys
from contextlib import ExitStack

import pytest

from bot.engine import wire as module
from bot.engine.api import EngineAway, EngineSilent
from bot.engine.wire import Wire


@pytest.mark.skipif(sys.platform != "linux", reason="a full queue of connections shows otherwise elsewhere")
async def test_a_connection_that_is_not_made_in_time_is_no_silence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "CONNECT", 0.3)
    with ExitStack() as stack:
        server = stack.enter_context(socket.socket())
        server.bind(("127.0.0.1", 0))
        server.listen(0)
        for _ in range(8):  # nobody accepts them, and the queue is full
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(server.getsockname())
        wire = Wire(f"http://127.0.0.1:{server.getsockname()[1]}/v1")
        try:
            with pytest.raises(EngineAway, match="does not answer") as caught:
                await wire.post("/tokenize", {"content": "Hello"})
        finally:
            await wire.close()
    assert not isinstance(caught.value, EngineSilent)
