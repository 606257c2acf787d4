"""Writes a backup: everything of a home that cannot be made again, as it is at one moment, in one private file.

It may be written while the bot talks and a round runs. The database is copied by SQLite's own backup, and the
pointers cannot move meanwhile. Base models are named by their hashes, since they can be fetched again. What only a
running process needs is left out: locks, logs, the engine's files, checkpoints, a round's copies of people's texts.
"""

import contextlib
import glob
import os
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from filelock import FileLock

from data.backup_file import BackupManifest, BackupWriter
from data.bases import base_info
from data.database import NAME
from data.errors import BadInput, ParleyError
from data.home import KEY, bases_dir, private_dir, private_file, sync_dir
from data.merged_files import FOLDER
from data.migrations import revision_of
from data.releases import Releases
from data.rounds import holds_texts
from data.sealing import Sealer
from data.store_errors import FULL, UNREADABLE, StoreError, named
from data.unfinished import SUFFIX, remove_unfinished, unfinished_file, unfinished_folder

_ALONE = (KEY, "rounds.paused")  # files of the home itself
_FOLDERS = ("personas", "releases", "rounds")
BEGINS = "parley-backup-"


@dataclass(frozen=True, slots=True)
class Written:
    """A backup that was written."""

    path: Path
    files: int
    bytes: int
    encrypted: bool


def default_name() -> Path:
    """The name of a backup of this moment, in the working directory."""
    return Path(f"{BEGINS}{datetime.now(UTC):%Y%m%d-%H%M%S}.tar")


def write_backup(home: Path, out: Path, passphrase: str | None) -> Written:
    """Write a backup of a home; with a passphrase it is encrypted. The file appears whole and is private.

    Raises `BadInput` when there is no home, when `out` exists or is inside of the home, and when the database is
    damaged.
    """
    _check(home, out)
    for left in (*out.parent.glob(f".{glob.escape(out.name)}.*{SUFFIX}"), *out.parent.glob(f".{BEGINS}*{SUFFIX}")):
        remove_unfinished(left)
    with unfinished_file(out) as file:
        sealer = None if passphrase is None else Sealer(file, passphrase)
        writer = BackupWriter(file if sealer is None else sealer)
        try:
            manifest = _write(home, writer)
        except BaseException:
            writer.abandon()
            raise
        if sealer is not None:
            sealer.close()
        file.flush()
        os.fsync(file.fileno())
        size = file.tell()
        try:
            os.link(file.name, out)  # unlike a rename, it never replaces a file that appeared meanwhile
        except FileExistsError:
            raise BadInput(_there(out)) from None
        except OSError:  # a file system without links
            Path(file.name).rename(out)
    sync_dir(out.parent)
    return Written(out, len(manifest.files), size, passphrase is not None)


def _check(home: Path, out: Path) -> None:
    if not (home / NAME).is_file() or not (home / NAME).stat().st_size:
        raise BadInput(f"There is nothing to back up: {home} has no database yet. Is PARLEY_HOME right?")
    if not (home / KEY).is_file():
        raise BadInput(
            f"{home / KEY} is missing, and the database is of little use without it: put the right file back first."
        )
    if out.exists():
        raise BadInput(_there(out))
    if not out.absolute().parent.is_dir():
        raise BadInput(f"There is no folder {out.absolute().parent} to write to.")
    if out.absolute().parent.resolve().is_relative_to(home.resolve()):
        raise BadInput(
            f"{out} is inside of {home}, and would be lost with it; name a place outside, on another disk."
        )


def _there(out: Path) -> str:
    return f"{out} is there already; choose another name."


def _write(home: Path, writer: BackupWriter) -> BackupManifest:
    with unfinished_folder(home / NAME) as folder:  # SQLite writes a journal beside the copy
        copy = private_file(folder / NAME)
        held = _hold(home, copy)
        schema = revision_of(copy) or ""
        writer.add(NAME, copy)
    for name, source in held.items():
        try:
            writer.add(name, source)
        except FileNotFoundError:
            if name.startswith("releases/"):  # they never change; a running round removes its files
                raise ParleyError(f"{home / name} vanished while the backup was written. Run it again.") from None
    manifest = BackupManifest(
        created_at=datetime.now(UTC).isoformat(timespec="seconds"),
        schema=schema,
        files=dict(writer.files),
        bases=_bases(home),
    )
    writer.finish(manifest)
    return manifest


