"""One OpenAI-compatible server as the `openai` package reaches it, its failures turned into `EngineError`s."""

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
    Event,
    Finished,
    Sampling,
)

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Iterator, Sequence

    from openai.types.chat import ChatCompletionChunk

    from data.chat import Message

# At its debug level the package logs whole requests, that is, what people said.
logging.getLogger("openai").setLevel(logging.INFO)

# A long prompt on a slow processor takes its time before the first token; a server that is alive sends something.
SILENCE = 300.0  # seconds
CONNECT = 5.0  # seconds
ASK = 10.0  # seconds, for what a server answers at once


class Wire:
    """A connection pool to one server. `url` ends in /v1 as a rule; `model` may be set after the server told it."""

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
            # An idle connection may be closed by the server just when a request is sent on it, which then fails for
            # no reason. A new one costs nothing on loopback; far away it is the lesser evil to ask once more.
            default_headers={"Connection": "close"} if loopback else None,
            timeout=timeout,
            # A proxy meant for the internet cannot reach this machine's loopback.
            http_client=openai.DefaultAsyncHttpxClient(timeout=timeout, trust_env=not loopback),
        )

    async def close(self) -> None:
        """Closes the connections. Idempotent."""
        await self._client.close()

    async def get(self, path: str) -> Any:
        """The JSON that a path below the server's root gives. Raises EngineError."""
        with self._failures():
            return await self._client.get(self.root + path, cast_to=cast("Any", object), options={"timeout": ASK})

    async def post(self, path: str, body: dict[str, Any]) -> Any:
        """The JSON with which a path below the server's root answers a JSON body. Raises EngineError."""
        with self._failures():
            return await self._client.post(self.root + path, cast_to=cast("Any", object), body=body)

    async def models(self) -> list[dict[str, Any]]:
        """The models that the server lists, as it describes them. Raises EngineError."""
        with self._failures():
            answer = await self._client.get("/models", cast_to=cast("Any", object), options={"timeout": ASK})
        entries = answer.get("data") if isinstance(answer, dict) else None
        if not isinstance(entries, list):
            raise EngineError(f"{self.url} does not answer like an OpenAI-compatible server: no list of models.")
        return entries

    async def chat(self, messages: Sequence[Message], sampling: Sampling) -> AsyncGenerator[Event, None]:
        """The streamed answer. The messages go out as they are. Raises EngineError."""
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
                f"The engine at {self.url} does not answer. If it is yours, see that it runs; else try again later."
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
        # The server's own words may repeat the prompt, so they are read here but never shown or logged.
        status, words = error.status_code, str(error.body).lower()
        if status == 400 and any(hint in words for hint in ("context_size", "context_length", "context length")):
            return ContextTooLong("The conversation is longer than the engine's context. Start a new one.")
        if status in (429, 503):
            return EngineBusy("The engine has too much to do just now. Try again in a moment.")
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
