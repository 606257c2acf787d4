"""The engine that follows the champion: new answers come from the new one, running answers end with the old one."""

from __future__ import annotations

import asyncio
import logging
import time
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING

from bot.engine.api import EngineAway
from bot.engine.session import HttpSession
from data.chosen_base import home_base
from data.errors import ParleyError
from data.releases import Releases

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from bot.engine.serving import ReleaseServer, Served
    from data.releases import Serving

log = logging.getLogger(__name__)

LOOK = 1.0  # seconds between two checks for a new champion
BACK_OFF = (2.0, 60.0)  # seconds before the next attempt when a champion does not start: the first pause, the longest
FORGET = 60.0  # seconds between two looks at what the server could forget
_LOG = "The bot's log says why."
CLOSED = "The engine was closed, because this bot is shutting down. Ask again when it is back."


class FollowingEngine:
    """Implements `bot.engine.api.Engine` on any server of releases. Create one with `open`.

    It closes the server when it is closed.
    """

    def __init__(self, home: Path, server: ReleaseServer, current: Served) -> None:
        self._home = home
        self._releases = Releases(home)
        self._server = server
        self._current = current
        self._look = asyncio.Event()
        self._follower: asyncio.Task[None] | None = None
        self._draining: set[Served] = set()
        self._stuck: int | None = None  # a champion that could not serve when it was tried last
        self._closed = False

    @classmethod
    async def open(cls, home: Path, server: ReleaseServer, *, release: int | None) -> FollowingEngine:
        """Serves the given release, or the champion and every champion after it. Raises ParleyError.

        A home without a base gets one here.
        """
        try:
            base = home_base(home, pin=True)
            current = await server.serve(Releases(home).champion() if release is None else release, base)
        except BaseException:
            await server.close()
            raise
        engine = cls(home, server, current)
        if release is None:
            engine._follower = asyncio.create_task(engine._follow(), name="engine-follows-champion")
        return engine

    def cannot_serve(self, release: int) -> str | None:
        """See `Engine.cannot_serve`."""
        if release == self._stuck == self._current.release:
            return f"{self._goes_on()} {_LOG}"
        if release == self._stuck:
            now = _called(self._current.release, self._current.model)
            return f"Release {release} cannot serve, so release {now} still does. {_LOG}"
        return self._server.cannot_serve(release)

    @asynccontextmanager
    async def session(self) -> AsyncIterator[HttpSession]:
        """See `Engine.session`."""
        if self._closed:
            raise EngineAway(CLOSED)
        self._look.set()
        served = self._current
        served.users += 1
        try:
            await served.ready()
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
        await self._server.close()

    async def _follow(self) -> None:
        """Moves to each new champion, or base, once it answers; the old one serves until then."""
        failed: tuple[tuple[int, str | None], float, float] | None = None  # when to try again, the pause
        tidied = time.monotonic()
        while not self._closed:
            with suppress(TimeoutError):
                async with asyncio.timeout(LOOK):  # `wait_for` may swallow a cancellation before Python 3.12
                    await self._look.wait()
            self._look.clear()
            wanted: tuple[int, str | None] = (self._current.release, self._current.model)
            try:
                serving = self._releases.serving()
                wanted = (serving.number, serving.model)
                if self._is_current(serving):
                    failed = self._stuck = None
                elif not failed or failed[0] != wanted or time.monotonic() >= failed[1]:
                    await self._move_to(serving)
            except Exception as error:  # whatever it is, this client must keep following
                self._stuck = wanted[0]
                pause = failed[2] if failed and failed[0] == wanted else BACK_OFF[0]
                failed = (wanted, time.monotonic() + pause, min(2 * pause, BACK_OFF[1]))
                log.error("%s Next attempt in %.0f s. %s", self._kept(*wanted), pause, error)
            if time.monotonic() - tidied >= FORGET:
                tidied = time.monotonic()
                await self._tidy()

    def _kept(self, release: int, model: str | None) -> str:
        """What the log says when what should serve cannot."""
        now = _called(self._current.release, self._current.model)
        if release == self._current.release:
            return self._goes_on()
        return f"Release {_called(release, model)}, the new champion, cannot serve; release {now} still does."

    def _goes_on(self) -> str:
        """For the same release from other files, or release 0 of another base."""
        now = _called(self._current.release, self._current.model)
        return f"Release {now} still serves as before, because what should serve now cannot."

    def _is_current(self, serving: Serving) -> bool:
        """Whether what should serve does, and from the files that it has now.

        Release 0 of another base is another one.
        """
        current = self._current
        same = (serving.number, serving.model or current.model) == (current.release, current.model)
        return same and not current.outdated()

    async def _move_to(self, serving: Serving) -> None:
        # The pinned base is named: PARLEY_BASE as this process got it may be from before a switch.
        release = serving.number
        new = await self._server.serve(release, serving.base.name if serving.base else home_base(self._home))
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

    async def _tidy(self) -> None:
        try:
            kept = {self._current.release, self._releases.champion(), self._releases.candidate()}
            kept |= {served.release for served in self._draining}
            await self._server.forget([number for number in kept if number is not None])
        except (ParleyError, OSError) as error:  # the next look may find the server well
            log.info("What the engine could forget was not looked at: %s", error)


def _called(release: int, model: str | None) -> str:
    """A release's number as the log gives it, with the base where release 0 is meant: it is another one for each."""
    return f"{release} ({model})" if model else str(release)
