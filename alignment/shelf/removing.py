"""Takes a base off this machine."""

from collections.abc import Callable

from filelock import FileLock, Timeout

from alignment.shelf.using import users_of
from data.bases import base_dir, how_to_get
from data.errors import BadInput
from data.home import bases_dir, home, sync_dir
from data.unfinished import remove_unfinished_of, unfinished_folder


def remove(name: str, *, force: bool = False, say: Callable[[str], None] = print) -> None:
    """Remove a base with all its files. Raises `BadInput` while this home needs it, unless with `force`."""
    folder = base_dir(name)
    needed = users_of(name, home())
    if needed and not force:
        raise BadInput(
            f"{name} is needed by {' and '.join(needed)} ({home()}), which could not serve without it. Nothing was "
            "removed. Add --force to remove it all the same; other homes were not asked."
        )
    try:
        with FileLock(bases_dir() / f".{name}.lock", mode=0o600, timeout=0):
            remove_unfinished_of(folder)
            with unfinished_folder(folder) as gone:
                folder.rename(gone / name)  # in one step: nobody finds a half of it
                sync_dir(bases_dir())
    except Timeout:
        raise BadInput(f"Another process is adding or removing {name} right now. Wait for its end.") from None
    say(f"{name} was removed. {how_to_get(name)} brings it back.")
