"""One model of a server that somebody else runs: what it holds, how it counts tokens, how it is reached.

A server may be away or loading when the bot starts, and is then described when somebody talks. What it could not say
at first (its context, how it counts tokens) is asked again later, and after it was away.
"""

from __future__ import annotations

import asyncio
import logging
import re
import time
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from bot.engine import context
from bot.engine.api import EngineAway, EngineError, EngineLoading, sentences
from bot.engine.counting import Counting, probe
from bot.engine.models import chosen
from bot.engine.session import LOADING, LOOK
from bot.engine.thinking import Habits
from bot.engine.wire import ASK
from data.bases import base_template
from data.chat import GENERIC_CONTROL
from data.home_base import base_mark
from data.releases import BASE_RELEASE, Releases

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping
    from pathlib import Path

    from bot.engine.room import Room
    from bot.engine.wire import Wire
    from data.bases import BaseInfo

log = logging.getLogger(__name__)

FALLBACK_CONTEXT = 4096  # tokens, for a server that does not say
_LONGEST = 120  # characters of a model's name that are recorded
_PAUSE = 0.5  # seconds before the one retry
_ASK_AGAIN = (20.0, 1800.0)  # seconds until a server that did not say everything is asked again: first, at most
# Where servers without such a list tell the context of their model: TGI, SGLang, LM Studio, KoboldCpp, TabbyAPI.
_PLACES = ("/info", "/get_server_info", "/api/v0/models", "/api/extra/true_max_context_length", "/v1/model")


class RemoteModel:
    """Implements `bot.engine.serving.Served` for one model at a fixed address.

    `release` is the release that the model is, on the base `base`; with None it is found in a model name like
    `release-0007`, and otherwise the answers are recorded under the model's own name. `restore_it` puts a model
    back that the server does not know any more.
    """

    def __init__(
        self,
        home: Path,
        wire: Wire,
        context_length: int | None,
        *,
        release: int | None = None,
        base: BaseInfo | None = None,
        restore_it: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        self.wire = wire
        self.release = BASE_RELEASE if release is None else release
        self.model: str | None = base_mark(base.alias, base.sha256) if base and release == BASE_RELEASE else None
        self.control = GENERIC_CONTROL
        self.context_length = context_length or FALLBACK_CONTEXT
        self.template = ""
        self.counting = Counting.ESTIMATE
        self.room: Room | None = None  # None: the server itself makes questions wait
        self.users = 0
        self.listed: list[dict[str, Any]] = []  # the server's models, when it was asked last
        self._home = home
        self._known = release is not None
        self._base = base
        self._restore_it = restore_it
        self._restoring = asyncio.Lock()
        self._restored = 0
        self._set = context_length  # by the operator
        self._told: int | None = None  # by the server
        self._described = False
        self._again: float | None = None  # when the server is asked again
        self._pause = _ASK_AGAIN[0]
        self._describing = asyncio.Lock()

    async def renew(self, failed: Wire) -> None:  # noqa: ARG002 - the address is fixed; all we can do is wait
        """Waits a moment, for a server that restarts or has closed an idle connection."""
        self._again = time.monotonic()  # it may come back with another context
        await asyncio.sleep(_PAUSE)

    async def restore(self) -> bool:
        """Puts the model back into a server that forgot it; whether it is there again. Raises EngineError."""
        if self._restore_it is None:
            return False
        before = self._restored
        async with self._restoring:
            if self._restored == before:  # nobody else did it while we waited
                with sentences():
                    await self._restore_it()
                self._restored += 1
        return True

    def outdated(self) -> bool:
        """See `Served.outdated`. What a server has loaded under a name stays what it is."""
        return False

    async def drop(self) -> None:
        """Closes the connections. Idempotent."""
        await self.wire.close()

    async def ready(self) -> None:
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
        models = self.listed = await self._models()
        entry: Mapping[str, Any] = next((each for each in models if each.get("id") == self.wire.model), {})
        if not self._known:
            number = release_of(self.wire.model)
            self.release = BASE_RELEASE if number is None else number
            self.model = self.wire.model[:_LONGEST] if number is None else None
        self.counting = await probe(self.wire)
        props = await self._asked(f"/props?model={quote(self.wire.model)}") if self.counting is Counting.LLAMA else {}
        self.template = base_template(self._base) if self._base else str(props.get("chat_template") or "")
        pinned = self._base.control if self._base else self._pinned()
        strings = {props.get("bos_token"), props.get("eos_token"), *pinned, *GENERIC_CONTROL}
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


async def opened(model: RemoteModel, find: Callable[[], Awaitable[None]]) -> RemoteModel:
    """The model, once `find` has shown that it is the right one; its connections are closed if it is not."""
    try:
        await find()
        await model.ready()
    except BaseException:
        await model.drop()
        raise
    return model


def release_of(model: str) -> int | None:
    """The release number in a model name like `release-0007`; None for any other name."""
    match = re.fullmatch(r"release-(\d{1,9})(?:-[0-9a-f]{8})?", model)
    return int(match[1]) if match else None
