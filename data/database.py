"""How the database is opened, read and written.

Writes begin with BEGIN IMMEDIATE: a deferred transaction that turns into a writer fails at once when another process
wrote in between, whatever the timeout. Reads begin with an explicit BEGIN, because the driver opens no snapshot
without it. Commits are synced to disk, so an acknowledged write survives a kill at any moment.
"""

import asyncio
import contextlib
import sqlite3
from collections.abc import AsyncIterator, Collection, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import Connection, event
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, create_async_engine

from data.home import DATABASE, private_dir
from data.migrations import backup, migrate

NAME = DATABASE
_Number = TypeVar("_Number", int, str)


class Database:
    """One SQLite database in WAL mode. Any number of processes may have it open."""

    def __init__(self, path: Path, engine: AsyncEngine) -> None:
        self.path = path
        self._engine = engine
        self._writing_engine = engine.execution_options(parley_writes=True)
        # SQLite has one writer at a time; waiting here is fairer than its busy handler, which polls.
        self._turn = asyncio.Lock()

    @classmethod
    async def open(cls, path: Path) -> "Database":
        """Migrate to the current schema and open. Raises `BadInput` when a newer Parley wrote the database."""
        await asyncio.to_thread(_prepare, path)
        # Otherwise an error would print the statement's parameters, people's texts, into the log.
        engine = create_async_engine(f"sqlite+aiosqlite:///{path}", hide_parameters=True)
        event.listen(engine.sync_engine, "connect", _configure)
        event.listen(engine.sync_engine, "begin", _begin)
        return cls(path, engine)

    @asynccontextmanager
    async def read(self) -> AsyncIterator[AsyncSession]:
        """A session that sees one moment of the database, however long it reads."""
        async with AsyncSession(self._engine, expire_on_commit=False) as session, session.begin():
            yield session

    @asynccontextmanager
    async def write(self) -> AsyncIterator[AsyncSession]:
        """A session whose changes are on disk when the block ends, all of them or, if it raises, none."""
        async with (
            self._turn,
            AsyncSession(self._writing_engine, expire_on_commit=False) as session,
            session.begin(),
        ):
            yield session

    async def truncate_log(self) -> bool:
        """Fold the write-ahead log into the database, so that erased texts are in neither file.

        Returns False when somebody was reading all the time: the texts then stay in the log until it is folded again,
        at the latest when the last process closes the database.
        """
        async with self._turn, self._engine.connect() as connection:
            raw = await connection.get_raw_connection()
            assert raw.driver_connection is not None
            cursor = await raw.driver_connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            ((busy, _, _),) = await cursor.fetchall()
            await cursor.close()  # an open statement would make the pooled connection's next commit fail
        return not busy

    async def writable(self, patience: float) -> bool:
        """Whether a write could begin within `patience` seconds. It uses a separate connection: no write waits."""
        return await asyncio.to_thread(_could_write, self.path, patience)

    async def copy(self, target: Path) -> None:
        """Copy the database as it is at one moment to a file that only its owner can read."""
        await asyncio.to_thread(backup, self.path, target)

    async def close(self) -> None:
        """Close every connection."""
        await self._engine.dispose()


def chunks(items: Collection[_Number], size: int = 500) -> Iterator[list[_Number]]:
    """The items in order, in parts: SQLite limits the number of variables in a statement."""
    ordered = sorted(items)
    return (ordered[start : start + size] for start in range(0, len(ordered), size))


def _prepare(path: Path) -> None:
    private_dir(path.parent)
    path.touch(mode=0o600)
    migrate(path)


def _could_write(path: Path, patience: float) -> bool:
    try:
        # `rw`: a missing database must not be created.
        with contextlib.closing(
            sqlite3.connect(f"{path.as_uri()}?mode=rw", timeout=patience, uri=True)
        ) as connection:
            connection.execute("BEGIN IMMEDIATE")
            connection.execute("ROLLBACK")
    except sqlite3.Error:
        return False
    return True


def _configure(connection: Any, _record: object) -> None:
    connection.isolation_level = None  # only `_begin` begins transactions
    cursor = connection.cursor()
    for pragma in (
        "journal_mode=WAL",
        "synchronous=FULL",
        "foreign_keys=ON",
        "busy_timeout=30000",
        "secure_delete=ON",
    ):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin(connection: Connection) -> None:
    writes = connection.get_execution_options().get("parley_writes", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
