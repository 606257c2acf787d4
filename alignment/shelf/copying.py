"""Copies large files: how far it is, and the hash of what was read."""

import hashlib
import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path

from data.errors import BadInput

_PART = 8 << 20
_EVERY = 5.0  # seconds between two lines about how far it is


def copy(source: Path, target: Path, say: Callable[[str], None]) -> str:
    """Copy a file; it is on disk when this returns. Returns the SHA-256 of its content.

    While a large file is copied, a line every few seconds says how far it is.
    """
    found, done, whole, told = hashlib.sha256(), 0, source.stat().st_size, time.monotonic()
    with source.open("rb") as read, target.open("wb") as written:
        while part := read.read(_PART):
            written.write(part)
            found.update(part)
            done += len(part)
            if time.monotonic() > told + _EVERY:
                told = time.monotonic()
                say(f"  {source.name}: {amount(done)} of {amount(whole)}")
        written.flush()
        os.fsync(written.fileno())
    if done != whole:
        raise BadInput(f"{source} changed while it was copied. Run the same command again when nothing writes it.")
    return found.hexdigest()


def amount(size: int) -> str:
    """A number of bytes as people read it."""
    return f"{size / 1e9:.1f} GB" if size >= 10**9 else f"{size / 1e6:.0f} MB" if size >= 10**6 else f"{size} bytes"


def refuse_full(folder: Path, needed: int) -> None:
    """Raise `BadInput` if a disk has too little room for what is going to be written."""
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise BadInput(
            f"The base takes about {amount(needed)}, and {folder} has {amount(free)} left. Make room, choose a "
            "smaller --quantise, or set PARLEY_BASES to a folder on another disk."
        )
