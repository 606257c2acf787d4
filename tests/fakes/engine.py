"""A fake OpenAI-compatible engine on loopback, with a queue of scripted answers and a record of its requests.

    async with FakeEngine() as fake:
        fake.answer("Hel", "lo")                    # the next answer, in these pieces
        fake.answer("long", hold=event)             # waits for the event before its last piece
        fake.fail(503)                              # the next request fails with this status
        fake.drop(after=1)                          # the next answer breaks off after one piece
        engine = await open_engine(tmp_path, url=fake.url)
        ...
        fake.requests[0]["messages"]                # the bodies of the chat requests, in order
        fake.cancelled                              # how many answers the client cut short

With an empty queue it answers "a fake answer". `kind` says whose extra endpoints it has: "llama" (/apply-template,
/tokenize, /props as llama-server), "vllm" (/tokenize of messages, max_model_len) or "plain" (none).
One token is a word, a run of blanks, or one other character; ChatML renders the messages.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections import deque
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

TEMPLATE = (
    "{% for message in messages %}"
    "{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>\\n' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
)


@dataclass
class Script:
    """One scripted reaction to a chat request."""

    pieces: tuple[str, ...] = ()
    finish_reason: str = "stop"
    hold: asyncio.Event | None = None
    delay: float = 0.0
    status: int = 200
    error: dict[str, Any] = field(default_factory=dict)
    drop_after: int | None = None


_USUAL = Script(("a", " fake", " answer"))


def render(messages: list[dict[str, Any]]) -> str:
    """What the fake's template makes of the messages."""
    turns = "".join(f"<|im_start|>{m['role']}\n{m['content']}<|im_end|>\n" for m in messages)
    return f"{turns}<|im_start|>assistant\n"


def tokens(text: str) -> list[str]:
    """The fake's tokens."""
    return re.findall(r"<\|\w+\|>|\w+|\s+|.", text)


