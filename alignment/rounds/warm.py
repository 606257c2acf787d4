"""Starts the stages of a round from one process that has imported torch already, where that is safe."""

import json
import os
import socket
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType

from data.variables import PARENT

# Importing these imports what all stages need; what a single stage needs besides takes under 0.3 s.
MODULES = ("alignment.training.stage", "alignment.training.trainers")
# Drivers of GPUs. They do not survive a fork, so with one of these a stage is started as a new process.
_DEVICES = ("nvidia0", "nvidiactl", "kfd", "dxg")
_IMPORTS = 600.0  # seconds that the imports may take, on a busy machine with a slow disk
_END = 10.0  # seconds for the server to end


class WarmStart:
    """The process that has imported what stages need; started for the first stage, and gone after the block.

    It costs what the first stage's own imports would. `modules` are what it imports.
    """

    def __init__(self, modules: Sequence[str] = MODULES) -> None:
        self._modules = modules
        self._server: subprocess.Popen[bytes] | None = None
        self._connection: socket.socket | None = None
        self._possible = sys.platform == "linux" and not any(Path("/dev", name).exists() for name in _DEVICES)

    def __enter__(self) -> "WarmStart":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end()

    def run(self, module: str, arguments: Sequence[str]) -> int | None:
        """Run a command's module as a copy of the server; returns its exit code, which is not 0 if a signal ended it.

        None: there is no warm start here, and nothing was run.
        """
        if self._connection is None and not self._start():
            return None
        assert self._connection is not None
        try:
            self._connection.sendall(json.dumps([module, list(arguments)]).encode() + b"\n")
            answer = _line(self._connection)
        except OSError:
            answer = ""
        if answer:
            return int(answer)
        # The server is gone, and the stage ended with it; a further stage is started as usual.
        self._possible = False
        self._end()
        return 1

    def _start(self) -> bool:
        if not self._possible:
            return False
        ours, theirs = socket.socketpair()
        command = [sys.executable, "-m", "alignment.rounds.stage_server", str(theirs.fileno()), *self._modules]
        environment = {**os.environ, PARENT: str(os.getpid())}
        self._connection = ours
        with theirs:
            self._server = subprocess.Popen(command, env=environment, pass_fds=[theirs.fileno()])
        ours.settimeout(_IMPORTS)
        with suppress(OSError):
            if _line(ours):
                ours.settimeout(None)  # a stage takes as long as it takes
                return True
        self._possible = False
        self._end()
        return False

    def _end(self) -> None:
        if self._connection is not None:
            self._connection.close()  # this ends the server
            self._connection = None
        if self._server is not None:
            try:
                self._server.wait(_END)
            except subprocess.TimeoutExpired:
                self._server.kill()
                self._server.wait()
            self._server = None


def _line(connection: socket.socket) -> str:
    """The next line without its end; empty at the end of the connection."""
    found = b""
    while not found.endswith(b"\n"):
        part = connection.recv(1)
        if not part:
            return ""
        found += part
    return found.decode().strip()
