"""Why the database cannot be used right now, as a sentence: a full disk, a lock, a read-only home, damaged pages."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy.exc import DBAPIError

from data.errors import ParleyError

FULL, BUSY, READ_ONLY, DAMAGED, UNREADABLE = "full", "busy", "read_only", "damaged", "unreadable"
# SQLite's primary result codes; the extended ones hold them in their lowest byte.
_KINDS = {
    sqlite3.SQLITE_FULL: FULL,
    sqlite3.SQLITE_BUSY: BUSY,
    sqlite3.SQLITE_LOCKED: BUSY,
    sqlite3.SQLITE_READONLY: READ_ONLY,
    sqlite3.SQLITE_PERM: READ_ONLY,
    sqlite3.SQLITE_CORRUPT: DAMAGED,
    sqlite3.SQLITE_NOTADB: DAMAGED,
    sqlite3.SQLITE_IOERR: UNREADABLE,
    sqlite3.SQLITE_CANTOPEN: UNREADABLE,
    sqlite3.SQLITE_PROTOCOL: UNREADABLE,
}
_SENTENCES = {
    FULL: "nothing can be written to {path}, because the disk is full. Make room and try again; everything that "
    "was stored before is still there.",
    BUSY: "another process has kept {path} locked for too long. Wait until it is done (another program's backup, an "
    "open database tool), or end it, and try again.",
    READ_ONLY: "{path} can only be read. Make the folder and the files in it writable for the user that runs "
    "Parley (its owner, its mode, and how the disk is mounted), or set PARLEY_HOME to another folder.",
    DAMAGED: "{path} cannot be read as Parley's database: {reason}. `python -m data check` says what is damaged; "
    "if pages are, move the home away and put a backup in its place with `python -m data restore`.",
    UNREADABLE: "{path} cannot be read or written: {reason}. Check the disk, and that the folder is there and "
    "belongs to the user that runs Parley.",
}


class StoreError(ParleyError):
    """The database cannot be used. `kind` says why, in one word; the sentence is for the operator."""

    def __init__(self, path: Path, kind: str, reason: str) -> None:
        sentence = _SENTENCES[kind].format(path=path, reason=reason)
        super().__init__(sentence[:1].upper() + sentence[1:])
        self.kind = kind


def store_error(path: Path, error: BaseException) -> StoreError | None:
    """What an error of SQLite, or SQLAlchemy's around one, says of the database; None for a faulty statement."""
    found = error.orig if isinstance(error, DBAPIError) else error
    code = getattr(found, "sqlite_errorcode", None)
    if isinstance(code, int) and (kind := _KINDS.get(code & 0xFF)):
        return StoreError(path, kind, str(found))
    # Some versions of Python refuse a file that is not a database by themselves, without a code.
    if type(found) is sqlite3.DatabaseError:
        return StoreError(path, DAMAGED, str(found))
    return None


@contextmanager
def named(path: Path) -> Iterator[None]:
    """Raise `StoreError` in place of the errors that have nothing to do with the statement."""
    try:
        yield
    except (DBAPIError, sqlite3.Error) as error:
        if found := store_error(path, error):
            raise found from error
        raise
