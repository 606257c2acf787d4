"""The embedded engine, seen by the client: one shared process per release, replaced when the champion changes."""

from __future__ import annotations

import asyncio
import logging
import time
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING

from bot.engine.api import EngineAway
from bot.engine.artefact import find
from bot.engine.counting import Counting
from bot.engine.hold import Hold
from bot.engine.session import HttpSession
from data.chosen_base import home_base
from data.releases import BASE_RELEASE, Releases

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from bot.engine.artefact import Artefact
    from bot.engine.wire import Wire
    from data.releases import Serving

log = logging.getLogger(__name__)

LOOK = 1.0  # seconds between two checks for a new champion
BACK_OFF = (2.0, 60.0)  # seconds before the next attempt when a champion does not start: the first pause, the longest
_CLOSED = "The engine was closed, because this bot is shutting down. Ask again when it is back."


class EmbeddedRelease:
    """One release in its own process, and this client's hold on that process. Implements `Backend`."""

    def __init__(self, hold: Hold, wire: Wire, context_length: int) -> None:
        self.release = hold.artefact.release
        self.model = hold.artefact.mark
        self.control = hold.artefact.base.control
        self.template = hold.artefact.template
        self.counting = Counting.LLAMA
        self.context_length = context_length
        self.wire = wire
        self.users = 0
        self._dropped = False
        self._hold = hold
        self._spent: list[Wire] = []
        self._renewing = asyncio.Lock()

    @classmethod
    async def start(cls, home: Path, artefact: Artefact, context: int | None) -> EmbeddedRelease:
        """Takes the lease, and finds or starts the process. Raises EngineAway if it does not start."""
        hold = Hold(home, artefact, context)
        try:
            entry, wire = await hold.find()
        except BaseException:
            hold.drop()
            raise
        return cls(hold, wire, entry.context_length)

    def is_what(self, serving: Serving) -> bool:
        """Whether this is the model that should serve. Release 0 of another base is another one."""
        return (serving.number, serving.model or self.model) == (self.release, self.model)

    async def renew(self, failed: Wire) -> None:
        """Finds or starts a running process, unless another request has done so since `failed` failed."""
        async with self._renewing:
            if self.wire is not failed:
                return
            if not self._dropped:
                _, wire = await self._hold.find()
                self._spent.append(failed)  # answers that still use it end with their own errors
                self.wire = wire
            if self._dropped:  # earlier, or while we searched: nothing may be held any more
                await self.drop()
                raise EngineAway(_CLOSED)

    async def drop(self) -> None:
        """Releases the process and closes the connections. Idempotent."""
        self._dropped = True
        self._hold.drop()
        for wire in (self.wire, *self._spent):
            await wire.close()
        self._spent.clear()


class EmbeddedEngine:
    """Implements `bot.engine.api.Engine` on the shared processes of one PARLEY_HOME. Create one with `open`."""

    def __init__(self, home: Path, context: int | None, current: EmbeddedRelease) -> None:
        self._home = home
        self._context = context
        self._current = current
        self._look = asyncio.Event()
        self._follower: asyncio.Task[None] | None = None
        self._draining: set[EmbeddedRelease] = set()
        self._closed = False

    @classmethod
    async def open(cls, home: Path, *, release: int | None, context: int | None) -> EmbeddedEngine:
        """Serves the given release, or the champion and every champion after it. Raises ParleyError.

        A home without a base gets one here.
        """
        home_base(home, pin=True)
        number = Releases(home).champion() if release is None else release
        current = await EmbeddedRelease.start(home, find(home, number), context)
        engine = cls(home, context, current)
        if release is None:
            engine._follower = asyncio.create_task(engine._follow(), name="engine-follows-champion")
        return engine

    @asynccontextmanager
    async def session(self) -> AsyncIterator[HttpSession]:
        """See `Engine.session`."""
        if self._closed:
            raise EngineAway(_CLOSED)
        self._look.set()
        served = self._current
        served.users += 1
        try:
            yield HttpSession(served)
        finally:
            served.users -= 1
            await self._drop_drained()

    async def close(self) -> None:
        """See `Engine.close`."""
        self._closed = True
        if self._follower:
            self._follower.cancel()
            await asyncio.gather(self._follower, return_exceptions=True)
        for served in {self._current, *self._draining}:
            await served.drop()
        self._draining.clear()

    async def _follow(self) -> None:
        """Moves to each new champion, or base, once its process answers; the old one serves until then."""
        failed: tuple[tuple[int, str | None], float, float] | None = None  # when to try again, the pause
        while True:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._look.wait(), LOOK)
            self._look.clear()
            wanted: tuple[int, str | None] = (self._current.release, self._current.model)
            try:
                serving = Releases(self._home).serving()
                wanted = (serving.number, serving.model)
                if self._current.is_what(serving):
                    failed = None
                elif not failed or failed[0] != wanted or time.monotonic() >= failed[1]:
                    await self._move_to(serving)
            except Exception as error:  # whatever it is, this client must keep following
                pause = failed[2] if failed and failed[0] == wanted else BACK_OFF[0]
                failed = (wanted, time.monotonic() + pause, min(2 * pause, BACK_OFF[1]))
                log.error(
                    "Release %s, the new champion, cannot serve; release %s still does. Next attempt in %.0f s. %s",
                    _called(*wanted),
                    _called(self._current.release, self._current.model),
                    pause,
                    error,
                )

    async def _move_to(self, serving: Serving) -> None:
        release = serving.number
        # The pinned base is named: PARLEY_BASE as this process got it may be from before a switch.
        base = serving.base.name if serving.base and release == BASE_RELEASE else None
        artefact = find(self._home, release, base)
        new = await EmbeddedRelease.start(self._home, artefact, self._context)
        old, self._current = self._current, new
        self._draining.add(old)
        log.info(
            "Release %s answers from now on; release %s finishes its running answers.",
            _called(new.release, new.model),
            _called(old.release, old.model),
        )
        await self._drop_drained()

    async def _drop_drained(self) -> None:
        for served in [served for served in self._draining if not served.users]:
            self._draining.discard(served)
            await served.drop()


def _called(release: int, model: str | None) -> str:
    """A release's number as the log gives it, with the base where release 0 is meant: it is another one for each."""
    return f"{release} ({model})" if model else str(release)
