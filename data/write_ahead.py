"""Takes erased words out of the write-ahead log and out of the copies that migrations leave."""

import asyncio
import contextlib
import sqlite3
from datetime import datetime

from sqlalchemy.exc import SQLAlchemyError

from data.database import Database
from data.migrations import remove_backups
from data.times import now

_FIRST_PAUSE, _LONGEST_PAUSE = 1.0, 60.0  # seconds between two attempts


class WriteAheadLog:
    """A database's log. `holds_words` says whether erased texts may still be in it."""

    def __init__(self, database: Database) -> None:
        self.holds_words = False
        self._database = database
        self._emptying: asyncio.Task[None] | None = None

    async def clean_up(self, older_than: datetime | None = None, *, empty: bool = True) -> None:
        """Remove backups from before `older_than`, and with `empty` the log's words; later, if somebody reads now."""
        await asyncio.to_thread(remove_backups, self._database.path, older_than or now())
        if empty:
            self.holds_words = not await self._database.truncate_log()
        if self.holds_words and (self._emptying is None or self._emptying.done()):
            self._emptying = asyncio.create_task(self._empty_later())

    async def close(self) -> None:
        """Stop trying; the last process that closes the database empties the log."""
        if self._emptying is not None:
            self._emptying.cancel()
            await asyncio.gather(self._emptying, return_exceptions=True)

    async def _empty_later(self) -> None:
        """Empty the log as soon as nobody reads an older state of the database any more."""
        pause = _FIRST_PAUSE
        while self.holds_words:
            await asyncio.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE)
            with contextlib.suppress(SQLAlchemyError, sqlite3.Error):  # busy, or the disk is full: tried again
                self.holds_words = not await self._database.truncate_log()
