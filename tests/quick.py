"""What makes many small tests quick: costs that each would pay again are paid once, in the tests alone.

Nothing here changes what is computed or stored: a new database is a copy of one that was migrated, statements are
compiled once for all databases, and what never waits for another connection runs without a change of thread.
"""

import asyncio
import functools
import importlib.metadata
import itertools
import os
import sqlite3
import ssl
from collections import deque
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary

import aiosqlite
import datasketch.lsh
import jinja2
import pytest
from sqlalchemy.dialects.sqlite.aiosqlite import SQLiteDialect_aiosqlite
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.util import LRUCache

from data import database, store
from data.migrations import migrate

# A statement that begins so may wait for another connection, which must be able to go on meanwhile.
_WRITES = "BEGIN IMMEDIATE"
_MAY_WAIT = (_WRITES, "PRAGMA wal_checkpoint")
_TURN = 10  # statements after which what waits for a time or a socket gets its turn too


def make_quick(patch: pytest.MonkeyPatch, folder: Path) -> None:
    """Patch what most of a small test's time went to; `folder` holds a database to copy."""
    made = folder / "parley.db"
    migrate(made)
    new = made.read_bytes()

    def copied(path: Path) -> None:
        if path.stat().st_size:
            migrate(path)
        else:
            path.write_bytes(new)

    patch.setattr(database, "migrate", copied)
    # A client reads no certificates, since no test uses TLS.
    patch.setattr(ssl.SSLContext, "load_verify_locations", lambda *_places, **_named: None)
    # Each run would compile models' cards and tokenizers' templates again, and each step read packages' metadata.
    patch.setattr(jinja2.Environment, "compile", functools.lru_cache(500)(jinja2.Environment.compile))
    for name in ("metadata", "version"):
        patch.setattr(importlib.metadata, name, functools.cache(getattr(importlib.metadata, name)))
    # Each index of near duplicates would integrate the same curves.
    patch.setattr(datasketch.lsh, "_optimal_param", functools.cache(datasketch.lsh._optimal_param))
    _share_compiled_statements(patch)
    _do_not_wait_for_the_disk(patch)
    _stay_in_the_thread(patch)


def _share_compiled_statements(patch: pytest.MonkeyPatch) -> None:
    """All databases are of one kind, so a statement that was compiled for one serves the others."""
    compiled: LRUCache[Any, Any] = LRUCache(5000)

    def created(*args: Any, **named: Any) -> AsyncEngine:
        engine = create_async_engine(*args, **named)
        engine.sync_engine._compiled_cache = compiled
        return engine

    patch.setattr(database, "create_async_engine", created)
    # The dialect is a part of a compiled statement's key.
    patch.setattr(SQLiteDialect_aiosqlite, "__eq__", lambda one, other: type(one) is type(other))
    patch.setattr(SQLiteDialect_aiosqlite, "__hash__", lambda one: hash(type(one)))


def _do_not_wait_for_the_disk(patch: pytest.MonkeyPatch) -> None:
    """What a kill leaves is tested by killing processes; in this one nothing but a power cut would lose a commit."""
    configure = database._configure

    def configured(connection: Any, record: object) -> None:
        # Not through the adapter, where each of the pragmas is a turn of the loop.
        plain = connection.driver_connection._conn
        configure(plain, record)
        plain.execute("PRAGMA synchronous=OFF").close()

    patch.setattr(database, "_configure", configured)
    patch.setattr(os, "fsync", lambda _: None)


def _stay_in_the_thread(patch: pytest.MonkeyPatch) -> None:
    """Run a statement where its result is awaited; other tasks that are ready still get their turn before it."""
    in_its_thread = aiosqlite.Connection._execute
    # What each connection's thread has yet to do. Whoever awaited it may be cancelled meanwhile, and SQLite crashes
    # where one thread closes what another one reads.
    waiting: WeakKeyDictionary[aiosqlite.Connection, deque[None]] = WeakKeyDictionary()
    turns = itertools.cycle([True, *[False] * (_TURN - 1)])

    async def execute(connection: aiosqlite.Connection, call: Any, *args: Any, **named: Any) -> Any:
        ahead = waiting.setdefault(connection, deque())
        statement = args[0] if args and isinstance(args[0], str) else ""
        # Its cursor and its rows come in the same turn.
        if statement and (asyncio.get_running_loop()._ready or next(turns)):  # type: ignore[attr-defined]  # asyncio's own
            await asyncio.sleep(0)
        if statement.startswith(_WRITES) and not ahead and _began_at_once(connection, call, args):
            return None
        if ahead or statement.startswith(_MAY_WAIT):

            def done_there() -> Any:
                try:
                    return call(*args, **named)
                finally:
                    ahead.pop()

            if connection._running and connection._connection:  # else `in_its_thread` refuses
                ahead.append(None)
            return await in_its_thread(connection, done_there)
        if not connection._running or not connection._connection:
            raise ValueError("Connection closed")
        return call(*args, **named)

    patch.setattr(aiosqlite.Connection, "_execute", execute)
    in_a_thread = asyncio.to_thread

    async def to_thread(function: Any, *args: Any, **named: Any) -> Any:
        if function not in (database._prepare, store.tidy):
            return await in_a_thread(function, *args, **named)
        await asyncio.sleep(0)
        return function(*args, **named)

    patch.setattr(asyncio, "to_thread", to_thread)


def _began_at_once(connection: aiosqlite.Connection, call: Any, args: tuple[Any, ...]) -> bool:
    """Begin to write here and now, if nobody else writes."""
    plain = connection._connection if connection._running else None
    if plain is None:
        return False
    ((patience,),) = plain.execute("PRAGMA busy_timeout").fetchall()
    plain.execute("PRAGMA busy_timeout=0").close()
    try:
        call(*args)
    except sqlite3.OperationalError:
        return False
    finally:
        plain.execute(f"PRAGMA busy_timeout={patience}").close()
    return True
