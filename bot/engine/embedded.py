"""The embedded engine, seen by the client: one shared process per release."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING

from bot.engine.api import EngineAway
from bot.engine.artefact import find
from bot.engine.counting import Counting
from bot.engine.following import CLOSED
from bot.engine.hold import Hold
from data.errors import ParleyError
from data.releases import BASE_RELEASE

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path

    from bot.engine.artefact import Artefact
    from bot.engine.room import Room
    from bot.engine.wire import Wire


class EmbeddedRelease:
    """One release in its own process, and this client's hold on that process. Implements `Served`."""

    def __init__(self, home: Path, hold: Hold, wire: Wire, context_length: int) -> None:
        self.release = hold.artefact.release
        self.model = hold.artefact.mark
        self.control = hold.artefact.base.control
        self.template = hold.artefact.template
        self.counting = Counting.LLAMA
        self.context_length = context_length
        self.wire = wire
        self.room: Room | None = hold.room(context_length)
        self.users = 0
        self._dropped = False
        self._home = home
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
        return cls(home, hold, wire, entry.context_length)

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
                raise EngineAway(CLOSED)

    async def ready(self) -> None:
        """See `Served.ready`. All is known."""

    async def restore(self) -> bool:
        """See `Backend.restore`. A process never forgets its release."""
        return False

    def outdated(self) -> bool:
        """See `Served.outdated`. A merged file has appeared since, or is no longer to serve."""
        if self.release == BASE_RELEASE:
            return False
        with suppress(ParleyError, OSError):
            return find(self._home, self.release).form != self._hold.artefact.form
        return False

    async def drop(self) -> None:
        """Releases the process and closes the connections. Idempotent."""
        self._dropped = True
        self._hold.drop()
        for wire in (self.wire, *self._spent):
            await wire.close()
        self._spent.clear()


class EmbeddedServer:
    """Implements `bot.engine.serving.ReleaseServer`: each release is a process that the bots of a home share."""

    def __init__(self, home: Path, context: int | None) -> None:
        self._home = home
        self._context = context

    def cannot_serve(self, release: int) -> str | None:  # noqa: ARG002 - its files are looked at when it starts
        """See `ReleaseServer.cannot_serve`."""
        return None

    async def serve(self, release: int, base: str) -> EmbeddedRelease:
        """See `ReleaseServer.serve`."""
        artefact = find(self._home, release, base if release == BASE_RELEASE else None)
        return await EmbeddedRelease.start(self._home, artefact, self._context)

    async def forget(self, kept: Collection[int]) -> None:
        """See `ReleaseServer.forget`. A process ends by itself after its last client."""

    async def close(self) -> None:
        """See `ReleaseServer.close`. Nothing is held apart from the releases."""
