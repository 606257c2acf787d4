"""Where Parley's state lives, and how files are written so that a kill leaves nothing half done."""

import functools
import glob
import hashlib
import os
import secrets
import sqlite3
import stat
from collections.abc import Iterable, Mapping
from contextlib import closing, suppress
from pathlib import Path

from dotenv import dotenv_values

from data.errors import BadInput
from data.unfinished import unfinished_file

DATABASE = "parley.db"
KEY = "key"
_ENV_FILE = Path(".env")
_BLOCK = hashlib.sha256().block_size
KEY_BYTES = range(16, 65)  # a key has 32; earlier versions took an operator's own, of these sizes


class KeyLost(BadInput):
    """The installation's key is not the one that its database was made with. Nothing was changed."""

    def __init__(self, problem: str) -> None:
        self.problem = f"{problem}."
        super().__init__(
            f"{problem}. Put the right file back from a backup. If there is none, `python -m data key` says what "
            "another key costs and how to accept one. Nothing was changed."
        )


def setting(name: str) -> str | None:
    """A setting from the environment, or from `.env` in the working directory when the environment lacks it."""
    value = os.environ.get(name) or _env_file().get(name)
    return (value or "").strip() or None


def _env_file() -> Mapping[str, str | None]:
    try:
        state = _ENV_FILE.stat()
    except OSError:
        return {}
    return _parsed(_ENV_FILE.absolute(), state.st_mtime_ns, state.st_size)


@functools.lru_cache(maxsize=4)
def _parsed(path: Path, changed: int, size: int) -> Mapping[str, str | None]:  # noqa: ARG001 - a changed file is read anew
    return dotenv_values(path)


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


def private_file(path: Path) -> Path:
    """Create an empty file that only its owner can read, unless it is there; return it."""
    path.touch(mode=0o600)
    return path


def make_private(path: Path) -> list[Path]:
    """Take the rights of everybody but the owner from a file, or from a folder and all that is in it.

    Links stay: what they lead to may be shared. Returns what another account owns, which stays as well.
    """
    below = [Path(parent, name) for parent, *names in os.walk(path) for name in (*names[0], *names[1])]
    others = []
    for each in (path, *below):
        try:
            mode = each.lstat().st_mode
            if not stat.S_ISLNK(mode) and mode & 0o077:
                each.chmod(stat.S_IMODE(mode) & 0o700)
        except FileNotFoundError:  # it was there for a moment only
            continue
        except OSError:
            others.append(each)
    return others


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


def sync_tree(folder: Path) -> None:
    """Write a folder and all files and folders in it to the disk."""
    for path in (folder, *folder.rglob("*")):
        if path.is_file() or path.is_dir():
            sync_dir(path)  # a file's descriptor is synced the same way


def write_atomic(path: Path, content: bytes | str | Iterable[bytes]) -> None:
    """Replace a file's content in one step: a reader sees the old or the new, never a part.

    The file is private to its owner; a content in parts is written part by part. Errors of the file system pass
    through.
    """
    whole = content.encode() if isinstance(content, str) else content
    with unfinished_file(path) as file:
        file.writelines([whole] if isinstance(whole, bytes) else whole)
        file.flush()
        os.fsync(file.fileno())
        Path(file.name).replace(path)
    sync_dir(path.parent)


def installation_key(folder: Path) -> bytes:
    """The installation's secret of 32 bytes, in the file `key`, private to its owner.

    It is drawn before the database is made, and never beside one that is there already: raises `KeyLost` when it is
    missing then, or damaged. Two processes that ask at the same time get the same key: the file appears whole, and
    the first one stays.
    """
    path = private_dir(folder) / KEY
    there = (folder / DATABASE).exists()  # asked first: whoever makes the database has made the key before
    try:
        key = path.read_bytes()
    except FileNotFoundError:
        if there and _was_used(folder / DATABASE):
            raise KeyLost(f"{path} is missing, and {folder / DATABASE} was made with it") from None
        if not there:
            _refuse_half_restored(folder)
        return draw_key(path)
    except OSError as error:
        raise KeyLost(f"{path} cannot be read ({(error.strerror or str(error)).lower()})") from None
    if len(key) not in KEY_BYTES:
        raise KeyLost(f"{path} holds {len(key)} bytes, and an installation's key has 32")
    return key


