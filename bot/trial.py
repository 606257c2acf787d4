"""The candidate on trial: an engine for it beside the champion's, as long as there is one.

Which release is on trial stands in a file (`data.releases`), so that a round, an operator and a running bot agree
without talking to each other. Only the embedded engine serves two releases.
"""

from __future__ import annotations

import asyncio
import logging
import random
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from data.errors import ParleyError
from data.releases import Releases

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable
    from pathlib import Path

    from bot.engine.api import Engine

log = logging.getLogger(__name__)


class Trial:
    """Serves whatever release is on trial, and says when a turn is to be answered by both.

    `share` is how many of the turns are, while one is on trial; `usual` while none is. `start` opens an engine for a
    release; it is called when a trial is first heard of, in the background, and the turns until then have one answer.
    """

    def __init__(
        self,
        home: Path,
        start: Callable[[int], Awaitable[Engine]] | None,
        *,
        share: float = 0.25,
        usual: float = 0.0,
        draw: Callable[[], float] = random.random,
    ) -> None:
        self._releases = Releases(home)
        self._start = start
        self.share, self.usual = share, usual
        self._draw = draw
        self._number: int | None = None
        self._opening: asyncio.Task[Engine | None] | None = None
        self._users = 0
        self._spent: list[asyncio.Task[Engine | None]] = []
        self._clearing: set[asyncio.Task[None]] = set()

    def due(self) -> bool:
        """Whether this turn is to have two answers."""
        return self._draw() < (self.share if self.look() else self.usual)

    def look(self) -> bool:
        """Whether a candidate is ready to answer; begins to open one, or to let it go, when that has changed."""
        number = self._candidate()
        if number != self._number:
            if self._opening is not None:
                self._spent.append(self._opening)
                self._clear()
            self._number = number
            self._opening = asyncio.create_task(self._open(number)) if number is not None else None
        ready = self._opening
        return ready is not None and ready.done() and ready.result() is not None

    @asynccontextmanager
    async def engine(self, beside: int | None = None) -> AsyncIterator[Engine | None]:
        """The candidate's engine, None without one that serves; waits for one that is opening, and holds it open.

        `beside` is the release of the answer that the next one is to stand beside: the candidate is none for its own.
        """
        self.look()
        opening = self._opening if beside is None or beside != self._number else None
        self._users += 1
        try:
            yield await asyncio.shield(opening) if opening else None
        finally:
            self._users -= 1
            self._clear()

    async def close(self) -> None:
        """Let go of everything."""
        self._users = 0
        if self._opening is not None:
            self._spent.append(self._opening)
            self._opening = None
        await self._let_go()
        await asyncio.gather(*self._clearing)

    def _clear(self) -> None:
        """Let go of what is over in the background: nobody waits for a process to end."""
        if self._spent and not self._users:
            task = asyncio.create_task(self._let_go())
            self._clearing.add(task)
            task.add_done_callback(self._clearing.discard)

    async def _let_go(self) -> None:
        if self._users:
            return
        spent, self._spent = self._spent, []
        for task in spent:
            if not task.done():
                task.cancel()
            (engine,) = await asyncio.gather(task, return_exceptions=True)
            if engine is not None and not isinstance(engine, BaseException):
                try:
                    await engine.close()
                except Exception:
                    log.exception("an engine of a release that was on trial was not closed")

    def _candidate(self) -> int | None:
        try:
            return self._releases.candidate() if self._start is not None else None
        except (ParleyError, OSError) as error:  # nobody's answer should fail for it
            if self._number is not None:
                log.error("The trial ends here: %s", error)
            return None

    async def _open(self, number: int) -> Engine | None:
        assert self._start is not None
        try:
            engine = await self._start(number)
        except ParleyError as error:
            log.error("Release %d is on trial and cannot serve, so nobody compares it: %s", number, error)
            return None
        except Exception:  # whatever it is, everybody else goes on talking to the champion
            log.exception("Release %d is on trial and cannot serve, so nobody compares it", number)
            return None
        log.info("Release %d is on trial: people compare its answers with the champion's.", number)
        return engine
