"""The external engine: vLLM, llama-server, Ollama, or any other OpenAI-compatible server that somebody else runs.

A server may be away or loading when the bot starts: then the bot starts without it, and asks it again when somebody
talks.
What a server could not say at first (its context, how it counts tokens) is asked again later, and after it was away.
"""

from __future__ import annotations

import asyncio
import logging
import re
import time
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from bot.engine import context
from bot.engine.api import EngineAway, EngineBusy, EngineError, EngineLoading
from bot.engine.counting import Counting, probe
from bot.engine.models import chosen
from bot.engine.session import LOADING, LOOK, HttpSession
from bot.engine.thinking import Habits
from bot.engine.wire import ASK, Wire
from data.chat import GENERIC_CONTROL
from data.releases import BASE_RELEASE, Releases

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping
    from pathlib import Path

log = logging.getLogger(__name__)

FALLBACK_CONTEXT = 4096  # tokens, for a server that does not say
_PAUSE = 0.5  # seconds before the one retry
_ASK_AGAIN = (20.0, 1800.0)  # seconds until a server that did not say everything is asked again: first, at most
# Where servers without such a list tell the context of their model: TGI, SGLang, LM Studio, KoboldCpp, TabbyAPI.
_PLACES = ("/info", "/get_server_info", "/api/v0/models", "/api/extra/true_max_context_length", "/v1/model")


