"""Brings a database to the current schema: under a lock, after a backup, never backwards."""

import contextlib
import sqlite3
from datetime import datetime
from pathlib import Path
from typing import Any

from filelock import FileLock
from sqlalchemy import URL, Connection, Engine, create_engine, event

from data.errors import BadInput
from data.home import private_file
from data.store_errors import named
from data.unfinished import unfinished_folder

_PATIENCE = 30.0  # seconds that a statement waits for another process


def migrate(database: Path) -> None:
    """Migrate a SQLite database to the newest schema, or create it.

    A database of an earlier version is copied to `<name>.backup-<revision>` first. Raises `BadInput` when a newer
    version of Parley wrote the database: going on could lose what that version added. After a kill half way the
    database is as it was.
    """
    known = _revisions()
    head = known[-1]
    with FileLock(f"{database}.migration-lock", mode=0o600), named(database):
        current = revision_of(database, patience=_PATIENCE)
        if current == head:
            return
        engine = _engine(database)
        try:
            if current is None and _has_tables(engine):
                raise BadInput(
                    f"{database} is a database, but does not say that it is Parley's (the table alembic_version is "
                    "missing or empty). Move it away and put a backup in its place with `python -m data restore`."
                )
            if current is not None and current not in known:
                raise BadInput(
                    f"{database} was written by a newer version of Parley (schema {current}; this version knows up "
                    f"to {head}). Update Parley, or use the backup next to the database."
                )
            if current is not None:
                backup(database, database.with_name(f"{database.name}.backup-{current}"))
            with engine.execution_options(parley_writes=True).begin() as connection:
                _upgrade(connection)
        finally:
            engine.dispose()


def _has_tables(engine: Engine) -> bool:
    with engine.connect() as connection:
        query = "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name != 'alembic_version'"
        return connection.exec_driver_sql(query).first() is not None


def _here() -> Path:
    return Path(__file__).parent


def _revisions() -> list[str]:
    """The schemas that this version knows, the oldest first: each migration's file begins with its number."""
    return sorted(path.name.partition("_")[0] for path in (_here() / "versions").glob("[0-9]*_*.py"))


def _upgrade(connection: Connection) -> None:
    """Run the migrations that a database lacks."""
    # Inside the function: at nearly every start the database is current, and nothing of Alembic is needed.
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(_here()).replace("%", "%%"))
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


def _engine(database: Path) -> Engine:
    """An engine whose transactions include schema changes; by default Python's driver commits each one separately."""
    engine = create_engine(URL.create("sqlite", database=str(database)))

    def configure(connection: Any, _record: object) -> None:
        connection.isolation_level = None  # only `begin` begins transactions
        connection.execute(f"PRAGMA busy_timeout={_PATIENCE * 1000:.0f}")
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA secure_delete=ON")

    def begin(connection: Connection) -> None:
        writes = connection.get_execution_options().get("parley_writes", False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    event.listen(engine, "connect", configure)
    event.listen(engine, "begin", begin)
    return engine


def revision_of(database: Path, *, patience: float = 5.0) -> str | None:
    """The schema that a database has; None for one without tables.

    Raises `StoreError` when it cannot be read, or not within `patience` seconds because another process locks it.
    """
    with named(database), contextlib.closing(sqlite3.connect(database, timeout=patience)) as connection:
        if not connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'alembic_version'").fetchone():
            return None
        row = connection.execute("SELECT version_num FROM alembic_version").fetchone()
        return str(row[0]) if row else None


def is_known(revision: str) -> bool:
    """Whether this version of Parley knows a schema; a newer version's it does not."""
    return revision in _revisions()


def remove_backups(database: Path, older_than: datetime) -> None:
    """Remove the backups that migrations made before this time: they hold texts that were erased since."""
    for copy in database.parent.glob(f"{database.name}.backup-*"):
        if copy.stat().st_mtime < older_than.timestamp():
            copy.unlink(missing_ok=True)


def backup(source: Path, target: Path) -> None:
    """Copy a SQLite database as it is at one moment, while others may use it.

    The copy appears whole, and only its owner can read it.
    """
    with unfinished_folder(target) as folder:  # SQLite writes a journal beside the copy
        copy = private_file(folder / target.name)
        with (
            named(source),
            contextlib.closing(sqlite3.connect(source, timeout=30)) as old,
            contextlib.closing(sqlite3.connect(copy)) as new,
        ):
            old.backup(new)
        copy.replace(target)
