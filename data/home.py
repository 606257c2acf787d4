"""Where Parley's state lives, and how files are written so that a kill leaves nothing half done."""

import functools
import hashlib
import hmac
import os
import secrets
import tempfile
from collections.abc import Iterable
from pathlib import Path

from dotenv import dotenv_values

from data.errors import BadInput


def setting(name: str) -> str | None:
    """A setting from the environment, or from `.env` in the working directory when the environment lacks it."""
    value = os.environ.get(name) or dotenv_values(".env").get(name)
    return (value or "").strip() or None


def home() -> Path:
    """The installation's folder: `PARLEY_HOME`, by default `./var`. Not created here."""
    return Path(setting("PARLEY_HOME") or "var").absolute()


def bases_dir() -> Path:
    """The folder of the base models: `PARLEY_BASES`, by default `bases` in the installation's folder."""
    configured = setting("PARLEY_BASES")
    return Path(configured).absolute() if configured else home() / "bases"


def discord_permission() -> str | None:
    """The operator's reference to Discord's permission to train on message content; None without one."""
    return setting("PARLEY_DISCORD_TRAINING_PERMISSION")


def private_dir(path: Path) -> Path:
    """Create a folder (and its parents) that only its owner can read; return it. `BadInput` if a file is there."""
    if path.is_file():
        raise BadInput(f"{path} is a file, and a folder is needed there. Name another folder, or move the file away.")
    if not path.is_dir():
        private_dir(path.parent)  # `mkdir(parents=True)` would leave the parents as readable as the umask allows
        path.mkdir(exist_ok=True, mode=0o700)
    return path


def check_folder_of(flag: str, path: Path | None) -> None:
    """Raise `BadInput` at once when the folder of a file that is written hours later is missing."""
    if path is not None and not path.absolute().parent.is_dir():
        raise BadInput(f"{flag} {path}: there is no folder {path.absolute().parent}.")


def sync_dir(path: Path) -> None:
    """Make the renames in a folder survive a power cut."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_atomic(path: Path, content: bytes | str | Iterable[bytes]) -> None:
    """Replace a file's content in one step: a reader sees the old or the new, never a part.

    The file is private to its owner; a content in parts is written part by part. Errors of the file system pass
    through.
    """
    whole = content.encode() if isinstance(content, str) else content
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.writelines([whole] if isinstance(whole, bytes) else whole)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
    sync_dir(path.parent)


def installation_key(folder: Path) -> bytes:
    """The installation's secret of 32 bytes, made at first use and kept in the file `key`, private to its owner.

    Two processes that ask at the same time get the same key: the file appears whole, and the first one stays.
    """
    path = private_dir(folder) / "key"
    if not path.exists():
        descriptor, temporary = tempfile.mkstemp(dir=folder, prefix=".key.")
        with os.fdopen(descriptor, "wb") as file:
            file.write(secrets.token_bytes(32))
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(temporary, path)
        except FileExistsError:
            pass
        finally:
            Path(temporary).unlink()
        sync_dir(folder)
    key = path.read_bytes()
    if not 16 <= len(key) <= 64:
        raise BadInput(
            f"{path} holds {len(key)} bytes, and an installation's key has 32. Restore the right file: with another "
            "key, rows would move between training and judging, and erased texts would not be recognised."
        )
    return key


def keyed_hash(key: bytes, *parts: str) -> str:
    """A hexadecimal HMAC-SHA256 of the parts. Without the key nobody can test a guess against it."""
    return keyed_digest(key, *parts).hex()


def keyed_digest(key: bytes, *parts: str) -> bytes:
    """The same hash as 32 bytes."""
    state = _keyed(key).copy()  # three times as fast as beginning with the key each time
    for part in parts:
        raw = part.encode()
        state.update(len(raw).to_bytes(8, "big") + raw)
    return state.digest()


@functools.lru_cache(maxsize=8)
def _keyed(key: bytes) -> hmac.HMAC:
    return hmac.new(key, digestmod=hashlib.sha256)


def file_sha256(path: Path) -> str:
    """The hexadecimal SHA-256 of a file's content."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
