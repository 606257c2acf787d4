"""One OpenAI-compatible server, reached with the `openai` package, whose exceptions become `EngineError`s."""

from __future__ import annotations

import ipaddress
import logging
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import urlsplit

import openai

from bot.engine.api import (
    ContextTooLong,
    Delta,
    EngineAway,
    EngineBusy,
    EngineError,
    Finished,
    Sampling,
    StreamEvent,
)

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Iterator, Sequence

    from openai.types.chat import ChatCompletionChunk

    from data.chat import Message

# At its debug level the package logs whole requests, which hold what people said.
logging.getLogger("openai").setLevel(logging.INFO)

SILENCE = 300.0  # seconds without a byte; a long prompt on a slow processor takes a while before the first token
CONNECT = 5.0  # seconds
ASK = 10.0  # seconds, for requests that a server answers at once


class Wire:
    """A connection pool to one server. `url` usually ends in /v1; `model` may be set once the server has named it."""

    def __init__(self, url: str, *, model: str = "", api_key: str = "") -> None:
        self.url = url.rstrip("/")
        self.root = self.url.removesuffix("/v1")
        self.model = model
        loopback = _is_loopback(url)
        timeout = openai.Timeout(SILENCE, connect=CONNECT)
        self._client = openai.AsyncOpenAI(
            base_url=self.url,
            api_key=api_key or "none",  # else the package would send the user's OPENAI_API_KEY there
            max_retries=0,
            # A server may close an idle connection just as a request is sent on it, and the request fails. On
            # loopback a new connection for each request costs nothing; elsewhere a retry is the lesser evil.
            default_headers={"Connection": "close"} if loopback else None,
            timeout=timeout,
            # A proxy for the internet cannot reach this machine's loopback.
            http_client=openai.DefaultAsyncHttpxClient(timeout=timeout, trust_env=not loopback),
        )

    async def close(self) -> None:
        """Closes the connections. Idempotent."""
        await self._client.close()

    async def get(self, path: str) -> Any:
        """The JSON at a path below the server's root. Raises EngineError."""
        with self._failures():
            return await self._client.get(self.root + path, cast_to=cast("Any", object), options={"timeout": ASK})

    async def post(self, path: str, body: dict[str, Any]) -> Any:
        """The JSON that a path below the server's root returns for a JSON body. Raises EngineError."""
        with self._failures():
            return await self._client.post(self.root + path, cast_to=cast("Any", object), body=body)

    async def models(self) -> list[dict[str, Any]]:
        """The models that the server lists, each as the server describes it. Raises EngineError."""
        with self._failures():
            answer = await self._client.get("/models", cast_to=cast("Any", object), options={"timeout": ASK})
        entries = answer.get("data") if isinstance(answer, dict) else None
        if not isinstance(entries, list):
            raise EngineError(f"{self.url} does not answer like an OpenAI-compatible server: no list of models.")
        return entries

    async def chat(self, messages: Sequence[Message], sampling: Sampling) -> AsyncGenerator[StreamEvent, None]:
        """Streams an answer. The messages are sent unchanged. Raises EngineError."""
        started = time.perf_counter()
        first: float | None = None
        reason: str | None = None
        usage: tuple[int | None, int | None] = (None, None)
        with self._failures():
            stream: openai.AsyncStream[ChatCompletionChunk] = await self._client.chat.completions.create(
                model=self.model,
                messages=cast("Any", list(messages)),
                temperature=sampling.temperature,
                top_p=sampling.top_p,
                frequency_penalty=sampling.frequency_penalty,
                max_tokens=sampling.max_tokens,
                seed=sampling.seed if sampling.seed is not None else openai.omit,
                stop=list(sampling.stop) or openai.omit,
                stream=True,
                stream_options={"include_usage": True},
            )
        try:
            with self._failures():
                async for chunk in stream:
                    if chunk.usage:
                        usage = (chunk.usage.prompt_tokens, chunk.usage.completion_tokens)
                    if not chunk.choices:
                        continue
                    choice = chunk.choices[0]
                    reason = choice.finish_reason or reason
                    if choice.delta.content:
                        first = time.perf_counter() - started if first is None else first
                        yield Delta(choice.delta.content)
        finally:
            await stream.close()  # the server notices the closed connection and stops generating
        if reason is None:
            raise EngineAway(f"The engine at {self.url} broke off in the middle of an answer. Ask again.")
        yield Finished(reason, *usage, first_token_seconds=first)

    @contextmanager
    def _failures(self) -> Iterator[None]:
        try:
            yield
        except openai.APIStatusError as error:
            raise self._refusal(error) from error
        except openai.APIConnectionError as error:
            raise EngineAway(
                f"The engine at {self.url} does not answer. If it is yours, check that it runs; else try again later."
            ) from error
        except openai.APIError as error:  # an error event in the middle of a stream
            raise EngineAway(
                f"The engine at {self.url} failed in the middle of an answer ({error.code}). Ask again."
            ) from error
        except Exception as error:
            if not self._client.is_closed():
                raise
            raise EngineAway(
                f"The connection to the engine at {self.url} was closed: this bot is stopping."
            ) from error

    def _refusal(self, error: openai.APIStatusError) -> EngineError:
        # The server's message may repeat the prompt, so it is read here but never shown or logged.
        status, body = error.status_code, str(error.body).lower()
        if status == 400 and any(hint in body for hint in ("context_size", "context_length", "context length")):
            return ContextTooLong("The conversation is longer than the engine's context. Start a new one.")
        if status in (429, 503):
            return EngineBusy("The engine has too much to do right now. Try again in a moment.")
        if status in (401, 403):
            return EngineError(f"The engine at {self.url} refuses the key. Set PARLEY_ENGINE_API_KEY to a valid one.")
        if status == 404 and self.model:
            return EngineError(
                f"The engine at {self.url} has no model {self.model!r}, or its address lacks /v1. Set "
                "PARLEY_ENGINE_MODEL to one that it serves, or correct PARLEY_ENGINE_URL."
            )
        if status >= 500:
            return EngineAway(f"The engine at {self.url} failed (HTTP {status}). Try again; its log says more.")
        return EngineError(
            f"The engine at {self.url} refused the request (HTTP {status}, {error.code or error.type})."
        )


def _is_loopback(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
