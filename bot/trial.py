"""The candidate on trial: while there is one, it has an engine beside the champion's.

Which release is on trial is written in a file (`data.releases`), so that a round, an operator and a running bot agree
without talking to each other. An engine that serves one model only (the kind `fixed`) says so when it is asked for
the candidate, and turns get one answer.
"""

from __future__ import annotations

import asyncio
import hashlib
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


def tried(person: int, candidate: int, share: float) -> bool:
    """Whether a person is among the `share` of people whom a candidate answers; other people for each candidate."""
    drawn = hashlib.sha256(f"{candidate}:{person}".encode()).digest()[:8]
    return int.from_bytes(drawn, "big") < share * 2**64


class Trial:
    """Opens an engine for the release on trial, and decides which turns get two answers.

    `share` is the share of turns with two answers while a release is on trial, `usual` the share otherwise. `start`
    opens an engine for a release. It runs in the background when a trial is first noticed; until the engine is ready,
    turns get one answer.
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
        self._closing: set[asyncio.Task[None]] = set()

    def due(self) -> bool:
        """Whether this turn gets two answers."""
        return self._draw() < (self.share if self.look() else self.usual)

    def look(self) -> bool:
        """Whether a candidate is ready to answer; begins to open or close engines when the candidate has changed."""
        number = self._candidate()
        if number != self._number:
            if self._opening is not None:
                self._spent.append(self._opening)
                self._close_spent_soon()
            self._number = number
            self._opening = asyncio.create_task(self._open(number)) if number is not None else None
        ready = self._opening
        return ready is not None and ready.done() and ready.result() is not None

    def candidate(self) -> int | None:
        """The release on trial, if it is ready to answer."""
        return self._number if self.look() else None

    def gets_candidate(self, person: int) -> bool:
        """Whether the candidate answers a person where each turn gets one answer; the same for the whole trial."""
        candidate = self.candidate()
        return candidate is not None and tried(person, candidate, self.share)

    @asynccontextmanager
    async def engine(self, beside: int | None = None) -> AsyncIterator[Engine | None]:
        """The candidate's engine, held open for the block; None when no candidate can serve. Waits while it opens.

        `beside` is the release of an answer that is already shown. If that is the candidate, the result is None: an
        answer is not compared with one of the same release.
        """
        self.look()
        opening = self._opening if beside is None or beside != self._number else None
        self._users += 1
        try:
            yield await asyncio.shield(opening) if opening else None
        finally:
            self._users -= 1
            self._close_spent_soon()

    async def close(self) -> None:
        """Close every engine."""
        self._users = 0
        if self._opening is not None:
            self._spent.append(self._opening)
            self._opening = None
        await self._close_spent()
        await asyncio.gather(*self._closing)

    def _close_spent_soon(self) -> None:
        """Close engines of earlier trials in the background: nobody should wait for a process to end."""
        if self._spent and not self._users:
            task = asyncio.create_task(self._close_spent())
            self._closing.add(task)
            task.add_done_callback(self._closing.discard)

    async def _close_spent(self) -> None:
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
        except (ParleyError, OSError) as error:  # no answer may fail because of it
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
        except Exception:  # whatever it is, people can still talk to the champion
            log.exception("Release %d is on trial and cannot serve, so nobody compares it", number)
            return None
        log.info("Release %d is on trial: people compare its answers with the champion's.", number)
        return engine
