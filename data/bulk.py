"""Plain connections for long reads and writes, which belong in a thread: SQLAlchemy makes an object of every row.

Each has its own connection, so a long read holds up neither the event loop nor the statements of others.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from data.store_errors import named

CHUNK = 5000  # rows that are read at once
_PRAGMAS = ("synchronous=FULL", "foreign_keys=ON", "busy_timeout=30000", "secure_delete=ON")
_MICROSECOND = timedelta(microseconds=1)
_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001 - as times are stored, in UTC without a zone


@contextmanager
def reading(path: Path) -> Iterator[sqlite3.Connection]:
    """A connection that sees one moment of a database, however long it reads. Raises `StoreError`."""
    with _connected(path, "BEGIN") as connection:
        yield connection


@contextmanager
def writing(path: Path) -> Iterator[sqlite3.Connection]:
    """A connection whose changes are on disk when the block ends, all of them or, if it raises, none."""
    with _connected(path, "BEGIN IMMEDIATE") as connection:
        yield connection
        connection.execute("COMMIT")


@contextmanager
def _connected(path: Path, begin: str) -> Iterator[sqlite3.Connection]:
    with named(path), closing(sqlite3.connect(path, isolation_level=None, check_same_thread=False)) as connection:
        for pragma in _PRAGMAS:
            connection.execute(f"PRAGMA {pragma}")
        connection.execute(begin)
        yield connection
        # What was not committed is rolled back.


def rows(
    connection: sqlite3.Connection, query: str, values: tuple[Any, ...] | dict[str, Any] = ()
) -> Iterator[tuple[Any, ...]]:
    """The rows of a query, one after the other; only a few are in memory."""
    cursor = connection.execute(query, values)
    while some := cursor.fetchmany(CHUNK):
        yield from some


def batches(connection: sqlite3.Connection, query: str, size: int = CHUNK) -> Iterator[list[tuple[Any, ...]]]:
    """The rows of a query in lists of at most `size`."""
    cursor = connection.execute(query)
    while some := cursor.fetchmany(size):
        yield some


class Grouped:
    """The rows of a query that is ordered by its first column, by the values of that column, which only grow."""

    def __init__(self, found: Iterator[tuple[Any, ...]]) -> None:
        self._found = found
        self._next = next(found, None)

    def of(self, value: int) -> list[tuple[Any, ...]]:
        """The rows with this value, without it."""
        some = []
        following, found = self._next, self._found
        while following is not None and following[0] <= value:
            if following[0] == value:
                some.append(following[1:])
            following = next(found, None)
        self._next = following
        return some


def micros(stored: str) -> int:
    """A stored point in time in microseconds since 1970."""
    return (datetime.fromisoformat(stored) - _EPOCH) // _MICROSECOND


def micros_of(at: datetime) -> int:
    """A point in time with its zone in microseconds since 1970."""
    return (at.astimezone(UTC).replace(tzinfo=None) - _EPOCH) // _MICROSECOND
