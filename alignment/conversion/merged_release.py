"""Makes the merged file that the embedded engine serves in place of an adapter (`data.merged_files`).

It is made of the base's weights and the adapter by llama.cpp's converter, compared with PEFT and as served, and gets
its name when that is done. Bots never make it: they serve the adapter on top of the base until it is there.
"""

from __future__ import annotations

import shutil
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from alignment.conversion.converter import VERSION
from alignment.conversion.merged import merge_to_gguf
from alignment.models import locate
from data.bases import base_info, serves_merged
from data.errors import BadInput, ParleyError
from data.home import file_sha256, make_private, setting, sync_tree
from data.merged_files import FOLDER, MergedManifest, folder_of, merged_of, remove_merged
from data.releases import BASE_RELEASE
from data.unfinished import remove_unfinished_of, unfinished_folder

if TYPE_CHECKING:
    from collections.abc import Callable

    from data.releases import Releases

_SAY = partial(print, flush=True)
# Fewer bits ruin what was merged: 0.75 nats from PEFT's in Q4_0, 0.09 in Q8_0 (SmolLM2-135M, tests.bench.bases).
_KINDS = ("f32", "f16", "bf16", "q8_0")
_ELSEWHERE = ("PARLEY_ENGINE_URL", "PARLEY_ENGINE_RELEASES")


def merged_kind(quantisation: str) -> str:
    """How a merged file is stored, by the quantisation of the base's own GGUF: alike, but never below eight bits."""
    return quantisation if quantisation in _KINDS else "q8_0"


def wants_merged(base: str) -> bool:
    """Whether releases of a base are to have merged files: where it says so, and the embedded engine serves."""
    return serves_merged(base) and not any(setting(name) for name in _ELSEWHERE)


def make_merged(adapter: Path, base: str, gguf: Path, *, say: Callable[[str], None] = _SAY) -> None:
    """Make the merged file of an adapter beside `gguf`, its LoRA GGUF, unless it is there already.

    `adapter` is the folder as PEFT saves it. Takes about a minute for SmolLM2-135M. Raises `BadInput` where it cannot
    be made, for example on a full disk, and `NotServable` for a file that does not compute what was trained. Then
    nothing is left.
    """
    info, target, pinned = base_info(base), folder_of(gguf), file_sha256(gguf)
    if target.exists():
        if _is_of(gguf, pinned, info.sha256):
            return
        remove_merged(gguf.parent)
    remove_unfinished_of(target)
    kind = merged_kind(info.quantisation)
    _refuse_full(base, gguf.parent)
    say(f"Merging the adapter into the base ({kind}), because releases of {base} are served merged ...")
    with unfinished_folder(target) as staging:
        work = staging / FOLDER
        work.mkdir(mode=0o700)
        found = merge_to_gguf(adapter, base, work / "model.gguf", kind, check=True, say=say)
        MergedManifest(
            sha256=file_sha256(work / "model.gguf"),
            adapter_gguf_sha256=pinned,
            base_sha256=info.sha256,
            quantisation=kind,
            converter=VERSION,
            nats=found.mean if found else None,
        ).save(work / "manifest.json")
        make_private(work)
        sync_tree(work)
        work.rename(target)
    say(f"The merged file computes what was trained: {found}.")


def prepare(releases: Releases, number: int, *, say: Callable[[str], None] = _SAY) -> None:
    """Make the merged file of a release that serves or is going to, as `make_wanted` does."""
    release = releases.get(number) if number != BASE_RELEASE else None
    if release is not None and release.manifest.kind == "adapter":
        make_wanted(release.adapter, release.base, release.adapter_gguf, say=say)


def make_wanted(adapter: Path, base: str, gguf: Path, *, say: Callable[[str], None] = _SAY) -> None:
    """Make the merged file of an adapter, if its base is served so.

    If it cannot be made, a sentence says why, and nothing is raised: the adapter is then served on top of the base.
    """
    if not wants_merged(base):
        return
    try:
        make_merged(adapter, base, gguf, say=say)
    except (ParleyError, OSError) as error:
        say(f"There is no merged file, so the release is served with its adapter, more slowly. {error}")


def prepare_needed(releases: Releases, *, say: Callable[[str], None] = _SAY) -> None:
    """Make the merged files of the champion and of the release on trial, where they are missing."""
    for number in (releases.champion(), releases.candidate()):
        if number is not None:
            prepare(releases, number, say=say)


def _is_of(gguf: Path, pinned: str, base_sha256: str) -> bool:
    """Whether the merged file that is there is whole, and of this adapter and base."""
    try:
        there = merged_of(gguf)
        return (
            there is not None
            and (there.manifest.adapter_gguf_sha256, there.manifest.base_sha256) == (pinned, base_sha256)
            and file_sha256(there.path) == there.manifest.sha256
        )
    except (BadInput, OSError):
        return False


def _refuse_full(base: str, folder: Path) -> None:
    """Raise `BadInput` unless the disk has room for the merged weights, which are removed again, and their GGUF."""
    weights = sum(path.stat().st_size for path in Path(locate(base).path).glob("*.safetensors"))
    needed = 2 * weights + (64 << 20)
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise BadInput(
            f"Merging takes about {needed / 1e9:.1f} GB in {folder} for a while, and {free / 1e9:.1f} GB are left. "
            f"Make room and promote the release again, or have {base} served with adapters: "
            f"`python -m alignment.bases served {base} lora`."
        )
