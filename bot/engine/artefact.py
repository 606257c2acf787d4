"""What the embedded engine would load for a release: the base's GGUF, the adapter's GGUF, the template."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from data.bases import DEFAULT_BASE, BaseInfo, base_info, gguf_path, is_alias
from data.chat import load_template, template_sha256
from data.errors import BadInput
from data.releases import BASE_RELEASE, Releases

if TYPE_CHECKING:
    from pathlib import Path

CONTEXT = 4096  # tokens of one conversation; every slot's memory is set aside at the start


@dataclass(frozen=True, slots=True)
class Artefact:
    """Files of one release that exist and belong together. `adapter` is None for the base model itself."""

    release: int
    base: BaseInfo
    model: Path
    adapter: Path | None
    template: str  # with the trainer's markers, as `load_template` gives it

    @property
    def name(self) -> str:
        """The model name under which the engine serves it."""
        return f"release-{self.release:04d}"

    @property
    def key(self) -> str:
        """What names its process in `engine.json`: release 0 is a different model for every base."""
        return f"{self.release:04d}" if self.release else f"0000-{self.base.alias}"

    def context(self, wanted: int | None) -> int:
        """The context of one conversation in tokens: what is wanted, and never more than the base was made for."""
        return min(wanted or CONTEXT, self.base.context_length)


def find(home: Path, release: int | None = None, base: str | None = None, adapter: Path | None = None) -> Artefact:
    """The files to serve: those of `release` (None: the champion of `home`), or of a base with a loose `adapter`.

    `base` None means the release's own base, and the bundled one for release 0. Raises BadInput when something is
    missing, does not belong together, or cannot be served from GGUF files at all.
    """
    if adapter is not None:
        if release is not None:
            raise BadInput("Give a release or an adapter file, not both: a release brings its own adapter.")
        if not adapter.is_file():
            raise BadInput(f"There is no adapter file {adapter}.")
        return _artefact(BASE_RELEASE, base or DEFAULT_BASE, adapter)
    releases = Releases(home)
    number = releases.champion() if release is None else release
    if number == BASE_RELEASE:
        return _artefact(BASE_RELEASE, base or DEFAULT_BASE, None)
    entry = releases.get(number)
    if base is not None and base != entry.base:
        raise BadInput(f"Release {number} belongs to the base model {entry.base}, not to {base}.")
    if entry.manifest.kind != "adapter":
        raise BadInput(
            f"Release {number} is a whole model, which the embedded engine cannot load. Serve {entry.path} with vLLM "
            "or any other OpenAI-compatible server and set PARLEY_ENGINE_URL to its address."
        )
    found = _artefact(number, entry.base, entry.adapter_gguf)
    if not entry.adapter_gguf.is_file():
        raise BadInput(f"Release {number} has no {entry.adapter_gguf.name} in {entry.path}: export it again.")
    pinned = entry.manifest.template_sha256
    if pinned not in (None, template_sha256(found.template)):
        raise BadInput(
            f"Release {number} was trained with another chat template than this version of Parley has; answers would "
            "be wrong. Go back to the version that made it, or run a new round."
        )
    return found


def _artefact(release: int, base: str, adapter: Path | None) -> Artefact:
    if not is_alias(base):
        raise BadInput(
            f"The base model {base} has no GGUF file, so the embedded engine cannot serve it. Serve it with vLLM or "
            "any other OpenAI-compatible server and set PARLEY_ENGINE_URL to its address."
        )
    info = base_info(base)
    return Artefact(release, info, gguf_path(base), adapter, load_template(info.template_name))
