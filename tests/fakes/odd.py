"""A configurable OpenAI-compatible server on loopback that behaves as oddly as a test wants.

    async with OddServer() as odd:
        odd.reply(stream("Hel", "lo"))                         # the next chat request: a body, as bytes or text
        odd.reply(error(400, "no such field"))                 # ... or a refusal
        odd.on("/v1/models", page("<html>"))                   # what a path answers, each time
        odd.otherwise = error(500, "Unexpected endpoint")      # what every other path answers
        odd.requests[0]["messages"]                            # the bodies of the chat requests

A chat request without a reply in the queue gets `usual`. `refuse(field, reply)` answers every request that has the
field.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


@dataclass(frozen=True)
class Reply:
    """A response: its status, its type, further headers, and its body in pieces; a number is a pause in seconds.

    `cut` closes the connection after the body, without its proper end.
    """

    pieces: tuple[bytes | float, ...]
    status: int = 200
    kind: str = "text/event-stream"
    headers: Mapping[str, str] = field(default_factory=dict)
    cut: bool = False


def chunk(delta: Any = None, finish: str | None = None, **more: Any) -> dict[str, Any]:
    """One event of a streamed answer."""
    return {"choices": [{"index": 0, "delta": delta or {}, "finish_reason": finish}], **more}


def events(*values: Any, done: bool = True) -> Reply:
    """A stream of these events: JSON values, or text that is sent as it is."""
    raw = [
        value if isinstance(value, str) else f"data: {json.dumps(value, ensure_ascii=False)}\n\n" for value in values
    ]
    return Reply(tuple(line.encode() for line in [*raw, *(["data: [DONE]\n\n"] if done else [])]))


def stream(*pieces: str, finish: str | None = "stop") -> Reply:
    """A well-behaved stream of an answer in these pieces."""
    return events(*[chunk({"content": piece}) for piece in pieces], chunk({}, finish))


def raw(*pieces: bytes | float, kind: str = "text/event-stream", **more: Any) -> Reply:
    """Exactly these bytes."""
    return Reply(pieces, kind=kind, **more)


def body(value: Any, status: int = 200, **headers: str) -> Reply:
    """A JSON body; an underscore in a header's name stands for a hyphen."""
    named = {name.replace("_", "-"): text for name, text in headers.items()}
    return Reply((json.dumps(value, ensure_ascii=False).encode(),), status, "application/json", named)


def error(status: int, message: str, /, *, headers: Mapping[str, str] | None = None, **more: Any) -> Reply:
    """A refusal as OpenAI writes it."""
    raw_body = json.dumps({"error": {"message": message, **more}}, ensure_ascii=False).encode()
    return Reply((raw_body,), status, "application/json", headers or {})


def page(html: str, status: int = 200) -> Reply:
    """A web page."""
    return Reply((html.encode(),), status, "text/html")


class OddServer:
    """The server. Use it as an async context manager."""

    def __init__(self) -> None:
        self.url = ""
        self.requests: list[dict[str, Any]] = []
        self.paths: list[str] = []
        self.headers: list[dict[str, str]] = []
        self.usual = stream("It is ", "5.")
        self.otherwise = error(404, "not found")
        self._paths: dict[str, Reply | Callable[[dict[str, Any]], Reply]] = {
            "/v1/models": body({"object": "list", "data": [{"id": "odd", "object": "model"}]})
        }
        self._replies: deque[Reply] = deque()
        self._refused: dict[str, Reply] = {}
        self._server: asyncio.Server | None = None
        self._running: set[asyncio.Task[None]] = set()

    def reply(self, *replies: Reply) -> None:
        """Queue replies to the next chat requests."""
        self._replies.extend(replies)

    def refuse(self, name: str, reply: Reply) -> None:
        """Answer every chat request that has this field in its body, or this role in its messages, with a reply."""
        self._refused[name] = reply

    def on(self, path: str, reply: Reply | Callable[[dict[str, Any]], Reply]) -> None:
        """What a path answers each time."""
        self._paths[path] = reply

    async def __aenter__(self) -> OddServer:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}/v1"
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        for task in list(self._running):
            task.cancel()
        await asyncio.gather(*self._running, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._running.add(task)
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            head, *lines = (await reader.readuntil(b"\r\n\r\n")).decode().rstrip("\r\n").split("\r\n")
            headers = {name.lower(): text.strip() for name, text in (line.split(":", 1) for line in lines)}
            data = await reader.readexactly(int(headers.get("content-length", 0)))
            self.paths.append(head.split()[1])
            self.headers.append(headers)
            await self._answer(self._chosen(head.split()[1], json.loads(data) if data else {}), writer)
        self._running.discard(task)
        writer.close()

    def _chosen(self, path: str, asked: dict[str, Any]) -> Reply:
        path = path.split("?")[0]
        if path == "/v1/chat/completions":
            self.requests.append(asked)
            names = {*asked, *(message["role"] for message in asked["messages"])}
            for name, reply in self._refused.items():
                if name in names:
                    return reply
            return self._replies.popleft() if self._replies else self.usual
        found = self._paths.get(path, self.otherwise)
        return found if isinstance(found, Reply) else found(asked)

    async def _answer(self, reply: Reply, writer: asyncio.StreamWriter) -> None:
        named = {"Content-Type": reply.kind, "Transfer-Encoding": "chunked", "Connection": "close", **reply.headers}
        lines = "".join(f"{name}: {text}\r\n" for name, text in named.items())
        writer.write(f"HTTP/1.1 {reply.status} Odd\r\n{lines}\r\n".encode())
        for piece in reply.pieces:
            if isinstance(piece, bytes):
                writer.write(f"{len(piece):x}\r\n".encode() + piece + b"\r\n")
                await writer.drain()
            else:
                await asyncio.sleep(piece)
        if not reply.cut:
            writer.write(b"0\r\n\r\n")
        await writer.drain()
