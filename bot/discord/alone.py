"""At most one bot on Discord for each home, because what one knows of its servers and answers is wrong for another.

The kernel drops the lock when the process ends, even after kill -9. A terminal does not take it: the terminal and the
bot on Discord of one home are meant to run beside each other.
"""

from __future__ import annotations

import os
from contextlib import contextmanager
from typing import TYPE_CHECKING

from bot.engine.sharing import FileLock
from data.errors import BadInput

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

NAME = "discord.lock"  # holds the number of the process that has the lock


@contextmanager
def alone_on_discord(home: Path) -> Iterator[None]:
    """Be the only bot on Discord with this home. Raises `BadInput` when another process is."""
    lock = FileLock(home / NAME)
    try:
        if not lock.exclusive():
            raise BadInput(_taken(home, os.pread(lock.fileno(), 20, 0).decode("ascii", "replace").strip()))
        os.ftruncate(lock.fileno(), 0)
        os.pwrite(lock.fileno(), f"{os.getpid()}\n".encode(), 0)
        yield
    finally:
        lock.close()


def _taken(home: Path, number: str) -> str:
    which = f": process {number}. Stop it first (kill {number})" if number.isdigit() else ". Stop it first"
    return (
        f"A bot on Discord already uses {home}{which}, or give this one a PARLEY_HOME of its own. To talk in the "
        "terminal meanwhile: python -m bot --platform terminal"
    )
