"""A client's hold on the shared engine process of one release: it takes the lease and finds or starts the process."""

from __future__ import annotations

import asyncio
import logging
import os
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from bot.engine.api import EngineAway, EngineError
from bot.engine.own_wire import OwnWire
from bot.engine.room import UNITS, WHOLE, Room
from bot.engine.sharing import Board, Entry, FileLock
from data.asked_to_think import thoughtful
from data.engine_environment import engine_environment
from data.home import bases_dir, private_dir, private_file

if TYPE_CHECKING:
    from bot.engine.artefact import Artefact
    from bot.engine.wire import Wire

log = logging.getLogger(__name__)

START = 120.0  # seconds that an engine may take to start
_STEP = 0.05
_ROOT = Path(__file__).parents[2]


class Hold:
    """Keeps the shared process of a release alive from the first `find` to `drop`."""

    def __init__(self, home: Path, artefact: Artefact, context: int | None) -> None:
        self.artefact = artefact
        self._home = home.absolute()  # the process may have another working directory
        self._context = context
        self._board = Board(home)
        self._lease: FileLock | None = None

    async def find(self) -> tuple[Entry, Wire]:
        """Returns the running process and a connection to it; starts the process if there is none.

        Raises EngineAway with the reason if it does not start.
        """
        deadline = time.monotonic() + START
        await self._take_lease(deadline)
        return await self._living(deadline)

    def room(self, context_length: int) -> Room:
        """The memory of the process, which the answers of all its clients share: four whole conversations."""
        return Room(self._board.room(self.artefact.key), WHOLE * context_length)

    def drop(self) -> None:
        """Gives up the lease, so that the process can end. Idempotent."""
        if self._lease:
            self._lease.close()
            self._lease = None

    async def _take_lease(self, deadline: float) -> None:
        if self._lease is None:
            self._lease = self._board.lease(self.artefact.key)
        while not self._lease.shared():  # an engine that is exiting holds it for a moment
            await self._step(deadline)

    async def _living(self, deadline: float) -> tuple[Entry, Wire]:
        """The engine that holds the process lock; starts one if none does. The caller holds the lease."""
        key = self.artefact.key
        started = False
        process = self._board.process(key)
        try:
            while True:
                if process.exclusive():
                    if started:
                        raise EngineAway(self._failure())
                    self._board.remove(key)
                    self._spawn(process)
                    started = True
                    # The new process has the lock now. We close our copy, so that we see when the process ends.
                    process.close()
                    process = self._board.process(key)
                elif (entry := self._board.read().get(key)) and (wire := await _answering(entry)):
                    wire.dialect.thoughtful = dict(thoughtful(self.artefact.base))
                    return entry, wire
                await self._step(deadline)
        finally:
            process.close()

    async def _step(self, deadline: float) -> None:
        if time.monotonic() > deadline:
            entry = self._board.read().get(self.artefact.key)
            process = f"Process {entry.pid}" if entry else "Its process"
            raise EngineAway(
                f"The engine for release {self.artefact.release} did not answer within {START:.0f} seconds. "
                f"{process} may hang; end it and try again; its log is {self._log()}."
            )
        await asyncio.sleep(_STEP)

    def _spawn(self, process: FileLock) -> None:
        command = [sys.executable, "-P", "-m", "bot.engine", "--leased", "--lock", str(process.fileno())]
        command += ["--release", str(self.artefact.release), "--base", self.artefact.base.alias]
        # The key of the process says so too: it must not serve the other form.
        command += ["--served", self.artefact.form]
        # Every client takes room before it asks, so many conversations may share the memory of a few whole ones.
        command += ["--parallel", str(UNITS), "--unified"]
        if self._context:
            command += ["--context", str(self._context)]
        # -P and PYTHONPATH make sure that our package is imported, not a bot.py in the current folder.
        path = os.pathsep.join(filter(None, (str(_ROOT), os.environ.get("PYTHONPATH"))))
        places = {"PARLEY_HOME": str(self._home), "PARLEY_BASES": str(bases_dir()), "PYTHONPATH": path}
        private_dir(self._log().parent)
        with private_file(self._log()).open("wb") as output:
            child = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=output,
                env=engine_environment(os.environ) | places,
                pass_fds=(process.fileno(),),
                start_new_session=True,  # Ctrl-C in one terminal must not end the engine of the others
            )
        # The engine may outlive us or die first; in the second case its exit status must be collected.
        threading.Thread(target=child.wait, name=f"engine-{child.pid}", daemon=True).start()
        log.info("Started the engine for release %d (process %d).", self.artefact.release, child.pid)

    def _log(self) -> Path:
        return self._home / "logs" / f"engine-{self.artefact.key}.log"

    def _failure(self) -> str:
        """Why a process ended before it answered: the error in its log."""
        with suppress(OSError):
            lines = self._log().read_text(encoding="utf-8", errors="replace").splitlines()
            if error := next((line for line in reversed(lines) if line.startswith("parley: ")), None):
                return f"{error.removeprefix('parley: ')} (log: {self._log()})"
        return f"The engine for release {self.artefact.release} ended while it started; its log is {self._log()}."


async def _answering(entry: Entry) -> Wire | None:
    """A connection to the engine of an entry; None if something else, or nothing, answers at its address."""
    wire = OwnWire(entry)
    try:
        if any(entry.nonce in model.get("tags", ()) for model in await wire.models()):
            return wire
    except EngineError:
        pass
    except BaseException:
        await wire.close()
        raise
    await wire.close()
    return None
