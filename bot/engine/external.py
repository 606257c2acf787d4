"""The engine at an address: what kind of server it is, found out when it first answers.

Either it serves this home's releases and follows the champion, or one model of it answers whatever the champion is
(the kind `fixed`), which is said plainly.
"""

from __future__ import annotations

import asyncio
import logging
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from bot.engine.api import EngineAway, EngineBusy, EngineError, sentences
from bot.engine.following import CLOSED, FollowingEngine
from bot.engine.llama import LlamaServers
from bot.engine.ollama import OllamaServer
from bot.engine.remote import RemoteModel
from bot.engine.session import HttpSession
from bot.engine.vllm import VllmServer
from data.asked_to_think import USUAL
from data.bases import base_info
from data.chosen_base import home_base
from data.errors import ParleyError
from data.release_address import OLLAMA
from data.releases import BASE_RELEASE, Releases
from data.vllm import base_entry, base_problem

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from bot.engine.place import Place
    from bot.engine.serving import ReleaseServer

log = logging.getLogger(__name__)


class ExternalEngine:
    """Implements `bot.engine.api.Engine` on a server that somebody else runs. Create one with `open`."""

    def __init__(self, place: Place, release: int | None) -> None:
        self._place = place
        self._release = release
        self._model: RemoteModel | None = None  # what answers if the server is `fixed`, and is asked what it is
        self._fixed = False
        self._following: FollowingEngine | None = None
        self._how = ""  # how a fixed server could serve releases
        self._finding = asyncio.Lock()
        self._closed = False

    @classmethod
    async def open(cls, place: Place, *, release: int | None = None) -> ExternalEngine:
        """Asks the server what it is. Raises ParleyError when it refuses the key or cannot serve what it should.

        `release` None follows the champion. A server that does not answer, or loads its model, is only logged: it is
        asked again for each answer.
        """
        engine = cls(place, release)
        try:
            await engine._find()
        except (EngineAway, EngineBusy) as error:
            log.warning("%s The bot starts without it, and asks it again when somebody talks.", error)
        except BaseException:
            await engine.close()
            raise
        return engine

    def cannot_serve(self, release: int) -> str | None:
        """See `Engine.cannot_serve`."""
        if self._following:
            return self._following.cannot_serve(release)
        model = self._model
        if model is None or not self._fixed or (model.model is None and model.release == release):
            return None
        return self._sentence(model, "The engine")

    @asynccontextmanager
    async def session(self) -> AsyncIterator[HttpSession]:
        """See `Engine.session`."""
        with sentences():
            await self._find()
        if self._following:
            async with self._following.session() as session:
                yield session
        else:
            assert self._model is not None
            yield HttpSession(self._model)

    async def close(self) -> None:
        """See `Engine.close`."""
        self._closed = True
        if self._following:
            await self._following.close()
        if self._model:
            await self._model.drop()

    async def _find(self) -> None:
        """Finds out what the server is, once it can be asked. Raises ParleyError."""
        if self._following:
            return
        async with self._finding:
            if self._following:
                return
            server = self._told()
            if server is None:
                if self._model is None:
                    wire = self._place.wire(self._place.model or "", thoughtful={USUAL: True})
                    self._model = RemoteModel(self._place.home, wire, self._place.context_length)
                await self._model.ready()
                if self._fixed:
                    return
                server = self._probed(self._model)
                if server is None:
                    self._say_fixed(self._model)
                    self._fixed = True
                    return
            following = await FollowingEngine.open(self._place.home, server, release=self._release)
            if self._closed:
                await following.close()
                raise EngineAway(CLOSED)
            self._following = following
            if self._model:
                await self._model.drop()

    def _told(self) -> ReleaseServer | None:
        """The server of releases that the operator names."""
        releases = self._place.releases
        if not releases or self._place.model:
            return None
        return OllamaServer(self._place) if releases == OLLAMA else LlamaServers(self._place, releases)

    def _probed(self, model: RemoteModel) -> ReleaseServer | None:
        """The server of releases that this is by itself: a vLLM with the home's base. Raises EngineError."""
        if self._place.model:
            self._how = (
                f"It is named in PARLEY_ENGINE_MODEL; without that, a server that can serves releases: {_DOCS}."
            )
            return None
        entry = base_entry(model.listed)
        if entry is None:
            self._how = f"See {_DOCS}."
            return None
        try:
            problem = base_problem(entry, base_info(home_base(self._place.home)))
        except ParleyError as error:  # there is no such base here
            problem = str(error)
        if problem is None:
            return VllmServer(self._place)
        champion = Releases(self._place.home).champion() if self._release is None else self._release
        if champion != BASE_RELEASE:
            raise EngineError(
                f"vLLM at {model.wire.shown} cannot serve release {champion}. {problem} To let its own model answer "
                f"in place of the releases, set PARLEY_ENGINE_MODEL={model.wire.model}."
            )
        self._how = problem
        return None

    def _say_fixed(self, model: RemoteModel) -> None:
        if self._release is not None and (model.model or model.release != self._release):
            raise EngineError(self._sentence(model, f"The engine at {model.wire.shown}"))
        log.warning("%s", self._sentence(model, f"The engine at {model.wire.shown}"))

    def _sentence(self, model: RemoteModel, engine: str) -> str:
        what = repr(model.model) if model.model else f"release {model.release}"
        return (
            f"{engine} answers as {what}, whatever release is the champion: promote, trial "
            f"and rollback do not reach it. {self._how}"
        )


_DOCS = "docs/servers.md"
