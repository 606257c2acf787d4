"""A fake moderation endpoint on loopback, like OpenAI's: it flags a text that holds one of its words.

async with FakeModeration({"bad": "violence"}) as fake:   # flags "bad", for the category "violence"
    fake.seen                                             # the texts that it was asked about, in order
    fake.status = 500                                     # fails from now on
"""

from __future__ import annotations

import asyncio
import json
from contextlib import suppress
from typing import Any


class FakeModeration:
    """An endpoint that gives the verdicts it was told to give. Use it as an async context manager."""

    def __init__(self, flags: dict[str, str]) -> None:
        self.flags = flags
        self.status = 200
        self.location = ""
        self.answer: Any = None  # sent instead of a verdict
        self.seen: list[str] = []
        self.bodies: list[dict[str, Any]] = []
        self.keys: list[str] = []
        self.url = ""
        self._server: asyncio.Server | None = None

    async def __aenter__(self) -> FakeModeration:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}/v1"
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def stop(self) -> None:
        """Close the port."""
        if self._server:
            self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            first, *lines = head.rstrip("\r\n").split("\r\n")
            headers = {k.lower(): v.strip() for k, v in (line.split(":", 1) for line in lines)}
            body = json.loads(await reader.readexactly(int(headers["content-length"])))
            self.bodies.append(body)
            self.seen.append(body["input"])
            self.keys.append(headers.get("authorization", ""))
            found = [name for word, name in self.flags.items() if word in body["input"]]
            result = {"flagged": bool(found), "categories": dict.fromkeys(found, True)}
            known = first.startswith("POST /v1/moderations ")
            answer = self.answer if self.answer is not None else {"id": "m", "model": "m", "results": [result]}
            raw = json.dumps(answer).encode()
            where = f"Location: {self.location}\r\n" if self.location else ""
            writer.write(
                f"HTTP/1.1 {self.status if known else 404} Fake\r\n{where}Content-Type: application/json\r\n"
                f"Connection: close\r\nContent-Length: {len(raw)}\r\n\r\n".encode()
                + raw
            )
            await writer.drain()
        writer.close()
