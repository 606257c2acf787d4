"""Bytes that are too many for memory, in a file without a name: nothing is left of it when its process ends.

As long as they are few they stay in memory, and no file is made.
"""

import os
import tempfile
import weakref
from pathlib import Path

_BUFFER = 8 * 1024 * 1024


class Spool:
    """Appends bytes, and reads them again. The file is in `folder`, private to its owner, and was never linked there
    or is unlinked at once."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._file: int | None = None
        self._written = 0
        self._buffer = bytearray()

    @property
    def size(self) -> int:
        """The number of bytes so far."""
        return self._written + len(self._buffer)

    def append(self, raw: bytes) -> int:
        """Add some bytes; returns where they begin."""
        at = self.size
        self._buffer += raw
        if len(self._buffer) >= _BUFFER:
            self._flush()
        return at

    def read(self, at: int, length: int) -> bytes:
        """The bytes at a place."""
        if at >= self._written:
            start = at - self._written
            return bytes(self._buffer[start : start + length])
        assert self._file is not None
        return os.pread(self._file, length, at)

    def _flush(self) -> None:
        if self._file is None:
            with tempfile.TemporaryFile(dir=self._folder) as file:
                self._file = os.dup(file.fileno())
            weakref.finalize(self, os.close, self._file)
        rest = memoryview(self._buffer)
        while rest:
            done = os.write(self._file, rest)
            rest = rest[done:]
            self._written += done
        rest.release()
        self._buffer = bytearray()
