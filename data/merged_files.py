"""A release's adapter merged into its base, as one GGUF: the form that the embedded engine serves faster.

    releases/0007/adapter.gguf            always there: any llama.cpp serves it on top of the base
    releases/0007/merged/model.gguf       served in its place where base.json says `"served": "merged"`
                         manifest.json    its hash, and what it was made of

The folder appears and disappears in one step. It can be made again from the adapter
(`alignment.conversion.merged_release`), so only the champion and the candidate keep it, and no backup holds it. A
release without it is served with its adapter: it answers alike, only slower. A round's folder has the same two names.
"""

import shutil
from collections.abc import Collection
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from data.errors import BadInput
from data.home import sync_dir
from data.manifests import Damaged, Manifest
from data.unfinished import remove, remove_unfinished_of, unfinished_folder

FOLDER = "merged"
LORA, MERGED = "lora", "merged"
FORMS = (LORA, MERGED)  # what `served` in base.json may be


@dataclass(frozen=True, kw_only=True)
class MergedManifest(Manifest):
    """What pins a merged file: its hash, and the adapter (as GGUF) and the base that it was made of.

    `nats` is how far its log-probabilities, as served, were from those of the merged weights (mean).
    """

    sha256: str
    adapter_gguf_sha256: str
    base_sha256: str
    quantisation: str
    converter: str = ""
    nats: float | None = None


@dataclass(frozen=True, slots=True)
class MergedFile:
    """A complete merged file, and the adapter's GGUF that it stands for."""

    path: Path
    adapter: Path
    manifest: MergedManifest


def folder_of(adapter: Path) -> Path:
    """Where the merged file of an adapter's GGUF is."""
    return adapter.parent / FOLDER


def merged_of(adapter: Path) -> MergedFile | None:
    """The merged file beside an adapter's GGUF, None where there is none. Raises `BadInput` for a damaged manifest.

    Whoever serves it checks that it was made from this very adapter, because that means reading both.
    """
    folder = folder_of(adapter)
    try:
        manifest = MergedManifest.load(folder / "manifest.json")
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (Damaged, OSError) as error:
        problem = error.problem if isinstance(error, Damaged) else (error.strerror or str(error))
        raise BadInput(f"{folder / 'manifest.json'} cannot be used ({problem}). {without(folder)}") from None
    return MergedFile(folder / "model.gguf", adapter, manifest)


def without(folder: Path) -> str:
    """What to do about a merged file that cannot serve."""
    return (
        f"Remove the folder {folder}: then the adapter is served on top of the base. `python -m alignment.promote N` "
        "makes the folder again."
    )


def move_merged(source: Path, target: Path) -> None:
    """Move the merged file of an adapter's GGUF, if there is one, beside a copy of that GGUF. It appears whole."""
    there, wanted = folder_of(source), folder_of(target)
    if not (there / "manifest.json").is_file() or wanted.exists():
        return
    try:
        there.rename(wanted)
    except OSError:  # another file system
        with unfinished_folder(wanted) as staging:
            shutil.copytree(there, staging / FOLDER)
            (staging / FOLDER).rename(wanted)
        remove_merged(there.parent)
    sync_dir(target.parent)


def remove_merged(parent: Path) -> None:
    """Remove the merged file below a release's or a round's folder; an engine that serves it keeps what it has open.

    Idempotent.
    """
    folder = parent / FOLDER
    remove_unfinished_of(folder)
    if not folder.is_dir():
        return
    with suppress(OSError), unfinished_folder(folder) as gone:
        folder.rename(gone / FOLDER)  # in one step: nobody finds half of it
    remove(folder)


def keep_merged(releases: Path, kept: Collection[int | None]) -> None:
    """Remove the merged files of all releases in a folder but `kept`. What cannot be removed now stays."""
    for folder in releases.glob(f"[0-9]*/{FOLDER}"):
        if folder.parent.name.isdecimal() and int(folder.parent.name) not in kept:
            remove_merged(folder.parent)
