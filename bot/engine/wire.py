"""One OpenAI-compatible server, reached with the `openai` package, whose exceptions become `EngineError`s.

What a server is asked with is in `dialect`, how its events are read in `sse` and `chunks`, and what its refusals mean
in `refusals`. No sentence here holds a password or a key of the address.
"""

from __future__ import annotations

import asyncio
import logging
from contextlib import aclosing, asynccontextmanager, contextmanager
from typing import TYPE_CHECKING, Any, cast

import openai

from bot.engine.api import EngineAway, EngineError, EngineSilent
from bot.engine.chunks import Chunk, read
from bot.engine.dialect import Dialect
from bot.engine.increments import Increments
from bot.engine.refusals import error_of
from bot.engine.refused import refused
from bot.engine.sse import Events, TooMuch
from bot.engine.thinking import Habits
from data.address import address

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Mapping
    from pathlib import Path

# At its debug level the package logs whole requests, which hold what people said; the one below it logs addresses.
logging.getLogger("openai").setLevel(logging.INFO)
for _name in ("httpx", "httpx2", "httpcore", "httpcore2"):
    logging.getLogger(_name).setLevel(logging.WARNING)

SILENCE = 300.0  # seconds without a token; a long prompt on a slow processor takes a while before the first one
CONNECT = 5.0  # seconds
ASK = 10.0  # seconds, for requests that a server answers at once


class NoJson(EngineError):
    """The server answered with something that is not what was asked for: a web page, or another kind of value."""