def _hold(home: Path, copy: Path) -> dict[str, Path | bytes]:
    """Copy the database, and list everything else in order; small files that change are read at once.

    A round writes the pointer, then its manifest, then the database. They are read the other way round, so that what
    one of them tells is never ahead of the others: the state is one that a kill could have left, and a round goes on
    from there. Nothing is promoted meanwhile.
    """
    with _still(home):
        copy_database(home / NAME, copy)
        found: dict[str, Path | bytes] = {name: home / name for name in _ALONE if (home / name).is_file()}
        for folder in _FOLDERS:
            found |= {name: home / name for name in _names(home, folder)}
        changing = [name for name in found if name.count("/") == 1 or name.endswith("/manifest.json")]
        for name in sorted(changing, reverse=True):  # rounds/ before releases/
            with contextlib.suppress(FileNotFoundError):
                found[name] = (home / name).read_bytes()
    return dict(sorted(found.items()))


@contextlib.contextmanager
def _still(home: Path) -> Iterator[None]:
    """Keep the pointers where they are."""
    folder = Releases(home).folder
    if not folder.is_dir():
        yield
        return
    with FileLock(private_dir(folder) / ".lock"):
        yield


def copy_database(source: Path, target: Path) -> None:
    """Copy a database as it is at one moment into an empty file, and check that the copy is whole."""
    with (
        _named(source, target),
        contextlib.closing(sqlite3.connect(f"{source.absolute().as_uri()}?mode=rw", uri=True, timeout=30)) as old,
        contextlib.closing(sqlite3.connect(target)) as new,
    ):
        old.backup(new)
        new.execute("PRAGMA journal_mode=DELETE")  # one file, without a log beside it
        problems = [line for (line,) in new.execute("PRAGMA quick_check(1)") if line != "ok"]
    if problems:
        raise BadInput(
            f"{source} is damaged ({problems[0]}), so a backup of it would be too. `python -m data check` says more; "
            "use an earlier backup."
        )


@contextlib.contextmanager
def _named(source: Path, target: Path) -> Iterator[None]:
    """Raise `StoreError`, or `BadInput` where it is the copy that cannot be written."""
    try:
        with named(source):
            yield
    except StoreError as error:
        if error.kind in (FULL, UNREADABLE):
            raise BadInput(
                f"The copy of {source} for the backup could not be written in {target.parent.parent}: is there room "
                f"for it ({source.stat().st_size / 2**20:.0f} MiB)? Nothing was changed. ({error})"
            ) from error
        raise


def _names(home: Path, folder: str) -> Iterator[str]:
    """The files of a folder of the home that belong into a backup, as paths in the home."""
    for parent, folders, files in os.walk(home / folder):
        # A merged file is as large as the base, and can be made again from the adapter.
        folders[:] = [each for each in folders if not each.startswith((".", "checkpoint-")) and each != FOLDER]
        for each in files:
            path = Path(parent, each)
            if each.startswith(".") or each.endswith(".lock") or path.is_symlink() or not path.is_file():
                continue
            if folder != "rounds" or not holds_texts(each):
                yield path.relative_to(home).as_posix()


def _bases(home: Path) -> dict[str, str]:
    """The hashes of the bases that are here, and of those that releases belong to."""
    found = {}
    with contextlib.suppress(ParleyError, OSError):
        for release in Releases(home).all():
            if release.manifest.base_sha256:
                found[release.base] = release.manifest.base_sha256
    folder = bases_dir()
    for path in sorted(folder.iterdir()) if folder.is_dir() else ():
        with contextlib.suppress(ParleyError, OSError):
            if (path / "base.json").is_file():
                found[path.name] = base_info(path.name).sha256
    return dict(sorted(found.items()))
