"""How the processes of one PARLEY_HOME share an engine process, and how that process ends with its last client.

Each shared engine has a key (its release) and two lock files in `engines/`. The kernel drops a lock when its process
ends, even after kill -9, so no state goes stale:

- `<key>.lease`: every client holds it shared for as long as it needs the engine. The engine regularly tries to take
  it exclusively. When that works, no client is left: the engine removes its entry and exits while it holds the lease.
- `<key>.process`: the engine holds it exclusively, or the client that is about to start the engine does. That client
  passes the locked descriptor to the engine, so the lock is never free in between and there is never a second engine.

`engine.json` says where each engine listens and which API key it asks for; only the home's owner can read it. An
entry counts only while the process lock is held and the server at its address gives the entry's nonce, so neither a
leftover entry nor a stranger on a reused port causes harm. An engine that is not shared has an entry too, for the
person who started it; the name of that entry ends with the number of its process.
"""

from __future__ import annotations

import fcntl
import json
import os
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, fields
from typing import TYPE_CHECKING, Any

from data.home import private_dir, private_file, write_atomic

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class Entry:
    """A running engine, as `engine.json` describes it."""

    url: str
    pid: int
    release: int
    base: str
    context_length: int  # tokens in one conversation
    nonce: str = field(repr=False)
    started: str  # ISO 8601, UTC
    api_key: str = field(default="", repr=False)  # empty: an engine of an earlier version, which asks for none


class FileLock:
    """A lock on an open file that ends with the process that holds it. It never waits: callers try again later."""

    def __init__(self, path: Path) -> None:
        private_dir(path.parent)
        self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)

    @classmethod
    def inherited(cls, descriptor: int) -> FileLock:
        """The lock that the parent process holds and passed to this one."""
        lock = cls.__new__(cls)
        lock._descriptor = descriptor
        return lock

    def fileno(self) -> int:
        """The descriptor, to pass to a process that should hold the lock too."""
        return self._descriptor

    def shared(self) -> bool:
        """Tries to hold the lock together with others; returns whether it worked."""
        return self._try(fcntl.LOCK_SH)

    def exclusive(self) -> bool:
        """Tries to hold the lock alone; returns whether it worked."""
        return self._try(fcntl.LOCK_EX)

    def unlock(self) -> None:
        """Gives the lock up, also for a process that it was passed to. The file stays open."""
        fcntl.flock(self._descriptor, fcntl.LOCK_UN)

    def close(self) -> None:
        """Closes the file, which ends the lock unless it was passed to another process. Idempotent."""
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

    def room(self, key: str) -> Path:
        """The folder of the locks by which clients share the engine's memory (`bot.engine.room`)."""
        return self._folder / f"{key}.room"

    def read(self) -> dict[str, Entry]:
        """All entries by key. An unreadable file counts as empty: the locks decide, entries only inform."""
        try:
            raw = json.loads(self.path.read_text(encoding="utf-8"))
            return {key: _entry(told) for key, told in raw.items()}
        except (OSError, ValueError, TypeError, AttributeError):
            return {}

    def put(self, key: str, entry: Entry) -> None:
        """Writes the entry of a key; replaces an older one. Entries of killed processes go, if none shares them."""
        with self._writing() as entries:
            for other in [other for other in entries if ":" in other and not _alive(entries[other].pid)]:
                del entries[other]
            entries[key] = entry

    def remove(self, key: str) -> None:
        """Removes the entry of a key, if there is one.

        Only the holder of the key's process lock may do this, or the process that a key of its own names.
        """
        with self._writing() as entries:
            entries.pop(key, None)

    @contextmanager
    def _writing(self) -> Iterator[dict[str, Entry]]:
        private_dir(self._folder)
        with private_file(self._folder / "board.lock").open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)  # held for one small write
            before = self.read()
            entries = dict(before)
            yield entries
            if entries != before or not self.path.exists():
                plain = {key: asdict(entry) for key, entry in sorted(entries.items())}
                write_atomic(self.path, json.dumps(plain, indent=2) + "\n")


def loose(key: str, pid: int) -> str:
    """The key in `engine.json` of an engine that is not shared."""
    return f"{key}:{pid}"


def _entry(told: dict[str, Any]) -> Entry:
    known = {one.name for one in fields(Entry)}  # a later version may tell more
    return Entry(**{name: value for name, value in told.items() if name in known})


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True