class Wire:
    """A connection pool to one server. `url` usually ends in /v1; `model` may be set once the server has named it.

    `extra` is merged into every request for an answer; `silence` is how long, in seconds, an answer may stand still.
    """

    def __init__(
        self,
        url: str,
        *,
        model: str = "",
        api_key: str = "",
        extra: Mapping[str, Any] | None = None,
        silence: float | None = None,
    ) -> None:
        place = address(url)
        self.url = place.url
        self.shown = place.shown
        self.root = self.url.removesuffix("/v1")
        self.model = model
        self.silence = silence or SILENCE
        self.dialect = Dialect(extra)
        self.habits = Habits()
        self._key = api_key
        timeout = openai.Timeout(self.silence, connect=CONNECT)
        headers = {"Authorization": place.authorization} if place.authorization and not api_key else {}
        # A server may close an idle connection just as a request is sent on it, and the request fails. On loopback a
        # new connection for each request costs nothing; elsewhere a retry is the lesser evil.
        headers |= {"Connection": "close"} if place.loopback else {}
        self._client = openai.AsyncOpenAI(
            base_url=self.url,
            api_key=api_key or "none",  # else the package would send the user's OPENAI_API_KEY there
            max_retries=0,
            default_headers=headers,
            default_query=place.query,
            timeout=timeout,
            # A proxy for the internet cannot reach this machine's loopback.
            http_client=openai.DefaultAsyncHttpxClient(timeout=timeout, trust_env=not place.loopback),
        )

    async def close(self) -> None:
        """Closes the connections. Idempotent."""
        await self._client.close()

    async def get(self, path: str) -> dict[str, Any]:
        """The JSON object at a path below the server's root. Raises EngineError."""
        with self._failures():
            answer = await self._client.get(self.root + path, cast_to=_ANY, options={"timeout": ASK})
        return self._object(answer, path)

    async def post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        """The JSON object that a path below the server's root returns for a JSON body. Raises EngineError."""
        with self._failures():
            answer = await self._client.post(self.root + path, cast_to=_ANY, body=body)
        return self._object(answer, path)

    async def listed(self, path: str) -> list[Any]:
        """The JSON list at a path below the server's root. Raises EngineError."""
        with self._failures():
            answer = await self._client.get(self.root + path, cast_to=_ANY, options={"timeout": ASK})
        if not isinstance(answer, list):
            raise self._page(path)
        return answer

    async def order(self, path: str, body: dict[str, Any], *, method: str = "post") -> None:
        """Has a path below the server's root do something; what it answers does not matter. Raises EngineError."""
        send = self._client.delete if method == "delete" else self._client.post
        with self._failures():
            await send(self.root + path, cast_to=_ANY, body=body)

    async def upload(self, path: str, file: Path) -> None:
        """Sends a file to a path below the server's root. Raises EngineError."""
        headers = {
            "Content-Type": "application/octet-stream",
            "Content-Length": str(await asyncio.to_thread(_size, file)),
        }
        with self._failures():
            await self._client.post(
                self.root + path, cast_to=_ANY, content=_blocks(file), options={"headers": headers}
            )

    async def models(self) -> list[dict[str, Any]]:
        """The models that the server lists, each as the server describes it. Raises EngineError, NoJson."""
        with self._failures():
            answer = await self._client.get("/models", cast_to=_ANY, options={"timeout": ASK})
        entries = answer
        if isinstance(answer, dict):
            entries = answer["data"] if "data" in answer else answer.get("models", 0)
        if entries is None:
            return []
        if not isinstance(entries, list):
            raise self.no_list()
        return [entry for entry in entries if isinstance(entry, dict)]

    def no_list(self) -> NoJson:
        """The error for a server that does not list its models."""
        return NoJson(
            f"The engine at {self.shown} has no list of models, as OpenAI-compatible servers do. Set "
            "PARLEY_ENGINE_MODEL, or correct PARLEY_ENGINE_URL, which usually ends in /v1."
        )

    async def reach(self) -> None:
        """Checks that the server answers and takes the key, even if it lists no models. Raises EngineError."""
        try:
            await self.models()
        except EngineError as error:
            status = None if error.refused is None else error.refused.status
            unknown = isinstance(error, NoJson) or status in (400, 404, 405, 422, 500, 501)
            if not unknown:
                raise

    async def chat(self, body: dict[str, Any]) -> AsyncGenerator[Chunk, None]:
        """Streams the chunks of an answer to this request. Raises EngineError."""
        clock = asyncio.get_running_loop().time
        deadline = clock() + self.silence
        ended, increments = False, Increments()
        async with self._answering(body, deadline) as (blocks, events), aclosing(blocks):
            while not ended:
                try:
                    async with asyncio.timeout_at(deadline):
                        block = await anext(blocks, None)
                    found = events.end() if block is None else events.feed(block)
                except TimeoutError:
                    raise self._silent() from None
                except TooMuch:
                    raise EngineAway(f"The engine at {self.shown} sends an endless event.") from None
                for event in found:
                    if event.page:
                        raise self._page("/chat/completions")
                    chunk = (
                        Chunk(done=event.done, damaged=event.damaged)
                        if event.value is None
                        else read(event.value, event.name)
                    )
                    if chunk.error is not None:
                        raise error_of(refused(200, chunk.error, key=self._key), self.shown, self.model)
                    if chunk.progress:
                        deadline = clock() + self.silence
                    yield increments.take(chunk)
                    if chunk.done:  # nothing that follows belongs to the answer
                        ended = True
                        break
                ended = ended or block is None
        text, thought = increments.rest()
        if text or thought:
            yield Chunk(text=text, thought=thought)

    @asynccontextmanager
    async def _answering(
        self, body: dict[str, Any], deadline: float
    ) -> AsyncIterator[tuple[AsyncGenerator[bytes, None], Events]]:
        """Sends a request for an answer; gives its bytes as they come, and what reads events from them."""
        create = self._client.chat.completions.with_streaming_response.create
        asked = create(model=self.model, messages=body["messages"], stream=body["stream"], extra_body=body)
        with self._failures():
            try:
                async with asyncio.timeout_at(deadline):
                    response = await asked.__aenter__()
            except TimeoutError:
                raise self._silent() from None
        try:
            kind = response.headers.get("content-type", "").lower()
            events = Events(whole="json" in kind and "nd" not in kind and "lines" not in kind and "seq" not in kind)
            yield self._bytes(response.iter_bytes()), events
        finally:
            await asked.__aexit__(None, None, None)  # the server notices the closed connection and stops generating

    async def _bytes(self, blocks: AsyncIterator[bytes]) -> AsyncGenerator[bytes, None]:
        try:
            async for block in blocks:
                yield block
        except (GeneratorExit, asyncio.CancelledError, TimeoutError):
            raise
        except Exception as error:  # of the connection or of its compression: nothing else is called here
            raise self._broke_off() from error

    def _broke_off(self) -> EngineAway:
        return EngineAway(
            f"The engine at {self.shown} broke off in the middle of an answer. Its own log may say why."
        )

    def _silent(self) -> EngineSilent:
        return EngineSilent(
            f"The engine at {self.shown} took a request and gave no token for {self.silence:.0f} seconds. If it "
            "needs longer, set PARLEY_ENGINE_TIMEOUT to more seconds."
        )

    def _object(self, answer: Any, path: str) -> dict[str, Any]:
        if not isinstance(answer, dict):
            raise self._page(path)
        return answer

    def _page(self, path: str) -> NoJson:
        return NoJson(
            f"The engine at {self.shown} answers {path} like a web site, not like an OpenAI-compatible server. "
            "Correct PARLEY_ENGINE_URL, which usually ends in /v1."
        )

    @contextmanager
    def _failures(self) -> Iterator[None]:
        try:
            yield
        except EngineError:
            raise
        except openai.APIStatusError as error:
            answer = error.response
            raise error_of(
                refused(error.status_code, _body(error), answer.headers, key=self._key), self.shown, self.model
            ) from error
        except openai.APIConnectionError as error:
            if isinstance(error, openai.APITimeoutError) and not _unconnected(error):
                raise EngineSilent(f"The engine at {self.shown} did not answer in time.") from error
            raise EngineAway(
                f"The engine at {self.shown} does not answer. If it is yours, check that it runs; else try again "
                "later."
            ) from error
        except openai.APIError as error:
            raise EngineAway(f"The engine at {self.shown} does not answer as it should.") from error
        except ValueError as error:  # a body that says it is JSON
            raise NoJson(f"The engine at {self.shown} sent something that is not JSON.") from error
        except Exception as error:
            if not self._client.is_closed():
                raise
            raise EngineAway(
                f"The connection to the engine at {self.shown} was closed: this bot is stopping."
            ) from error


_ANY = cast("Any", object)


def _unconnected(error: openai.APITimeoutError) -> bool:
    """Whether the server never took the connection, as on a busy machine, so that it can be asked again."""
    return type(error.__cause__).__name__ == "ConnectTimeout"  # of httpx or httpx2, whichever the package has


def _size(file: Path) -> int:
    return file.stat().st_size


async def _blocks(file: Path) -> AsyncIterator[bytes]:
    with file.open("rb") as opened:
        while block := await asyncio.to_thread(opened.read, 1 << 20):
            yield block


def _body(error: openai.APIStatusError) -> Any:
    """The whole body; the package itself gives only what stands in `error`."""
    try:
        return error.response.json()
    except Exception:
        return error.body if error.body is not None else error.message
