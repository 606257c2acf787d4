"""Whether the files of a release are the ones that its manifest pins. The engine checks it before it serves them."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import TYPE_CHECKING

from data.bases import how_to_get
from data.errors import BadInput
from data.home import file_sha256, private_dir, write_atomic
from data.merged_files import without

if TYPE_CHECKING:
    from pathlib import Path

    from bot.engine.artefact import Artefact
    from data.merged_files import MergedFile


def check(artefact: Artefact, home: Path) -> None:
    """Raises BadInput, with what to do, if the base or the adapter was changed, damaged or exchanged.

    The base's hash is kept in `engines/hashes.json` for as long as its file stays as it is. What a manifest does not
    pin, as in releases that were made by hand, is not checked.
    """
    base = artefact.base
    if artefact.merged:
        _check_merged(artefact, artefact.merged, home)
    elif _known_sha256(artefact.model, home) != base.gguf_sha256:
        raise BadInput(
            f"The base model {artefact.model} was changed or is damaged: its SHA-256 is not the one in base.json. It "
            f"is not served. Remove the folder {artefact.model.parent} and get it again: {how_to_get(base.alias)}."
        )
    pinned = artefact.pinned
    if pinned.base_sha256 not in (None, base.sha256):
        raise BadInput(
            f"{_named(artefact)} is not served: it was trained on another version of the base model {base.alias} "
            f"than the one in {artefact.model.parent}, so its answers would be wrong. Restore that base, go back to "
            "the release before with `python -m alignment.rollback`, or run a new round."
        )
    if artefact.adapter and pinned.adapter_sha256 not in (None, file_sha256(artefact.adapter)):
        raise BadInput(
            f"{_named(artefact)} is not served: {artefact.adapter} was changed or is damaged, its SHA-256 is not the "
            "one in the release's manifest.json. Restore the file from a backup, or go back to the release before "
            "with `python -m alignment.rollback`; `python -m data check` looks at all other files too."
        )


def _check_merged(artefact: Artefact, merged: MergedFile, home: Path) -> None:
    """Raises BadInput if a merged file was changed, or was made of another adapter or base than the release's."""
    made = merged.manifest
    adapter = artefact.pinned.adapter_sha256 or file_sha256(merged.adapter)
    if (made.adapter_gguf_sha256, made.base_sha256) != (adapter, artefact.base.sha256):
        problem = "was made of another adapter or base"
    elif not merged.path.is_file():
        problem = "is missing"
    elif _known_sha256(merged.path, home) != made.sha256:
        problem = "was changed or is damaged"
    else:
        return
    raise BadInput(f"{_named(artefact)} is not served: {merged.path} {problem}. {without(merged.path.parent)}")


def _named(artefact: Artefact) -> str:
    return f"Release {artefact.release}" if artefact.release else "The adapter"


def _known_sha256(path: Path, home: Path) -> str:
    """A large file's hash, computed once for as long as size, times and inode stay the same."""
    kept = private_dir(home / "engines") / "hashes.json"
    state = path.stat()
    now = [state.st_size, state.st_mtime_ns, state.st_ctime_ns, state.st_ino]
    hashes: dict[str, list[object]] = {}
    with suppress(OSError, ValueError):
        found = json.loads(kept.read_text(encoding="utf-8"))
        hashes = found if isinstance(found, dict) else {}
    name = str(path.absolute())
    match hashes.get(name):
        case [str(sha256), *was] if was == now:
            return sha256
    sha256 = file_sha256(path)
    write_atomic(kept, json.dumps({**hashes, name: [sha256, *now]}) + "\n")
    return sha256
