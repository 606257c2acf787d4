"""A release's manifest: what the release is, what it belongs to, and what its round measured of it."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from data.home import file_sha256
from data.manifests import Manifest


@dataclass(frozen=True, kw_only=True)
class ReleaseManifest(Manifest):
    """What pins a release.

    Its adapter applies to one base with one tokenizer and one chat template: `base` names it, the hashes pin it, and
    `control` lists its control strings. `stages` made the release, in the round `round`; `parents` is
    what it continues and was compared with; `canaries` is how many made-up secrets were among its rows, and
    `canary_ids` says which. `figures` is what its round measured, with the gate's verdict (see `data.gate_verdicts`).
    `follows` are the lessons, by their numbers, that the release follows without help (`data.followed`).
    `files` are the hashes of its files, by their path in it. What is not known of a release that was made by hand is
    None or empty.
    """

    number: int = 0
    created_at: str = ""
    kind: str = "adapter"
    base: str
    base_sha256: str | None = None
    tokenizer_sha256: str | None = None
    template_sha256: str | None = None
    control: tuple[str, ...] = ()
    stages: tuple[str, ...] = ()
    round: int | None = None
    canaries: int = 0
    canary_ids: tuple[str, ...] = ()
    parents: dict[str, Any] = field(default_factory=dict)
    adapter_gguf_sha256: str | None = None
    follows: tuple[int, ...] = ()
    figures: dict[str, Any] = field(default_factory=dict)
    files: dict[str, str] = field(default_factory=dict)

    @property
    def start(self) -> int:
        """The release that this one continues; 0 for one that began with its base."""
        start = self.parents.get("start")
        return start if isinstance(start, int) else 0


def files_of(folder: Path) -> dict[str, str]:
    """The hashes of a release's files, by their path in its folder. The manifest itself is not among them."""
    paths = sorted(path for path in folder.rglob("*") if path.is_file() and path != folder / "manifest.json")
    return {path.relative_to(folder).as_posix(): file_sha256(path) for path in paths}