class FakeEngine:
    """An engine that gives the answers it was told to give. Use it as an async context manager."""

    def __init__(
        self, *, kind: str = "llama", model: str = "release-0000", context: int = 2048, api_key: str = ""
    ) -> None:
        self.kind = kind
        self.model = model
        self.context = context
        self.api_key = api_key
        self.requests: list[dict[str, Any]] = []
        self.paths: list[str] = []
        self.cancelled = 0
        self.running = 0
        self.url = ""
        self.late: dict[str, float] = {}  # seconds before a path is looked at; not for answers to questions
        self.raw = b""  # the body of the last request
        self._scripts: deque[Script] = deque()
        self._server: asyncio.Server | None = None
        self._connections: set[asyncio.Task[None]] = set()

    def answer(
        self, *pieces: str, finish_reason: str = "stop", hold: asyncio.Event | None = None, delay: float = 0.0
    ) -> None:
        """Queues an answer in these pieces; `delay` seconds before each, `hold` awaited before the last one."""
        self._scripts.append(Script(pieces, finish_reason, hold, delay))

    def fail(self, status: int, **error: Any) -> None:
        """Queues a refusal with an HTTP status and, if given, the fields of the error's body."""
        self._scripts.append(Script(status=status, error=error))

    def drop(self, *pieces: str, after: int = 0) -> None:
        """Queues an answer whose connection dies after this number of pieces (0: before the answer begins)."""
        self._scripts.append(Script(pieces or ("broken", " off"), drop_after=after))

    async def until_running(self, number: int) -> None:
        """Waits until this number of answers are being streamed."""
        async with asyncio.timeout(30):
            while self.running != number:  # noqa: ASYNC110 - a test may wait for any number, up or down
                await asyncio.sleep(0.005)

    async def __aenter__(self) -> FakeEngine:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def start(self, port: int = 0) -> None:
        """Listens on loopback; `url` is the address with /v1."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", port)
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}/v1"

    async def stop(self) -> None:
        """Closes the port and every connection at once, as a killed engine does."""
        if self._server:
            self._server.close()
        connections = list(self._connections)
        for task in connections:
            task.cancel()
        await asyncio.gather(*connections, return_exceptions=True)

    def answer_at_once(self, path: str, body: dict[str, Any]) -> dict[str, Any] | None:
        """What this path answers, for a client in the same process; None where it must use the socket."""
        found = self._plain(path, body) if self._open else None
        if found is not None:
            self.paths.append(path)
        return found

    def at_once(self, body: dict[str, Any]) -> AsyncGenerator[dict[str, Any], None] | None:
        """The events of an ordinary answer, for a client in the same process; None where it must use the socket."""
        script = self._scripts[0] if self._scripts else _USUAL
        ordinary = script.status == 200 and script.drop_after is None and not script.delay
        if not ordinary or not self._open or self._too_long(body):
            return None
        self._next_script()
        self.paths.append("/v1/chat/completions")
        self.requests.append(body)
        return self._near(script, self._usage(body, script))

    async def _near(self, script: Script, usage: dict[str, Any]) -> AsyncGenerator[dict[str, Any], None]:
        whole = False
        self.running += 1
        try:
            yield self._chunk([_choice({"role": "assistant", "content": None})])
            for number, piece in enumerate(script.pieces):
                if script.hold and number == len(script.pieces) - 1:
                    await script.hold.wait()
                await asyncio.sleep(0)
                yield self._chunk([_choice({"content": piece})])
            yield self._chunk([_choice({}, script.finish_reason)])
            whole = True
            yield self._chunk([], usage)
        finally:
            self.running -= 1
            self.cancelled += not whole

    @property
    def _open(self) -> bool:
        return self._server is not None and self._server.is_serving() and not self.api_key

    def _next_script(self) -> Script:
        return self._scripts.popleft() if self._scripts else _USUAL

    def _too_long(self, body: dict[str, Any]) -> bool:
        return len(tokens(render(body["messages"]))) >= self.context

    def _usage(self, body: dict[str, Any], script: Script) -> dict[str, Any]:
        return {
            "prompt_tokens": len(tokens(render(body["messages"]))),
            "completion_tokens": len(script.pieces),
        }

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._connections.add(task)
        try:
            while await self._request(reader, writer):
                pass
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            self._connections.discard(task)
            writer.close()
            with suppress(Exception):
                await writer.wait_closed()

    async def _request(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        first, *lines = head.rstrip("\r\n").split("\r\n")
        headers = {k.strip().lower(): v.strip() for k, v in (line.split(":", 1) for line in lines)}
        raw = await reader.readexactly(int(headers.get("content-length", 0)))
        self.raw = raw
        body = json.loads(raw) if raw and "json" in headers.get("content-type", "") else {}
        path = first.split()[1].partition("?")[0]
        self.paths.append(path)
        if self.api_key and headers.get("authorization") != f"Bearer {self.api_key}":
            await self._json(writer, {"error": {"code": 401, "message": "wrong key"}}, 401)
        elif path == "/v1/chat/completions" and (refusal := self.refusal(body)) is None:
            return await self._chat(body, reader, writer)
        elif path == "/v1/chat/completions":
            await self._json(writer, refusal or {}, 404)
        else:
            if path in self.late:
                await asyncio.sleep(self.late[path])  # as a server does, it goes on when the client has gone
            status, answer = self.reply(path, body)
            await self._json(writer, answer, status)
        return True

    def refusal(self, body: dict[str, Any]) -> dict[str, Any] | None:
        """Why a chat request is answered with 404; None where it is answered."""
        return None

    def reply(self, path: str, body: dict[str, Any]) -> tuple[int, dict[str, Any] | list[Any] | str]:
        """The status and the body at any other path."""
        answer = self._plain(path, body)
        return (404, {"error": {"code": 404}}) if answer is None else (200, answer)

    def _plain(self, path: str, body: dict[str, Any]) -> dict[str, Any] | None:
        """The endpoints without a stream; None where this kind of server has no such endpoint."""
        if path == "/health":
            return {"status": "ok"}
        if path == "/v1/models":
            entry: dict[str, Any] = {"id": self.model, "object": "model"}
            if self.kind == "vllm":
                entry["max_model_len"] = self.context
            return {"object": "list", "data": [entry]}
        if self.kind == "llama":
            if path == "/apply-template":
                return {"prompt": render(body["messages"])}
            if path == "/tokenize":
                return {"tokens": list(range(len(tokens(body["content"]))))}
            if path == "/props":
                settings = {"n_ctx": self.context, "params": {}}
                return {"default_generation_settings": settings, "chat_template": TEMPLATE}
        if self.kind == "vllm" and path == "/tokenize":
            count = len(tokens(render(body["messages"])))
            return {"count": count, "max_model_len": self.context, "tokens": list(range(count))}
        return None

    async def _chat(self, body: dict[str, Any], reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        self.requests.append(body)
        script = self._next_script()
        if script.status == 200 and self._too_long(body):
            error = {"code": 400, "type": "exceed_context_size_error", "message": "too long"}
            script = Script(status=400, error=error)
        if script.status != 200:
            await self._json(writer, {"error": script.error or {"code": script.status}}, script.status)
            return True
        if script.drop_after == 0:
            return False
        usage = self._usage(body, script)
        if not body.get("stream"):
            message = {"role": "assistant", "content": "".join(script.pieces)}
            choice = {"index": 0, "message": message, "finish_reason": script.finish_reason}
            await self._json(writer, self._chunk([choice], usage))
            return True
        gone = asyncio.create_task(reader.read(1))
        events = asyncio.create_task(self._events(script, usage, writer))
        self.running += 1
        try:
            await asyncio.wait({gone, events}, return_when=asyncio.FIRST_COMPLETED)
            if not events.done():
                self.cancelled += 1
                return False
            return events.result() and not gone.done()
        finally:
            self.running -= 1
            for task in (gone, events):
                task.cancel()
            await asyncio.gather(gone, events, return_exceptions=True)

    async def _events(self, script: Script, usage: dict[str, Any], writer: asyncio.StreamWriter) -> bool:
        head = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
        writer.write(head.encode())
        await self._event(writer, self._chunk([_choice({"role": "assistant", "content": None})]))
        for number, piece in enumerate(script.pieces):
            if script.drop_after == number:
                return False
            if script.hold and number == len(script.pieces) - 1:
                await script.hold.wait()
            await asyncio.sleep(script.delay)
            await self._event(writer, self._chunk([_choice({"content": piece})]))
        if script.drop_after is not None:
            return False
        await self._event(writer, self._chunk([_choice({}, script.finish_reason)]))
        await self._event(writer, self._chunk([], usage))
        await self._event(writer, "[DONE]")
        writer.write(b"0\r\n\r\n")
        await writer.drain()
        return True

    async def _event(self, writer: asyncio.StreamWriter, data: dict[str, Any] | str) -> None:
        text = data if isinstance(data, str) else json.dumps(data)
        raw = f"data: {text}\n\n".encode()
        writer.write(f"{len(raw):x}\r\n".encode() + raw + b"\r\n")
        await writer.drain()

    async def _json(
        self, writer: asyncio.StreamWriter, body: dict[str, Any] | list[Any] | str, status: int = 200
    ) -> None:
        raw = body.encode() if isinstance(body, str) else json.dumps(body).encode()
        kind = "" if isinstance(body, str) else "Content-Type: application/json\r\n"
        head = f"HTTP/1.1 {status} Fake\r\n{kind}Content-Length: {len(raw)}\r\n\r\n"
        writer.write(head.encode() + raw)
        await writer.drain()

    def _chunk(self, choices: list[dict[str, Any]], usage: dict[str, Any] | None = None) -> dict[str, Any]:
        return {
            "id": "fake",
            "object": "chat.completion.chunk",
            "created": 0,
            "model": self.model,
            "choices": choices,
            "usage": usage,
        }


def _choice(delta: dict[str, Any], finish_reason: str | None = None) -> dict[str, Any]:
    return {"index": 0, "delta": delta, "finish_reason": finish_reason}
