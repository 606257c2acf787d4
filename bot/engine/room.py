"""Keeps all running answers of an engine within its memory, whichever client asked for them.

llama.cpp lets many conversations share the memory of a few whole ones. Most are short, so that is faster than
waiting. But when that memory is full, it ends every running answer with an error. So a client takes room for a
question and its longest answer before it asks, and gives it back after the answer. The room is divided into units,
and each unit is a lock file beside the engine's other locks (`bot.engine.sharing`): the kernel gives it back when a
client ends, after a kill -9 too.
"""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from bot.engine.sharing import FileLock

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

WHOLE = 4  # whole conversations that the memory holds
UNITS = 16
_STEP = 0.02  # seconds between two looks for room


class Room:
    """The room of one engine for `tokens` tokens, as one client sees it. `folder` is for its lock files."""

    def __init__(self, folder: Path, tokens: int) -> None:
        self._folder = folder
        self._unit = max(1, tokens // UNITS)
        self._turn = asyncio.Lock()  # so that whoever waits for much room is not overtaken for ever

    @asynccontextmanager
    async def take(self, tokens: int) -> AsyncIterator[None]:
        """Waits until there is room for this many tokens, and holds it for the block; at most all there is."""
        wanted = min(UNITS, -(-tokens // self._unit))
        async with self._turn:
            while not (held := self._free(wanted)):  # noqa: ASYNC110 - other processes set no event
                await asyncio.sleep(_STEP)
        try:
            yield
        finally:
            _give_back(held)

    def _free(self, wanted: int) -> list[FileLock]:
        """This many units, now held; none at all where fewer are free: two clients must not wait for each other."""
        held: list[FileLock] = []
        try:
            for number in range(UNITS):
                held.append(FileLock(self._folder / f"{number:02d}"))
                if not held[-1].exclusive():
                    held.pop().close()
                elif len(held) >= wanted:
                    return held
        except BaseException:  # too many open files, for one
            _give_back(held)
            raise
        _give_back(held)
        return []


def _give_back(held: list[FileLock]) -> None:
    for lock in held:
        lock.close()
