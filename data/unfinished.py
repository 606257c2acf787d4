"""Files and folders that are still being written: one way to make them, and one way to remove what a kill left.

Everything in the home that appears in one step is written under another name first. All these names end alike
(`.sft-train.jsonl.x1y2z3a4.unfinished`), so that the clean-up knows them, and whoever writes one holds a lock on it.
The kernel drops the lock when its process ends, even after a kill -9. So what nobody holds is left over, whichever
process or container looks at it, and a living writer's file is never taken away.
"""

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

SUFFIX = ".unfinished"


@contextmanager
def unfinished_file(target: Path) -> Iterator[IO[bytes]]:
    """A new file beside `target`, private to its owner, to be written and then renamed or linked to it.

    `name` is its path. What still has that name after the block, which may have failed, is removed.
    """
    while True:
        name = f".{target.name}."
        with tempfile.NamedTemporaryFile(dir=target.parent, prefix=name, suffix=SUFFIX, delete=False) as file:
            try:
                if _held(file.fileno(), file.name):
                    yield file
                    return
            finally:
                Path(file.name).unlink(missing_ok=True)


@contextmanager
def unfinished_folder(target: Path) -> Iterator[Path]:
    """A new folder beside `target`, private to its owner, to be filled and then renamed to it.

    What still has its name after the block, which may have failed, is removed.
    """
    while True:
        name = tempfile.mkdtemp(dir=target.parent, prefix=f".{target.name}.", suffix=SUFFIX)
        try:
            descriptor = os.open(name, os.O_RDONLY)
        except FileNotFoundError:  # a clean-up was faster
            continue
        try:
            if _held(descriptor, name):
                yield Path(name)
                return
        finally:
            shutil.rmtree(name, ignore_errors=True)
            os.close(descriptor)


def remove_unfinished(path: Path) -> None:
    """Remove what killed writers left in a folder and below it, or under this very name.

    What somebody still writes stays.
    """
    if path.name.endswith(SUFFIX):
        _remove_if_left(path)
        return
    for parent, folders, files in os.walk(path):
        for name in [*folders, *files]:
            if name.endswith(SUFFIX):
                _remove_if_left(Path(parent, name))
        folders[:] = [name for name in folders if not name.endswith(SUFFIX)]


def remove_unfinished_of(target: Path) -> None:
    """Remove what killed writers of one file or folder left beside it."""
    for path in target.parent.glob(f".{target.name}.*{SUFFIX}"):
        _remove_if_left(path)


def _held(descriptor: int, name: str) -> bool:
    """Take the lock of a new file or folder. False if a clean-up was faster: it had no lock for a moment."""
    with suppress(OSError):  # a file system without locks: nothing is ever taken for left over there
        fcntl.flock(descriptor, fcntl.LOCK_EX)
    try:
        there = Path(name).stat()
    except FileNotFoundError:
        return False
    return os.path.samestat(there, os.fstat(descriptor))


def _remove_if_left(path: Path) -> None:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
    except OSError:  # it was renamed meanwhile, or it is not ours
        return
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        remove(path)
    except OSError:  # somebody writes it
        return
    finally:
        os.close(descriptor)


def remove(path: Path) -> None:
    """Remove a file or a folder with all that is in it, if it is there."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)
