"""Whether the files of a base are the ones that its `base.json` pins: hashed once, and again when one was touched."""

import json
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from data.bases import BaseInfo, base_dir, get_again
from data.errors import BadInput
from data.home import file_sha256, write_atomic

_CHECKED = ".checked.json"  # what was hashed last, and what the files looked like then


def base_problems(info: BaseInfo, *, quick: bool = False) -> Iterator[str]:
    """A sentence for each file that is missing, changed or cannot be read.

    Every file is read, and nothing written; or with `quick` only those are read that look otherwise than last time,
    and how they look is kept in the folder.
    """
    folder = base_dir(info.alias)
    kept = _kept(folder) if quick else {}
    checked: dict[str, Any] = {}
    for name, wanted in info.pinned.items():
        path = folder / name
        try:
            looks = [wanted, *_looks(path)]
            if kept.get(name) != looks and file_sha256(path) != wanted:
                yield f"{path} was changed or is damaged."
                continue
            checked[name] = looks
        except FileNotFoundError:
            yield f"{path} is missing."
        except OSError as error:
            yield f"{path} cannot be read ({(error.strerror or str(error)).lower()})."
    if quick and checked != kept:
        with suppress(OSError):  # a folder that can only be read: the next check reads the files again
            write_atomic(folder / _CHECKED, json.dumps(checked) + "\n")


def refuse_damaged(info: BaseInfo) -> None:
    """Raise `BadInput` if a base is not what its `base.json` pins. Files that were not touched are not read again."""
    for problem in base_problems(info, quick=True):
        raise BadInput(f"The base model {info.alias} is damaged: {problem} {get_again(info.alias)}")


def _kept(folder: Path) -> dict[str, Any]:
    with suppress(OSError, ValueError):
        found = json.loads((folder / _CHECKED).read_bytes())
        return found if isinstance(found, dict) else {}
    return {}


def _looks(path: Path) -> list[int]:
    state = path.stat()
    return [state.st_size, state.st_mtime_ns, state.st_ctime_ns, state.st_ino]