class ExternalEngine:
    """Implements `bot.engine.api.Engine` on a server at a fixed address. It is also its sessions' `Backend`.

    Create one with `open`.
    """

    def __init__(self, home: Path, wire: Wire, context_length: int | None) -> None:
        self.wire = wire
        self.release = BASE_RELEASE
        self.model: str | None = None
        self.control = GENERIC_CONTROL
        self.context_length = context_length or FALLBACK_CONTEXT
        self.template = ""
        self.counting = Counting.ESTIMATE
        self._home = home
        self._set = context_length  # by the operator
        self._told: int | None = None  # by the server
        self._described = False
        self._again: float | None = None  # when the server is asked again
        self._pause = _ASK_AGAIN[0]
        self._describing = asyncio.Lock()

    @classmethod
    async def open(
        cls,
        home: Path,
        url: str,
        *,
        model: str | None,
        api_key: str,
        context_length: int | None,
        extra: Mapping[str, Any] | None = None,
        silence: float | None = None,
    ) -> ExternalEngine:
        """Asks the server what it serves. Raises EngineError when it has no such model or refuses the key.

        A server that does not answer, or loads its model, is only logged: it is asked again for each answer.
        """
        wire = Wire(url, model=model or "", api_key=api_key, extra=extra, silence=silence)
        engine = cls(home, wire, context_length)
        try:
            await engine._describe()
        except (EngineAway, EngineBusy) as error:
            log.warning("%s The bot starts without it, and asks it again when somebody talks.", error)
        except BaseException:
            await wire.close()
            raise
        return engine

    @asynccontextmanager
    async def session(self) -> AsyncIterator[HttpSession]:
        """See `Engine.session`."""
        await self._know()
        yield HttpSession(self)

    async def renew(self, failed: Wire) -> None:  # noqa: ARG002 - the address is fixed; all we can do is wait
        """Waits a moment, for a server that restarts or has closed an idle connection."""
        self._again = time.monotonic()  # it may come back with another context
        await asyncio.sleep(_PAUSE)

    async def close(self) -> None:
        """See `Engine.close`."""
        await self.wire.close()

    async def _know(self) -> None:
        """Asks the server what it serves if that is not known yet, or is to be asked again. Raises EngineError."""
        due = self._again is not None and time.monotonic() >= self._again
        if self._described and not due:
            return
        async with self._describing:
            if self._described and (self._again is None or time.monotonic() < self._again):
                return
            until = time.monotonic() + LOADING
            while True:
                try:
                    await self._describe()
                except EngineLoading:
                    if time.monotonic() >= until:
                        raise
                    await asyncio.sleep(LOOK)
                except EngineError:
                    if not self._described:
                        raise
                    self._ask_later()  # the answer itself will show whether it works
                    return
                else:
                    return

    async def _describe(self) -> None:
        models = await self._models()
        entry: Mapping[str, Any] = next((each for each in models if each.get("id") == self.wire.model), {})
        self.release = release_of(self.wire.model)
        self.counting = await probe(self.wire)
        props = await self._asked("/props") if self.counting is Counting.LLAMA else {}
        self.template = str(props.get("chat_template") or "")
        strings = {props.get("bos_token"), props.get("eos_token"), *self._pinned(), *GENERIC_CONTROL}
        self.control = tuple(sorted(s for s in strings if s and isinstance(s, str)))
        if not self._described:
            self.wire.habits = Habits(unknown=not self.template or "think" in self.template)
        told, certain = await self._context(entry, models, props)
        self._hold(told)
        first, self._described = not self._described, True
        if certain or self._set:
            self._again, self._pause = None, _ASK_AGAIN[0]
        else:
            self._ask_later()
        if first:
            self._say_what_is_unknown(told)

    async def _models(self) -> list[dict[str, Any]]:
        """The models that the server lists, and the one to ask, if the operator did not choose it."""
        try:
            models = await self.wire.models()
        except EngineAway as error:
            if error.refused is None or isinstance(error, EngineLoading) or not self.wire.model:
                raise
            return []
        except EngineError as error:
            refused = error.refused is not None and error.refused.status in (401, 402, 403, 407, 429)
            if refused:
                raise
            if not self.wire.model:
                raise self.wire.no_list() from error
            return []  # the operator says which model to ask, so a list is not needed
        if not self.wire.model:
            self.wire.model = chosen(models, self.wire.shown)
        return models

    async def _context(
        self, entry: Mapping[str, Any], models: list[dict[str, Any]], props: Mapping[str, Any]
    ) -> tuple[int | None, bool]:
        """The context that the server tells, wherever it does, and whether that is certain."""
        told = context.told(entry, models)
        slot = context.of_llama(props)
        if slot is not None or told is not None:
            return min(filter(None, (slot, told))), True
        if self._set:
            return None, True
        show, running = await asyncio.gather(
            self._asked("/api/show", {"model": self.wire.model, "name": self.wire.model}), self._asked("/api/ps")
        )
        if ollama := context.of_ollama(show, running, self.wire.model):
            return ollama
        answers = await asyncio.gather(*map(self._asked, _PLACES))
        found = (context.anywhere(answer, self.wire.model) for answer in answers)
        told = next((number for number in found if number), None)
        return told, told is not None

    async def _asked(self, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        """What a path answers; nothing where the server does not have it."""
        try:
            async with asyncio.timeout(ASK):
                return await (self.wire.get(path) if body is None else self.wire.post(path, body))
        except (EngineError, TimeoutError):
            return {}

    def _hold(self, told: int | None) -> None:
        """Takes what the server tells; what a refusal taught stays while the server tells the same as before."""
        if self._set or (self._described and told == self._told):
            return
        self._told = told
        if told is not None or not self._described:
            self.context_length = told or FALLBACK_CONTEXT

    def _ask_later(self) -> None:
        self._again = time.monotonic() + self._pause
        self._pause = min(2 * self._pause, _ASK_AGAIN[1])

    def _say_what_is_unknown(self, told: int | None) -> None:
        if self.counting is Counting.ESTIMATE:
            log.warning(
                "The engine at %s cannot count tokens, so lengths are estimated from above and conversations are cut "
                "earlier than necessary.",
                self.wire.shown,
            )
        if told is None and not self._set:
            log.warning(
                "The engine at %s does not say how many tokens it holds; %d are assumed. Set PARLEY_ENGINE_CONTEXT "
                "to the right number.",
                self.wire.shown,
                self.context_length,
            )

    def _pinned(self) -> list[str]:
        """The control strings in the manifest of the release that is served, if it is one of this home's."""
        known = {release.number: release for release in Releases(self._home).all()} if self.release else {}
        return list(known[self.release].manifest.control) if self.release in known else []


def release_of(model: str) -> int:
    """The release number in a model name like `release-0007`; 0 for any other name."""
    match = re.fullmatch(r"release-(\d+)", model)
    return int(match[1]) if match else BASE_RELEASE
