"""How the processes of one PARLEY_HOME share an engine process, and how it ends with its last client.

Each shared engine has a key (its release) and two lock files in `engines/`; the kernel drops locks with
their process, also after kill -9, so no state can go stale:

- `<key>.lease`: every client holds it shared as long as it wants the engine. The engine tries to get it exclusively
  now and then; when it does, nobody is left, and it strikes its entry and exits while it still holds it.
- `<key>.process`: whoever holds it exclusively is the engine, or is about to start it. The client that starts an
  engine passes its locked descriptor on, so there is no moment between "starting" and "serving", and never a second.

`engine.json` says where each engine listens. An entry counts only while the process lock is held and the server at
its address gives the entry's nonce, so a leftover entry, or a stranger on a reused port, deceives nobody.
"""

from __future__ import annotations

import fcntl
import json
import os
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from data.home import private_dir, write_atomic

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class Entry:
    """A running shared engine, as `engine.json` tells of it."""

    url: str
    pid: int
    release: int
    base: str
    context_length: int  # tokens of one conversation
    nonce: str
    started: str  # ISO 8601, UTC


class FileLock:
    """A lock on an open file that ends with its holder. Never waits: callers that may wait ask again later."""

    def __init__(self, path: Path) -> None:
        private_dir(path.parent)
        self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)

    @classmethod
    def inherited(cls, descriptor: int) -> FileLock:
        """The lock that the process which started this one holds and passed on."""
        lock = cls.__new__(cls)
        lock._descriptor = descriptor
        return lock

    def fileno(self) -> int:
        """The descriptor, to be passed to a process that shall hold the lock too."""
        return self._descriptor

    def shared(self) -> bool:
        """Whether the lock is now held together with others."""
        return self._try(fcntl.LOCK_SH)

    def exclusive(self) -> bool:
        """Whether the lock is now held alone."""
        return self._try(fcntl.LOCK_EX)

    def unlock(self) -> None:
        """Gives the lock up, also for a process that it was passed to; the file stays open."""
        fcntl.flock(self._descriptor, fcntl.LOCK_UN)

    def close(self) -> None:
        """Closes the file: the lock goes unless it was passed on. Idempotent."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def _try(self, how: int) -> bool:
        try:
            fcntl.flock(self._descriptor, how | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True


class Board:
    """`engine.json` and the lock files of one PARLEY_HOME."""

    def __init__(self, home: Path) -> None:
        self.path = home / "engine.json"
        self._folder = home / "engines"

    def lease(self, key: str) -> FileLock:
        """The file that clients hold shared."""
        return FileLock(self._folder / f"{key}.lease")

    def process(self, key: str) -> FileLock:
        """The file that the engine holds exclusively."""
        return FileLock(self._folder / f"{key}.process")

    def read(self) -> dict[str, Entry]:
        """All entries by key. What cannot be read counts as not there: locks decide, entries only tell."""
        try:
            raw = json.loads(self.path.read_text(encoding="utf-8"))
            return {key: Entry(**fields) for key, fields in raw.items()}
        except (OSError, ValueError, TypeError, AttributeError):
            return {}

    def put(self, key: str, entry: Entry) -> None:
        """Writes the entry of a key in place of any other."""
        with self._writing() as entries:
            entries[key] = entry

    def strike(self, key: str) -> None:
        """Removes the entry of a key, if there is one. Only who holds the key's process lock may."""
        with self._writing() as entries:
            entries.pop(key, None)

    @contextmanager
    def _writing(self) -> Iterator[dict[str, Entry]]:
        private_dir(self._folder)
        with (self._folder / "board.lock").open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)  # held for one small write
            before = self.read()
            entries = dict(before)
            yield entries
            if entries != before or not self.path.exists():
                plain = {key: asdict(entry) for key, entry in sorted(entries.items())}
                write_atomic(self.path, json.dumps(plain, indent=2) + "\n")
