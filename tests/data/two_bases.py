"""Two bases, fern and moss, as far as a home looks at them: a folder each, with what `base.json` says."""

from pathlib import Path

from data.bases import BaseInfo
from data.release_manifest import ReleaseManifest
from data.releases import Release, Releases

FERN, MOSS = "f" * 64, "c" * 64


def add_base(bases: Path, name: str, sha256: str, *, gguf: bool = True) -> None:
    """Add a base with these weights, or give one of this name other weights."""
    (bases / name).mkdir(parents=True, exist_ok=True)
    info = BaseInfo(
        alias=name,
        gguf_sha256="a" * 64 if gguf else "",
        weights_sha256=sha256,
        control=(),
        template_name="chatml",
        context_length=512,
        eos_token="<|im_end|>",
    )
    info.save(bases / name / "base.json")


def add_release(home: Path, base: str, sha256: str | None = None) -> Release:
    """A release of a base, with no files but its manifest."""
    return Releases(home).create(lambda _: ReleaseManifest(base=base, base_sha256=sha256))
