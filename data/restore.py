"""Restores a home from a backup: verified first, then put in place with a rename, never by halves.

The backup is read into a new folder beside the home, and every file is checked against the manifest, and the database
for damage, before anything is touched. What people erased after the backup was made is erased again as far as the
home that is replaced knows of it (see `data.reapply`).
"""

import asyncio
import contextlib
import sqlite3
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import IO

from filelock import FileLock, Timeout

from data.backup_file import BackupManifest, Readable, read_backup
from data.bases import base_info
from data.database import NAME
from data.errors import BadInput, ParleyError
from data.home import KEY, bases_dir, private_dir, sync_dir
from data.migrations import is_known
from data.reapply import Reapplied, reapply
from data.sealing import MAGIC, Opener
from data.store_errors import named
from data.unfinished import unfinished_folder

# What may be in a home into which a backup is restored: none of it was made by people.
_EMPTY_ENOUGH = ("bases", "engines", "engine.json", "logs", "evaluations")

_PATIENCE = 2.0  # seconds that a restore waits for another process to let go of the database
_BUSY = (
    "Another process uses {path}; nothing was changed. Stop the bot, rounds and every other command of Parley that "
    "uses this home, and run this again."
)


@dataclass(frozen=True, slots=True)
class Restored:
    """What was restored: the manifest, where the home from before is kept, and what was erased again."""

    manifest: BackupManifest
    before: Path | None
    again: Reapplied | None
    missing_bases: tuple[str, ...]


def is_sealed(backup: Path) -> bool:
    """Whether a backup is encrypted."""
    with backup.open("rb") as file:
        return file.read(len(MAGIC)) == MAGIC


def verify(backup: Path, passphrase: str | None, folder: Path | None = None) -> BackupManifest:
    """Read a whole backup and check everything that can be checked; with `folder`, its files are written there.

    Raises `BadInput`, which says what is wrong.
    """
    with backup.open("rb") as file:
        manifest = read_backup(_opened(file, backup, passphrase), str(backup), folder)
    if not {NAME, KEY} <= manifest.files.keys():
        raise BadInput(f"{backup} has no {NAME} or no {KEY}, so it is not a backup of a home.")
    if not is_known(manifest.schema):
        raise BadInput(
            f"{backup} was made by a newer version of Parley (schema {manifest.schema}). Update Parley first."
        )
    return manifest


def _opened(file: IO[bytes], backup: Path, passphrase: str | None) -> Readable:
    if not is_sealed(backup):
        return file
    if passphrase is None:
        raise BadInput(f"{backup} is encrypted: set PARLEY_BACKUP_PASSPHRASE, or run this in a terminal to be asked.")
    return Opener(file, passphrase, str(backup))


def restore(home: Path, backup: Path, passphrase: str | None, *, replace: bool = False) -> Restored:
    """Put a backup in the place of a home. With `replace`, a home that is there is kept beside it.

    Raises `BadInput` when the backup is not whole, or when there is a home and `replace` is False; nothing is changed
    then.
    """
    home = home.resolve()  # a link stays a link
    used = sorted(path.name for path in home.iterdir() if not _may_stay(path.name)) if home.is_dir() else []
    if used and not replace:
        named_files = ", ".join(used[:5]) + (" ..." if len(used) > 5 else "")
        raise BadInput(
            f"{home} is not empty ({named_files}); nothing was changed. To put the backup in its place, add "
            f"--replace: the home that is there is kept beside it. Or set PARLEY_HOME to another folder."
        )
    if home.is_mount():
        raise BadInput(
            f"{home} is where a disk is mounted, so it cannot be replaced in one step; nothing was changed. Set "
            f"PARLEY_HOME to a folder in it, such as {home / 'parley'}."
        )
    private_dir(home.parent)
    _refuse_running(home)
    with unfinished_folder(home) as new:
        manifest = verify(backup, passphrase, new)
        _check_database(new / NAME, backup)
        _refuse_running(home)  # checking the backup took a while
        again = asyncio.run(reapply(new, home)) if (home / NAME).is_file() else None
        _refuse_running(home)
        before = _put(new, home)
    return Restored(manifest, before if used else None, again, tuple(_missing_bases(manifest)))


def _may_stay(name: str) -> bool:
    return name in _EMPTY_ENOUGH or name.startswith(".") or name.endswith(".migration-lock")


def _refuse_running(home: Path) -> None:
    """Raise `BadInput` while another process uses the home: it would go on in the folder that is moved."""
    path = home / NAME
    for lock in (home / "rounds" / ".lock", home / "watch.lock"):
        if not lock.is_file():
            continue
        try:
            with FileLock(lock, timeout=0):
                pass
        except Timeout:
            raise BadInput(_BUSY.format(path=lock.parent)) from None
    if not path.is_file() or not path.stat().st_size:
        return
    try:
        with contextlib.closing(
            sqlite3.connect(f"{path.absolute().as_uri()}?mode=rw", uri=True, timeout=_PATIENCE)
        ) as connection:
            connection.execute("PRAGMA locking_mode=EXCLUSIVE")
            connection.execute("BEGIN EXCLUSIVE")
            connection.execute("ROLLBACK")
    except sqlite3.OperationalError as error:
        if "locked" in str(error):
            raise BadInput(_BUSY.format(path=path)) from None
    except sqlite3.DatabaseError:  # damaged: that is why it is replaced
        pass


def _check_database(database: Path, backup: Path) -> None:
    with named(database), contextlib.closing(sqlite3.connect(database)) as connection:
        problems = [str(line) for (line,) in connection.execute("PRAGMA integrity_check(1)") if line != "ok"]
        problems += [f"a dangling reference in {row[0]}" for row in connection.execute("PRAGMA foreign_key_check")]
    if problems:
        raise BadInput(f"The database in {backup} is damaged ({problems[0]}). Use another backup.")


def _put(new: Path, home: Path) -> Path:
    """Give the new folder the home's name; returns where the home from before is."""
    before = home.with_name(f"{home.name}.before-{datetime.now(UTC):%Y%m%d-%H%M%S}")
    for path in (*(each for each in new.rglob("*") if each.is_dir()), new):
        sync_dir(path)
    if not home.exists() or not any(home.iterdir()):
        new.rename(home)  # in one step, over an empty folder too
    else:
        home.rename(before)
        new.rename(home)
        _move_along(before, home)
    sync_dir(home.parent)
    return before


def _move_along(before: Path, home: Path) -> None:
    """Take the bases along, which no backup holds; a folder that held nothing else goes."""
    if (before / "bases").exists():
        (before / "bases").rename(home / "bases")
    with contextlib.suppress(OSError):
        before.rmdir()


def _missing_bases(manifest: BackupManifest) -> list[str]:
    """The bases that the backup names and that are not here, or are others by their hashes."""
    missing = []
    for name, wanted in manifest.bases.items():
        try:
            there = base_info(name).sha256
        except (ParleyError, OSError):
            there = ""
        if there != wanted:
            what = "another one" if there else "a damaged one"
            missing.append(f"{name} ({what} is there)" if (bases_dir() / name).is_dir() else name)
    return missing
