"""A fake embedding endpoint on loopback, like OpenAI's: texts with a word in common get similar vectors."""

from __future__ import annotations

import asyncio
import json
from contextlib import suppress
from typing import Any


class FakeEmbeddings:
    """An endpoint whose vectors count words. `topics` are sets of words that mean the same."""

    def __init__(self, *topics: set[str]) -> None:
        self.topics = topics
        self.status = 200
        self.answer: Any = None  # sent instead of vectors
        self.wait = 0.0  # seconds before it answers
        self.seen: list[list[str]] = []  # the texts of each request
        self.keys: list[str] = []
        self.models: list[str | None] = []
        self.url = ""
        self._server: asyncio.Server | None = None

    async def __aenter__(self) -> FakeEmbeddings:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}/v1"
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._server:
            self._server.close()

    def vector(self, text: str) -> list[float]:
        """A dimension for each topic, and one that all texts have."""
        words = set(text.lower().replace("?", "").split())
        return [1.0, *(float(bool(words & topic)) for topic in self.topics)]

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            first, *lines = head.rstrip("\r\n").split("\r\n")
            headers = {k.lower(): v.strip() for k, v in (line.split(":", 1) for line in lines)}
            body = json.loads(await reader.readexactly(int(headers["content-length"])))
            self.seen.append(body["input"])
            self.models.append(body.get("model"))
            self.keys.append(headers.get("authorization", ""))
            data = [{"index": at, "embedding": self.vector(text)} for at, text in enumerate(body["input"])]
            answer = self.answer if self.answer is not None else {"data": data[::-1]}
            raw = json.dumps(answer).encode()
            await asyncio.sleep(self.wait)
            known = first.startswith("POST /v1/embeddings ")
            writer.write(
                f"HTTP/1.1 {self.status if known else 404} Fake\r\nContent-Type: application/json\r\n"
                f"Connection: close\r\nContent-Length: {len(raw)}\r\n\r\n".encode()
                + raw
            )
            await writer.drain()
        writer.close()
