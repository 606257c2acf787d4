"""Makes a round's result servable: the adapter's GGUF, checked, and the release that holds both."""

import asyncio
import shutil
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

from rich.console import Console

from alignment import models
from alignment.conversion.merged_release import make_wanted, prepare
from alignment.evaluation.subjects import Subject
from alignment.rounds.manifest import Export, RoundFolder
from alignment.serving.agreement import check_served
from alignment.serving.artefact import to_gguf
from data.chat import template_sha256
from data.home import file_sha256, home
from data.manifests import plain
from data.merged_files import move_merged, remove_merged
from data.release_manifest import ReleaseManifest
from data.releases import Releases
from data.store import Store


def export(console: Console, base: str, adapter: Path, folder: RoundFolder) -> Path:
    """Write the adapter as the engine loads it, and check that it computes what was trained.

    Where the base is served merged, the merged file is made beside it: the engine of the evaluation takes it as the
    bot's will. An artefact that was checked before an interruption is reused.
    """
    made = _export(console, base, adapter, folder)
    for earlier in folder.path.parent.glob("[0-9]*"):  # a round that was given up keeps none of this size
        if earlier != folder.path:
            remove_merged(earlier)
    say = partial(console.print, markup=False, highlight=False)
    releases = Releases(home())
    prepare(releases, releases.champion(), say=say)  # it was promoted on Discord, where nothing is merged
    make_wanted(adapter, base, made, say=say)
    return made


def _export(console: Console, base: str, adapter: Path, folder: RoundFolder) -> Path:
    target, trained, noted = folder.path / "adapter.gguf", models.adapter_sha256(adapter), folder.manifest.export
    if noted and target.exists() and (noted.adapter, noted.gguf) == (trained, file_sha256(target)):
        console.print("The artefact was exported and checked before.")
        return target
    remove_merged(folder.path)
    target.unlink(missing_ok=True)  # left by an interrupted round: the adapter may have changed
    found: dict[str, Any] = {}

    def check(temporary: Path) -> None:
        agreement = check_served(adapter, base, temporary)
        found.update(asdict(agreement))
        console.print(f"It computes what was trained: {agreement}.")

    made = to_gguf(adapter, base, target, check=check)
    folder.note(export=Export(adapter=trained, gguf=file_sha256(made), agreement=found))
    return made


def release(candidate: Subject, folder: RoundFolder, releases: Releases) -> int:
    """Write the candidate as a release, or find the one that an interrupted round wrote; returns its number."""
    manifest = folder.manifest
    assert candidate.gguf is not None
    assert manifest.evaluation is not None
    artefact = file_sha256(candidate.gguf)
    for there in releases.all():
        if there.manifest.round == folder.number and there.manifest.adapter_gguf_sha256 == artefact:
            return there.number
    figures = {name: value for name, value in plain(manifest.evaluation).items() if name != "inputs"}

    def build(path: Path) -> ReleaseManifest:
        assert candidate.adapter is not None
        assert candidate.gguf is not None
        shutil.copytree(candidate.adapter, path / "adapter")
        shutil.copyfile(candidate.gguf, path / "adapter.gguf")
        return ReleaseManifest(
            base=candidate.base,
            **identity(candidate.base),
            stages=tuple(manifest.steps),
            round=folder.number,
            canaries=len(manifest.canaries),
            canary_ids=tuple(manifest.canaries),
            parents=plain(manifest.parents),
            adapter_gguf_sha256=artefact,
            figures=figures,
        )

    made = releases.create(build)
    move_merged(candidate.gguf, made.adapter_gguf)
    return made.number


def identity(name: str) -> dict[str, Any]:
    """What a release's manifest pins: exactly which base, tokenizer and template its adapter belongs to."""
    base = models.locate(name)
    tokenizer = models.load_tokenizer(base)
    return {
        "base_sha256": models.base_sha256(base),
        "tokenizer_sha256": models.tokenizer_sha256(tokenizer),
        "template_sha256": template_sha256(tokenizer.chat_template),
        "control": tuple(models.control_strings(tokenizer)),
    }


def record(number: int, base: str, *, promoted: bool) -> None:
    """Record a release in the store, and whether it became the champion. Recording it twice changes nothing."""
    asyncio.run(_record(number, base, promoted=promoted))


async def _record(number: int, base: str, *, promoted: bool) -> None:
    store = await Store.open(home())
    try:
        await store.add_release(number, base, file_sha256(Releases(home()).get(number).path / "manifest.json"))
        if promoted:
            await store.promoted(number)
    finally:
        await store.close()
