"""What a round trained, made servable: the adapter's GGUF, checked, and the release that holds both."""

import asyncio
import shutil
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from data.home import file_sha256, home
from data.releases import Releases

if TYPE_CHECKING:
    from alignment.evaluation.subjects import Subject
    from alignment.rounds.manifest import Ledger


def export(console: Any, base: str, adapter: Path, ledger: "Ledger") -> Path:
    """Write the adapter as the engine loads it, and check that it computes what was trained.

    One that was checked before the round was interrupted is taken as it is.
    """
    from alignment.export import check_served, to_gguf
    from alignment.models import adapter_sha256

    target, trained = ledger.path / "adapter.gguf", adapter_sha256(adapter)
    noted = ledger.entries.get("export", {})
    if target.exists() and noted.get("adapter") == trained and noted.get("gguf") == file_sha256(target):
        console.print("The artefact was exported and checked before.")
        return target
    target.unlink(missing_ok=True)  # of an interrupted round: the adapter may be another now
    found: dict[str, Any] = {}

    def check(temporary: Path) -> None:
        agreement = check_served(adapter, base, temporary)
        found.update(asdict(agreement))
        console.print(f"It computes what was trained: {agreement}.")

    made = to_gguf(adapter, base, target, check=check)
    ledger.note(export={"adapter": trained, "gguf": file_sha256(made), "agreement": found})
    return made


def release(
    candidate: "Subject", ledger: "Ledger", releases: Releases, figures: dict[str, Any], parents: dict[str, Any]
) -> int:
    """Write the candidate as a release, or find the one that an interrupted round wrote; returns its number."""
    assert candidate.gguf is not None
    artefact = file_sha256(candidate.gguf)
    for there in releases.all():
        made_here = there.manifest.get("round") == ledger.number
        if made_here and there.manifest.get("adapter_gguf_sha256") == artefact:
            return there.number

    def build(folder: Path) -> dict[str, Any]:
        assert candidate.adapter is not None
        assert candidate.gguf is not None
        shutil.copytree(candidate.adapter, folder / "adapter")
        shutil.copyfile(candidate.gguf, folder / "adapter.gguf")
        return {
            "kind": "adapter",
            "base": candidate.base,
            **identity(candidate.base),
            "stages": ledger.entries["chain"],
            "round": ledger.number,
            "canaries": len(ledger.entries.get("canaries", ())),
            "parents": parents,
            "adapter_gguf_sha256": artefact,
            "figures": figures,
        }

    return releases.create(build).number


def identity(name: str) -> dict[str, Any]:
    """What a release's manifest pins: exactly which base, tokenizer and template its adapter belongs to."""
    from alignment import models
    from data.chat import template_sha256

    base = models.locate(name)
    tokenizer = models.load_tokenizer(base)
    return {
        "base_sha256": models.base_sha256(base),
        "tokenizer_sha256": models.tokenizer_sha256(tokenizer),
        "template_sha256": template_sha256(tokenizer.chat_template),
        "control": list(models.control_strings(tokenizer)),
    }


def record(number: int, base: str, *, promoted: bool) -> None:
    """Tell the store about a release and whether it became the champion; telling it twice changes nothing."""
    asyncio.run(_record(number, base, promoted=promoted))


async def _record(number: int, base: str, *, promoted: bool) -> None:
    from data.store import Store

    store = await Store.open(home())
    try:
        await store.add_release(number, base, file_sha256(Releases(home()).get(number).path / "manifest.json"))
        if promoted:
            await store.promoted(number)
    finally:
        await store.close()
