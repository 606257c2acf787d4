"""The adapter of a release as another program loads it: its name there, and whether its files are whole."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from data.bases import BaseInfo, base_info, base_template
from data.chat import template_sha256
from data.errors import BadInput, ParleyError
from data.home import file_sha256
from data.releases import BASE_RELEASE, Release, Releases

if TYPE_CHECKING:
    from pathlib import Path

_WEIGHTS = "adapter/adapter_model.safetensors"
_GGUF = "adapter.gguf"


@dataclass(frozen=True, slots=True)
class Adapter:
    """A release's adapter, of which nothing is read yet. `base` is the base that is here under the release's name."""

    release: Release
    base: BaseInfo

    @property
    def name(self) -> str:
        """Its name on a server: `release-0007-` and eight digits of its weights' hash.

        A server knows an adapter by its name alone, and so does its prompt cache: another home's release 7, or one
        that was made anew, must not be answered by what is loaded already.
        """
        files = self.release.manifest.files
        found = files.get(_WEIGHTS) or files.get(_GGUF) or self.release.manifest.adapter_gguf_sha256
        return f"release-{self.release.number:04d}-{found[:8]}" if found else f"release-{self.release.number:04d}"

    def check(self, folder: str) -> None:
        """Reads the files below a folder of the release and compares them with its manifest.

        Raises BadInput when one is missing, changed or damaged.
        """
        release = self.release
        pinned = {name: sha256 for name, sha256 in release.manifest.files.items() if name.startswith(folder)}
        for name, wanted in pinned.items():
            path = release.path / name
            if not path.is_file() or file_sha256(path) != wanted:
                raise BadInput(
                    f"Release {release.number} is not served: {path} is missing, was changed or is damaged: it "
                    "has not the SHA-256 in the release's manifest.json. Restore the file from a backup, or go back "
                    "to the release before with `python -m alignment.rollback`."
                )
        if not pinned and not (release.path / folder).exists():
            raise BadInput(f"Release {release.number} has no {folder} in {release.path}: export it again.")


def adapters_of(home: Path, kind: str) -> list[Adapter]:
    """The adapters of all releases of a home that a server of this kind could serve."""
    found = []
    for release in Releases(home).all():
        with suppress(ParleyError):
            found.append(adapter_of(home, release.number, kind))
    return [adapter for adapter in found if adapter is not None]


def adapter_problem(home: Path, number: int, kind: str) -> str | None:
    """Why a server of this kind cannot load a release's adapter; None if nothing forbids it."""
    try:
        adapter_of(home, number, kind)
    except ParleyError as error:
        return str(error)
    return None


def adapter_of(home: Path, number: int, kind: str) -> Adapter | None:
    """The adapter of a release, for a server of this kind ("vLLM"); None for release 0, which is the base alone.

    Raises BadInput when it has none, or when it belongs to another base or template than the ones that are here.
    """
    if number == BASE_RELEASE:
        return None
    releases = Releases(home)
    releases.refuse_other_base(number)
    release = releases.get(number)
    manifest = release.manifest
    if manifest.kind != "adapter":
        raise BadInput(
            f"Release {number} is a whole model, which {kind} cannot load while it runs. Start a server with "
            f"{release.path} as its model, and name that model in PARLEY_ENGINE_MODEL."
        )
    info = base_info(release.base)
    if manifest.base_sha256 not in (None, info.sha256):
        raise BadInput(
            f"Release {number} is not served: it was trained on another version of the base model {info.alias} than "
            "the one that is here, so its answers would be wrong. Restore that base, or run a new round."
        )
    if manifest.template_sha256 not in (None, template_sha256(base_template(info))):
        raise BadInput(
            f"Release {number} was trained with another chat template than its base model has now, so its answers "
            "would be wrong. Use the version of Parley that made it, or run a new round."
        )
    return Adapter(release, info)
