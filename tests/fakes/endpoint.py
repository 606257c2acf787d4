"""A fake endpoint on loopback that answers JSON with JSON. Each child says where it is and what it answers."""

from __future__ import annotations

import asyncio
import json
from contextlib import suppress
from typing import Any, Self


class FakeEndpoint:
    """An HTTP server with one path. Use it as an async context manager."""

    path = ""

    def __init__(self) -> None:
        self.status = 200
        self.location = ""  # where it redirects to
        self.answer: Any = None  # sent instead of its own answer
        self.wait = 0.0  # seconds before it answers
        self.bodies: list[dict[str, Any]] = []  # of each request
        self.keys: list[str] = []
        self.hosts: list[str] = []
        self.url = ""
        self._server: asyncio.Server | None = None

    @property
    def seen(self) -> list[Any]:
        """The input of each request, in order."""
        return [body["input"] for body in self.bodies]

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}/v1"
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def stop(self) -> None:
        """Close the port."""
        if self._server:
            self._server.close()

    def reply(self, body: dict[str, Any]) -> Any:
        """The answer to a request."""
        raise NotImplementedError

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            first, *lines = head.rstrip("\r\n").split("\r\n")
            headers = {k.lower(): v.strip() for k, v in (line.split(":", 1) for line in lines)}
            body = json.loads(await reader.readexactly(int(headers["content-length"])))
            self.bodies.append(body)
            self.keys.append(headers.get("authorization", ""))
            self.hosts.append(headers["host"])
            raw = json.dumps(self.answer if self.answer is not None else self.reply(body)).encode()
            await asyncio.sleep(self.wait)
            known = first.startswith(f"POST {self.path} ")
            where = f"Location: {self.location}\r\n" if self.location else ""
            writer.write(
                f"HTTP/1.1 {self.status if known else 404} Fake\r\n{where}Content-Type: application/json\r\n"
                f"Connection: close\r\nContent-Length: {len(raw)}\r\n\r\n".encode()
                + raw
            )
            await writer.drain()
        writer.close()
