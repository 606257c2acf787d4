"""The form of a backup: one tar stream in a fixed order, with a manifest of hashes as its last member.

The same home always makes the same stream, but for the time in the manifest. Each member is a plain file with a path
inside of the home; whatever else a stream holds is refused when it is read.
"""

import contextlib
import hashlib
import io
import os
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import IO, Any, Protocol

from data.errors import BadInput
from data.home import private_dir
from data.manifests import Damaged, Manifest

LAST = "manifest.json"
_MOST_MANIFEST = 1 << 28  # bytes
_PIECE = 1 << 20


class Readable(Protocol):
    """What a backup is read from."""

    def read(self, size: int = -1, /) -> bytes:
        """At most `size` bytes."""


class Writable(Protocol):
    """What a backup is written to."""

    def write(self, raw: bytes, /) -> int:
        """Write all of it."""


@dataclass(frozen=True, kw_only=True)
class BackupManifest(Manifest):
    """What a backup holds: each file's hash, which schema the database has, and which bases releases belong to.

    `bases` are the hashes of the base models by name. The models themselves are not in the backup.
    """

    created_at: str
    schema: str
    files: dict[str, str]
    bases: dict[str, str] = field(default_factory=dict)


class BackupWriter:
    """Writes the members of a backup. `finish` writes the manifest; a stream without it is not complete."""

    def __init__(self, target: Writable) -> None:
        self.files: dict[str, str] = {}
        self._outlet = _Outlet(target)
        tar = tarfile.open(fileobj=_as_file(self._outlet), mode="w|", format=tarfile.PAX_FORMAT)  # noqa: SIM115 - `finish` closes it
        self._tar = tar

    def add(self, name: str, source: Path | bytes) -> None:
        """Add a file, or bytes under a file's name. Raises `FileNotFoundError` for a file that is gone."""
        if isinstance(source, bytes):
            self._add(name, len(source), io.BytesIO(source))
            return
        with source.open("rb") as file:
            self._add(name, os.fstat(file.fileno()).st_size, file)

    def finish(self, manifest: BackupManifest) -> None:
        """Write the manifest with the hashes of all members, and the end."""
        raw = manifest.text().encode()
        self._add(LAST, len(raw), io.BytesIO(raw))
        self._tar.close()

    def abandon(self) -> None:
        """Write nothing more. Otherwise the tar would write its end when it is collected, into whatever is there."""
        self._outlet.target = None
        self._tar.close()

    def _add(self, name: str, size: int, file: IO[bytes]) -> None:
        entry = tarfile.TarInfo(name)
        entry.size, entry.mode = size, 0o600
        hashing = _Hashing(file)
        self._tar.addfile(entry, _as_file(hashing))  # exactly `size` bytes, should the file grow meanwhile
        self.files[name] = hashing.hexdigest()


class _Outlet:
    """Where a tar writes to, until nothing more is to be written."""

    def __init__(self, target: Writable) -> None:
        self.target: Writable | None = target

    def write(self, raw: bytes) -> int:
        return len(raw) if self.target is None else self.target.write(raw)


class _Hashing:
    """A file whose bytes are hashed as they are read."""

    def __init__(self, file: Readable) -> None:
        self._file, self._hash = file, hashlib.sha256()

    def read(self, size: int = -1) -> bytes:
        raw = self._file.read(size)
        self._hash.update(raw)
        return raw

    def hexdigest(self) -> str:
        return self._hash.hexdigest()


def read_backup(source: Readable, name: str, folder: Path | None) -> BackupManifest:
    """Read a whole backup and check every file in it; write the files into `folder`, unless it is None.

    `name` is what sentences call the backup. Raises `BadInput` for anything that is not a complete backup. What was
    written until then stays, so give a folder of its own.
    """
    found: dict[str, str] = {}
    manifest: bytes | None = None
    with _damage(name), tarfile.open(fileobj=_as_file(source), mode="r|") as tar:
        for member in tar:
            if manifest is not None:
                raise BadInput(f"{name} goes on after its manifest, so it is not a backup that Parley made.")
            file = _checked(tar, member, found, name)
            if member.name == LAST:
                manifest = file.read(_MOST_MANIFEST)
            else:
                found[member.name] = _written(file, None if folder is None else folder / member.name)
        while rest := source.read(_PIECE):  # an encrypted stream proves its end only when it is read
            if rest.strip(b"\0"):
                raise BadInput(f"{name} goes on after its end, so it is not a backup that Parley made.")
    if manifest is None:
        raise BadInput(f"{name} breaks off: it has no manifest at its end. Use another copy of the backup.")
    try:
        wanted = BackupManifest.read(manifest, Path(name))
    except Damaged as error:
        raise BadInput(f"{name} has a damaged manifest ({error.problem}). Use another copy of the backup.") from None
    _compare(found, wanted.files, name)
    return wanted


@contextlib.contextmanager
def _damage(name: str) -> Iterator[None]:
    try:
        yield
    except (tarfile.TarError, EOFError, ValueError, OverflowError) as error:
        raise BadInput(f"{name} is not a whole backup ({error}). Use another copy of the backup.") from None


def _checked(tar: tarfile.TarFile, member: tarfile.TarInfo, found: dict[str, str], name: str) -> IO[bytes]:
    """The content of a member, which must be a new plain file inside of the home."""
    path = PurePosixPath(member.name)
    inside = (
        not path.is_absolute() and ".." not in path.parts and str(path) == member.name and "\0" not in member.name
    )
    if not member.isreg() or member.issparse() or not inside or member.name in found:
        raise BadInput(f"{name} holds {member.name!r}, which no backup has. Nothing of it was used.")
    file = tar.extractfile(member)
    assert file is not None
    return file


def _written(file: IO[bytes], target: Path | None) -> str:
    """Write a member's content; returns its hash."""
    made = hashlib.sha256()
    with contextlib.ExitStack() as stack:
        out: IO[bytes] | None = None
        if target is not None:
            private_dir(target.parent)
            out = stack.enter_context(open(target, "xb", opener=_private))
        while piece := file.read(_PIECE):
            made.update(piece)
            if out is not None:
                out.write(piece)
        if out is not None:
            out.flush()
            os.fsync(out.fileno())
    return made.hexdigest()


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _compare(found: dict[str, str], wanted: dict[str, str], name: str) -> None:
    for each in sorted(found.keys() | wanted.keys()):
        if found.get(each) != wanted.get(each):
            what = (
                "misses" if each not in found else "holds, beside its manifest," if each not in wanted else "changed"
            )
            raise BadInput(f"{name} is damaged: it {what} {each}. Use another copy of the backup.")


def _as_file(stream: Any) -> Any:
    """`tarfile` takes anything that reads or writes."""
    return stream
