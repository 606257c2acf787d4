"""What is wrong with a home's database: damaged pages, dangling references, releases that it knows otherwise."""

import contextlib
import sqlite3
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from data.database import NAME
from data.finding import Finding, damage, note
from data.home import file_sha256
from data.migrations import is_known
from data.releases import Releases
from data.store_errors import store_error

_LISTED = 5
_OLD = timedelta(days=1)
_BACKUP = "Stop every process of Parley, move the home away and put a backup in its place (`python -m data restore`)"


def database_findings(home: Path) -> Iterator[Finding]:
    """The findings in a database. Only reads, and sees one moment of it."""
    path = home / NAME
    if not path.is_file() or not path.stat().st_size:
        what = "is empty" if path.is_file() else "is missing"
        yield damage(f"{path} {what}, so nothing that people said or rated is there. {_BACKUP}.")
        return
    try:
        address = f"{path.absolute().as_uri()}?mode=ro"
        with contextlib.closing(sqlite3.connect(address, uri=True, timeout=30)) as connection:
            connection.execute("BEGIN")
            pages = _damaged_pages(connection)
            if pages:
                yield from _listed(f"{path} is damaged", pages, f"{_BACKUP}.")
                return
            yield from _schema(connection, path)
            yield from _references(connection, path)
            yield from _releases(connection, home)
            yield from _open_answers(connection)
    except sqlite3.Error as error:
        found = store_error(path, error)
        yield damage(str(found) if found else f"{path} cannot be read as Parley's database: {error}. {_BACKUP}.")


def _damaged_pages(connection: sqlite3.Connection) -> list[str]:
    found = [str(line) for (line,) in connection.execute(f"PRAGMA integrity_check({_LISTED + 1})")]
    return [line for each in found for line in each.splitlines() if line != "ok"]


def _listed(what: str, lines: list[str], advice: str) -> Iterator[Finding]:
    more = " ..." if len(lines) > _LISTED else ""
    yield damage(f"{what}: {'; '.join(lines[:_LISTED])}{more}. {advice}")


def _schema(connection: sqlite3.Connection, path: Path) -> Iterator[Finding]:
    if not _has(connection, "alembic_version"):
        yield damage(f"{path} is a database, but not Parley's: it does not say its schema. {_BACKUP}.")
        return
    rows = connection.execute("SELECT version_num FROM alembic_version").fetchall()
    if len(rows) != 1 or not is_known(str(rows[0][0])):
        yield damage(
            f"{path} has the schema {', '.join(str(row[0]) for row in rows) or 'none'}, which this version of Parley "
            "does not know. Update Parley, or use a backup that this version made."
        )


def _references(connection: sqlite3.Connection, path: Path) -> Iterator[Finding]:
    found = connection.execute("PRAGMA foreign_key_check").fetchall()
    if found:
        lines = [f"{table} row {row} refers to a row of {other} that is not there" for table, row, other, _ in found]
        yield from _listed(f"{path} has {len(found)} dangling references", lines, f"{_BACKUP}.")


def _releases(connection: sqlite3.Connection, home: Path) -> Iterator[Finding]:
    """Whether the releases' manifests are those that were recorded."""
    if not _has(connection, "releases"):
        return
    folder = Releases(home).folder
    for number, wanted in connection.execute("SELECT number, manifest_sha256 FROM releases ORDER BY number"):
        path = folder / f"{number:04d}" / "manifest.json"
        if not path.parent.is_dir():
            yield note(
                f"Release {number} is recorded, and its folder {path.parent} is gone. Copy it from a backup, if "
                "nobody removed it."
            )
        elif path.is_file() and file_sha256(path) != wanted:
            yield damage(
                f"{path} was changed after release {number} was written: it has not the hash in the database. Copy "
                "it from a backup."
            )


def _open_answers(connection: sqlite3.Connection) -> Iterator[Finding]:
    if not _has(connection, "open_answers"):
        return
    since = (datetime.now(UTC) - _OLD).strftime("%Y-%m-%d %H:%M:%S")
    (count,) = connection.execute("SELECT count(*) FROM open_answers WHERE opened_at < ?", (since,)).fetchone()
    if count:
        yield note(
            f"{count} answers were begun more than a day ago and never finished. The bot closes them at its next "
            "start on Discord."
        )


def _has(connection: sqlite3.Connection, table: str) -> bool:
    query = "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ?"
    return connection.execute(query, (table,)).fetchone() is not None