def _refuse_half_restored(folder: Path) -> None:
    """Raise `BadInput` where a restore was killed after it moved the home away: an empty one would take its place."""
    if before := sorted(folder.parent.glob(f"{glob.escape(folder.name)}.before-*")):
        raise BadInput(
            f"{folder} is empty, and {before[-1]} lies beside it: a restore was interrupted. Run the restore again, "
            f"or rename that folder to {folder.name}. To begin with an empty home, move that folder elsewhere."
        )


def draw_key(path: Path) -> bytes:
    """Draw a key and keep it in a file; returns the key that is there, if another process was faster."""
    with unfinished_file(path) as file:
        file.write(secrets.token_bytes(32))
        file.flush()
        os.fsync(file.fileno())
        with suppress(FileExistsError):
            os.link(file.name, path)
    sync_dir(path.parent)
    return path.read_bytes()


def _was_used(database: Path) -> bool:
    """Whether a database holds anything that was made with the installation's key."""
    with closing(sqlite3.connect(f"{database.absolute().as_uri()}?mode=ro", uri=True)) as connection:
        try:
            tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
            # The first is there since the key is checked; homes from before have people, or rows with folds.
            keyed = ("key_print", "people", "fold_members")
            return any(connection.execute(f"SELECT 1 FROM {name}").fetchone() for name in keyed if name in tables)  # noqa: S608 - names of ours
        except sqlite3.OperationalError:  # it is locked: somebody uses it
            return True
        except sqlite3.DatabaseError as error:
            raise BadInput(
                f"{database} cannot be read as Parley's database: {error}. `python -m data check` says what is "
                "damaged; if pages are, move the home away and put a backup in its place with "
                "`python -m data restore`."
            ) from error


def keyed_hash(key: bytes, *parts: str) -> str:
    """A hexadecimal HMAC-SHA256 of the parts. Without the key nobody can test a guess against it."""
    return keyed_digest(key, *parts).hex()


def keyed_digest(key: bytes, *parts: str) -> bytes:
    """The same hash as 32 bytes."""
    inner, outer = _begun(key, parts[:-1])
    state, whole = inner.copy(), outer.copy()
    state.update(_framed(parts[-1]))
    whole.update(state.digest())
    return whole.digest()


def _framed(part: str) -> bytes:
    raw = part.encode()
    return len(raw).to_bytes(8, "big") + raw


@functools.lru_cache(maxsize=64)
def _begun(key: bytes, parts: tuple[str, ...]) -> "tuple[hashlib._Hash, hashlib._Hash]":
    """HMAC's inner and outer hash (RFC 2104) after the key and these parts. To copy both is four times as fast as the
    module `hmac`, and rows need millions of keyed hashes that only differ in their last part."""
    block = (key if len(key) <= _BLOCK else hashlib.sha256(key).digest()).ljust(_BLOCK, b"\0")
    inner, outer = (hashlib.sha256(bytes(byte ^ pad for byte in block)) for pad in (0x36, 0x5C))
    for part in parts:
        inner.update(_framed(part))
    return inner, outer


def file_sha256(path: Path) -> str:
    """The hexadecimal SHA-256 of a file's content."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def rows_sha256(path: Path) -> str:
    """The hash of a file of rows. In the home it is keyed: manifests keep it, and of a row that was erased since a
    guess could be tested against a plain one, as long as the other rows are known."""
    found, where = file_sha256(path), home()
    if not path.absolute().is_relative_to(where) or not (where / KEY).exists():
        return found
    return keyed_hash(installation_key(where), "file", found)
