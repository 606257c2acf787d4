"""Makes a round's result servable: it is checked as served, and written as a release."""

import asyncio
import shutil
from collections.abc import Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

from rich.console import Console

from alignment import models
from alignment.conversion.merged_release import make_wanted, prepare
from alignment.evaluation.subjects import Subject
from alignment.rounds.manifest import Export, RoundFolder
from alignment.serving.artefact import to_gguf
from alignment.serving.server import Server
from data.chat import template_sha256
from data.home import file_sha256, home
from data.manifests import plain
from data.merged_files import move_merged, remove_merged
from data.release_manifest import ReleaseManifest
from data.releases import Release, Releases
from data.store import Store


def export(console: Console, base: str, adapter: Path, folder: RoundFolder, server: Server) -> Path | None:
    """Check that the adapter computes what was trained, as `server` serves it; returns its GGUF, if that loads one.

    Where the embedded engine serves the base merged, the merged file is made beside the GGUF, so that the
    evaluation's engine serves the file that the bot's engine is going to serve. What was checked before an
    interruption, on the same kind of server, is not checked again.
    """
    made = _export(console, base, adapter, folder, server)
    if made is None:
        return None
    for earlier in folder.path.parent.glob("[0-9]*"):  # an abandoned round keeps no file of this size
        if earlier != folder.path:
            remove_merged(earlier)
    say = partial(console.print, markup=False, highlight=False)
    releases = Releases(home())
    prepare(releases, releases.champion(), say=say)  # it was promoted on Discord, where nothing is merged
    make_wanted(adapter, base, made, say=say)
    return made


def _export(console: Console, base: str, adapter: Path, folder: RoundFolder, server: Server) -> Path | None:
    target, trained, noted = folder.path / "adapter.gguf", models.adapter_sha256(adapter), folder.manifest.export
    there = file_sha256(target) if server.loads_gguf and target.exists() else None
    if noted and (noted.adapter, noted.gguf, noted.server) == (trained, there, server.name):
        console.print("The artefact was exported and checked before.")
        return target if there else None
    remove_merged(folder.path)
    target.unlink(missing_ok=True)  # left by an interrupted round: the adapter may have changed
    found: dict[str, Any] = {}

    def check(temporary: Path | None) -> None:
        agreement = server.check(base, adapter, temporary)
        found.update(asdict(agreement))
        console.print(f"It computes what was trained: {agreement}.")

    made = None
    if server.loads_gguf:
        made = to_gguf(adapter, base, target, check=check)
    else:
        check(None)
    gguf = file_sha256(made) if made else None
    folder.note(export=Export(adapter=trained, gguf=gguf, server=server.name, agreement=found))
    return made


def made_before(releases: Releases, adapter: Path, base: str) -> Release | None:
    """The release of a base with this very adapter, if there is one."""
    trained = models.adapter_sha256(adapter)
    for each in releases.all():
        if each.base == base and each.manifest.files.get(f"{each.adapter.name}/{models.ADAPTER_WEIGHTS}") == trained:
            return each
    return None


def release(candidate: Subject, folder: RoundFolder, releases: Releases, follows: Sequence[int] = ()) -> int:
    """Write the candidate as a release, or find the one that an interrupted round wrote; returns its number.

    `follows` are the lessons that it follows without help.
    """
    manifest = folder.manifest
    assert candidate.adapter is not None
    assert manifest.evaluation is not None
    there = made_before(releases, candidate.adapter, candidate.base)
    if there is not None and there.manifest.round == folder.number:
        _give_merged(candidate, there)  # a kill may have come between the two
        return there.number
    artefact = file_sha256(candidate.gguf) if candidate.gguf else None
    figures = {name: value for name, value in plain(manifest.evaluation).items() if name != "inputs"}

    def build(path: Path) -> ReleaseManifest:
        assert candidate.adapter is not None
        shutil.copytree(candidate.adapter, path / "adapter")
        if candidate.gguf:
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
            follows=tuple(follows),
            figures=figures,
        )

    made = releases.create(build)
    _give_merged(candidate, made)
    return made.number


def _give_merged(candidate: Subject, made: Release) -> None:
    """Move the round's merged file to the release that was made of it, if there is one. Idempotent."""
    if candidate.gguf:
        move_merged(candidate.gguf, made.adapter_gguf)


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
