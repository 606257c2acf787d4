"""How the database is opened, read and written.

Writes begin with BEGIN IMMEDIATE: a deferred transaction that turns into a writer fails at once when another process
wrote in between, whatever the timeout. Reads begin with an explicit BEGIN, because the driver opens no snapshot
without it. Commits are synced to disk, so an acknowledged write survives a kill at any moment.
"""

import asyncio
import contextlib
import json
import sqlite3
from collections.abc import AsyncIterator, Collection, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import unquote

from sqlalchemy import URL, Connection, event
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, create_async_engine

from data.errors import BadInput
from data.home import DATABASE, private_dir
from data.migrations import backup, migrate
from data.store_errors import named

NAME = DATABASE
_FOLDING = 50  # milliseconds that folding the log waits for readers
_MAGIC = b"SQLite format 3\0"
PATIENCE = 30.0  # seconds that a statement waits for another process
_Number = TypeVar("_Number", int, str)


class Database:
    """One SQLite database in WAL mode. Any number of processes may have it open.

    Every method raises `StoreError` when the disk is full, another process holds a lock, or pages are damaged.
    """

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
        # Not as a string: a home may have any name, and `?` would begin the URL's query.
        engine = create_async_engine(URL.create("sqlite+aiosqlite", database=str(path)), hide_parameters=True)
        event.listen(engine.sync_engine, "connect", _configure)
        event.listen(engine.sync_engine, "begin", _begin)
        return cls(path, engine)

    @asynccontextmanager
    async def read(self) -> AsyncIterator[AsyncSession]:
        """A session that sees one moment of the database, however long it reads."""
        with named(self.path):
            async with AsyncSession(self._engine, expire_on_commit=False) as session, session.begin():
                yield session

    @asynccontextmanager
    async def write(self) -> AsyncIterator[AsyncSession]:
        """A session whose changes are on disk when the block ends, all of them or, if it raises, none."""
        with named(self.path):
            async with (
                self._turn,
                AsyncSession(self._writing_engine, expire_on_commit=False) as session,
                session.begin(),
            ):
                yield session

    async def truncate_log(self) -> bool:
        """Fold the write-ahead log into the database, so that erased texts are in neither file.

        Returns False when somebody was reading all the time: the texts then stay in the log until it is folded again,
        at the latest when the last process closes the database. A round reads for minutes and every write waits for
        this, so it gives up soon.
        """
        with named(self.path):
            async with self._turn, self._engine.connect() as connection:
                raw = await connection.get_raw_connection()
                assert raw.driver_connection is not None
                try:
                    await _pragma(raw.driver_connection, f"busy_timeout={_FOLDING}")
                    ((busy, _, _),) = await _pragma(raw.driver_connection, "wal_checkpoint(TRUNCATE)")
                finally:
                    await _pragma(raw.driver_connection, f"busy_timeout={PATIENCE * 1000:.0f}")
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


def listed(numbers: Collection[int]) -> str:
    """The numbers as a parameter for `json_each`: any number of them in a statement that is always the same."""
    return json.dumps(sorted(numbers))


def plain(said: str | None) -> str:
    """A text in lower case with single spaces, so that texts that say the same are equal. SQL knows it as `plain`."""
    return " ".join((said or "").split()).lower()


def _prepare(path: Path) -> None:
    private_dir(path.parent)
    _refuse_outside(path)
    path.touch(mode=0o600)
    migrate(path)


def _refuse_outside(path: Path) -> None:
    """Raise `BadInput` where an earlier version, which read the path as a URL, put the database elsewhere."""
    outside = Path(unquote(str(path).partition("?")[0]))
    if outside == path or (path.is_file() and path.stat().st_size) or not outside.is_file():
        return
    with outside.open("rb") as file:
        if file.read(len(_MAGIC)) == _MAGIC:
            raise BadInput(
                f"An earlier version of Parley kept this home's database in {outside}, because of a ? or % in its "
                f"name, and others may have read it there. Stop every process of Parley, move it to {path}, and "
                "start again."
            )


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


async def _pragma(connection: Any, pragma: str) -> list[Any]:
    cursor = await connection.execute(f"PRAGMA {pragma}")
    found: list[Any] = await cursor.fetchall()
    await cursor.close()  # an open statement would make the pooled connection's next commit fail
    return found


def _configure(connection: Any, _record: object) -> None:
    connection.isolation_level = None  # only `_begin` begins transactions
    cursor = connection.cursor()
    for pragma in (
        "journal_mode=WAL",
        "synchronous=FULL",
        "foreign_keys=ON",
        f"busy_timeout={PATIENCE * 1000:.0f}",
        "secure_delete=ON",
    ):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()
    connection.create_function("plain", 1, plain, deterministic=True)  # SQLite's lower() knows ASCII alone


def _begin(connection: Connection) -> None:
    writes = connection.get_execution_options().get("parley_writes", False)
    # At the cursor of the driver: as a statement of its own, SQLAlchemy would prepare it anew in every transaction.
    with contextlib.closing(connection.connection.cursor()) as cursor:
        cursor.execute("BEGIN IMMEDIATE" if writes else "BEGIN")
