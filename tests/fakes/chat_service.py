"""A fake of a chat service's HTTP API (Telegram's, Slack's) on loopback: it records calls and answers them.

    async with FakeChatService({"sendMessage": {"ok": True}}) as fake:
        fake.queue("getUpdates", {"ok": True, "result": [...]})    # the next answer of this method
        body = await fake.called("sendMessage")                    # waits for the next call of this method

A method without an answer in the queue gets its usual one; one without either waits until something is queued.
"""

from __future__ import annotations

import asyncio
import json
from collections import defaultdict
from contextlib import suppress
from typing import Any, Self


class FakeChatService:
    """An HTTP server whose methods are the last part of each path. Use it as an async context manager."""

    def __init__(self, usual: dict[str, Any]) -> None:
        self.usual = usual
        self.url = ""
        self._answers: defaultdict[str, asyncio.Queue[Any]] = defaultdict(asyncio.Queue)
        self._calls: defaultdict[str, asyncio.Queue[dict[str, Any]]] = defaultdict(asyncio.Queue)
        self._server: asyncio.Server | None = None

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()

    def queue(self, method: str, answer: Any) -> None:
        """Set the next answer of a method."""
        self._answers[method].put_nowait(answer)

    async def called(self, method: str) -> dict[str, Any]:
        """The body of the next call of a method."""
        async with asyncio.timeout(30):
            return await self._calls[method].get()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode()
                first, *lines = head.rstrip("\r\n").split("\r\n")
                headers = {k.lower(): v.strip() for k, v in (line.split(":", 1) for line in lines)}
                body = json.loads(await reader.readexactly(int(headers.get("content-length", 0))))
                method = first.split()[1].rpartition("/")[2]
                self._calls[method].put_nowait(body)
                raw = json.dumps(await self._answer(method)).encode()
                head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(raw)}\r\n\r\n"
                writer.write(head.encode() + raw)
                await writer.drain()
        writer.close()

    async def _answer(self, method: str) -> Any:
        if self._answers[method].empty() and method in self.usual:
            return self.usual[method]
        return await self._answers[method].get()
