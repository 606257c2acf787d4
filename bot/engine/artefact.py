"""The files that the embedded engine loads for a release, and the template.

These are the base's GGUF and the adapter's, or one GGUF with the adapter merged in, where the base is served so and
that file is there (`data.merged_files`).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from bot.engine.room import UNITS
from data.bases import BaseInfo, base_info, base_template, gguf_path
from data.chat import template_sha256
from data.chosen_base import home_base
from data.errors import BadInput
from data.home_base import base_mark, read_home_base
from data.merged_files import LORA, MERGED, MergedFile, folder_of, merged_of
from data.releases import BASE_RELEASE, Release, Releases

if TYPE_CHECKING:
    from pathlib import Path

CONTEXT = 4096  # tokens in one conversation; memory for every slot is reserved at the start


@dataclass(frozen=True, slots=True)
class Pinned:
    """The SHA-256 that a release's manifest pins; None where it says nothing."""

    base_sha256: str | None = None
    adapter_sha256: str | None = None

    @classmethod
    def by(cls, release: Release) -> Pinned:
        """What this release's manifest pins."""
        manifest = release.manifest
        whole = manifest.files.get(release.adapter_gguf.name)
        return cls(manifest.base_sha256, whole or manifest.adapter_gguf_sha256)


@dataclass(frozen=True, slots=True)
class Artefact:
    """The files of one release; they exist and belong together.

    `adapter` is None for the base model itself, and where `model` is the `merged` file.
    """

    release: int
    base: BaseInfo
    model: Path
    adapter: Path | None
    template: str  # with the trainer's markers, as `load_template` gives it
    pinned: Pinned = Pinned()
    merged: MergedFile | None = None

    @property
    def name(self) -> str:
        """The model name that the engine uses for it."""
        return f"release-{self.release:04d}"

    @property
    def mark(self) -> str | None:
        """Which base release 0 is, by its mark; None for a numbered release."""
        return None if self.release else base_mark(self.base.alias, self.base.sha256)

    @property
    def key(self) -> str:
        """The key of its process in `engine.json`. It names the base too, as release 0 differs from base to base.

        A release that is served with its adapter and then merged has two processes, one after the other. The end
        tells into how many units its clients divide the memory (`bot.engine.room`): a bot of another version that
        divides it differently, or asks without taking room, must not share the process.
        """
        which = f"{self.release:04d}" if self.release else f"0000-{self.mark}"
        return f"{which}{f'-{MERGED}' if self.merged else ''}-of{UNITS}"

    @property
    def form(self) -> str:
        """How it is served: merged, or with an adapter if there is one."""
        return MERGED if self.merged else LORA

    def context(self, wanted: int | None) -> int:
        """The context of one conversation in tokens: `wanted`, but never more than the base supports."""
        return min(wanted or CONTEXT, self.base.context_length)


def find(
    home: Path,
    release: int | None = None,
    base: str | None = None,
    adapter: Path | None = None,
    form: str | None = None,
) -> Artefact:
    """Finds the files of `release` (None: the champion of `home`), or of a base with a loose `adapter` file.

    `base` None means the release's own base, and the home's base for release 0 and for a loose adapter. `form` None
    takes the merged file if the base is served merged and the file is there; "lora" and "merged" insist. Raises
    BadInput when a file is missing, when files do not belong together, when the release belongs to another base than
    the home has, or when they cannot be served as GGUF at all.
    """
    return _in_form(_find(home, release, base, adapter), form)


def _in_form(found: Artefact, form: str | None) -> Artefact:
    """The same release with its merged file, where that is to serve."""
    if found.adapter is None or form == LORA or (form is None and not found.base.merges):
        return found
    merged = merged_of(found.adapter)
    if merged is None:
        if form == MERGED:
            raise BadInput(f"There is no merged file in {folder_of(found.adapter)} any more.")
        return found
    return replace(found, model=merged.path, adapter=None, merged=merged)


def _find(home: Path, release: int | None, base: str | None, adapter: Path | None) -> Artefact:
    if adapter is not None:
        if release is not None:
            raise BadInput("Give a release or an adapter file, not both: a release brings its own adapter.")
        if not adapter.is_file():
            raise BadInput(f"There is no adapter file {adapter}.")
        return _artefact(BASE_RELEASE, base or home_base(home), adapter, _pinned_beside(home, adapter))
    releases = Releases(home)
    number = releases.champion() if release is None else release
    if number == BASE_RELEASE:
        return _the_pinned(_artefact(BASE_RELEASE, base or home_base(home), None), home)
    entry = releases.get(number)
    if base is None:
        releases.refuse_other_base(number)
    if base is not None and base != entry.base:
        raise BadInput(f"Release {number} belongs to the base model {entry.base}, not to {base}.")
    if entry.manifest.kind != "adapter":
        raise BadInput(
            f"Release {number} is a whole model, which the embedded engine cannot load. Serve {entry.path} with vLLM "
            "or any other OpenAI-compatible server and set PARLEY_ENGINE_URL to its address."
        )
    found = _artefact(number, entry.base, entry.adapter_gguf, Pinned.by(entry))
    if not entry.adapter_gguf.is_file():
        raise BadInput(f"Release {number} has no {entry.adapter_gguf.name} in {entry.path}: export it again.")
    if entry.manifest.template_sha256 not in (None, template_sha256(found.template)):
        raise BadInput(
            f"Release {number} was trained with another chat template than this version of Parley has, so its "
            "answers would be wrong. Use the version that made it, or run a new round."
        )
    return found


def _the_pinned(found: Artefact, home: Path) -> Artefact:
    """Release 0 of a home; raises BadInput if the weights of its base are not those that the home is pinned to."""
    pinned = read_home_base(home)
    if pinned is not None and pinned.name == found.base.alias and pinned.sha256 != found.base.sha256:
        raise BadInput(
            f"The base model {pinned.name} on this machine is not the one that this home ({home}) began with, so it "
            f"is not served. Put that one back, or begin anew: `python -m alignment.bases switch {pinned.name}`."
        )
    return found


def _pinned_beside(home: Path, adapter: Path) -> Pinned:
    """What pins a loose adapter file: the manifest beside it, if it is a release's own; rounds measure those so."""
    releases, folder = Releases(home), adapter.absolute().parent
    number = int(folder.name) if folder.name.isdecimal() else BASE_RELEASE
    if number == BASE_RELEASE or folder.resolve() != (releases.folder / f"{number:04d}").resolve():
        return Pinned()
    release = releases.get(number)
    return Pinned.by(release) if adapter.name == release.adapter_gguf.name else Pinned()


def _artefact(release: int, base: str, adapter: Path | None, pinned: Pinned = Pinned()) -> Artefact:
    info = base_info(base)
    return Artefact(release, info, gguf_path(base), adapter, base_template(info), pinned)
