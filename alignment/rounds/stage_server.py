"""Runs a round's stages as copies of one process that has imported torch, transformers and TRL already.

These imports cost a stage about 7 s of CPU time. `alignment.rounds.warm` starts this module as a process
and talks to it through a socket: a line comes when the imports are done, then each stage is asked for by a line and
answered with its exit code. Each stage is a fork, so its memory is freed when it ends, and a crash ends that stage
only.

A fork is safe because this process only imports. It starts no thread of Python, computes nothing (OpenMP's threads
would be missing in the copy, which would wait for them for ever) and initialises no GPU. The libraries start three
threads of their own while they are imported, two of OpenBLAS and one of jemalloc (in numpy, scipy and pyarrow); both
libraries prepare for a fork themselves.
"""

import gc
import importlib
import json
import os
import select
import signal
import socket
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from alignment.quiet import quiet
from data.errors import run
from data.variables import PARENT

_TICK = 0.1  # seconds between two looks at a running stage


class Request(NamedTuple):
    """A stage to run: its command's module, and its flags."""

    module: str
    arguments: list[str]


def serve(connection: socket.socket) -> Request | None:
    """Start each stage that the round asks for. Returns None when the round is gone, and in each copy its stage."""
    with connection, connection.makefile("r", encoding="utf-8") as lines:
        for line in lines:
            parent, child = os.getpid(), os.fork()
            if not child:
                os.environ[PARENT] = str(parent)
                return Request(*json.loads(line))
            code = _wait(child, connection)
            if code is None:
                return None
            connection.sendall(b"%d\n" % code)
    return None


def _wait(child: int, connection: socket.socket) -> int | None:
    """The exit code of a running stage; None if the round ended first, which ends the stage too."""
    while True:
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            return os.waitstatus_to_exitcode(status)
        # The round sends nothing while it waits for a stage, so this is the end of the connection.
        if select.select([connection], [], [], _TICK)[0]:
            os.kill(child, signal.SIGKILL)  # it resumes from its checkpoint
            os.waitpid(child, 0)
            return None


def _import(modules: list[str]) -> None:
    gc.disable()  # imports leave little garbage, and looking for it takes a fifth of their time
    for name in modules:
        importlib.import_module(name)
    gc.collect()
    gc.freeze()  # the copies' collectors need not look at, and so copy, what was imported
    gc.enable()


def _has_accelerator() -> bool:
    """Whether this machine has a GPU or the like that torch can use: its driver does not survive a fork."""
    import torch

    return torch.accelerator.current_accelerator(check_available=True) is not None


def _run(request: Request) -> int:
    """Run a stage's command in this copy, as `python -m` would."""
    sys.argv = [request.module, *request.arguments]
    with suppress(OSError):  # what `top` and `ps -o comm` show
        Path("/proc/self/comm").write_text(request.module.rpartition(".")[2], encoding="ascii")
    command: Any = importlib.import_module(request.module)
    return int(command.main(request.arguments) or 0)


def main() -> int:
    """Import, then serve until the round ends. The first argument is the socket's number, the others name modules."""
    usual = signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the stage and the round
    number, *modules = sys.argv[1:]
    connection = socket.socket(fileno=int(number))
    _import(modules)
    if "torch" in sys.modules:
        quiet()
        if _has_accelerator():
            return 0  # without the line, the round starts its stages as usual
    try:
        connection.sendall(b"ready\n")
        request = serve(connection)
    except ConnectionError:  # the round is gone
        return 0
    if request is None:
        return 0
    signal.signal(signal.SIGINT, usual)
    return _run(request)


if __name__ == "__main__":
    run(main)
