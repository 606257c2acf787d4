"""The models that are compared or measured: releases, bases, adapters in a folder."""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

from alignment import models
from alignment.evaluation.suites.canaries import Canary, canaries, canary_ids
from alignment.serving.same_base import check_base
from data.bases import serves_merged
from data.chosen_base import home_base
from data.errors import BadInput
from data.home import file_sha256, installation_key
from data.merged_files import merged_of
from data.releases import BASE_RELEASE, Releases


@dataclass(frozen=True, slots=True)
class Subject:
    """A model to compare or measure: a base model, with or without an adapter. `name` is what tables call it.

    `gguf` is the adapter as the embedded engine loads it; without one it is made when answers are asked for.
    `canaries` are the ids of the made-up secrets that were among its rows. `release` is its number (0: the home's
    base), None if it was never released, so that no one compared it live.
    """

    name: str
    base: str
    adapter: Path | None = None
    gguf: Path | None = None
    canaries: tuple[str, ...] = ()
    release: int | None = None


def subject(name: str, base: str | None, home: Path) -> Subject:
    """The model that a command line names: a release's number (0: the base model), or an adapter's or a run's folder.

    `base` is the base of release 0 (None: the home's), and where the base of a bare adapter is now (None: the one
    that it names). A base that is not the home's was never release 0: people compared nothing with it. Raises
    `BadInput` for any other name, and if `base` is not the adapter's.
    """
    if name.isdecimal():
        number = int(name)
        if number == BASE_RELEASE:
            own = home_base(home)
            return Subject("base model", base or own, release=number if base in (None, own) else None)
        found = Releases(home).get(number)
        # Before their ids were written down, they were always the first ones of both languages.
        planted = found.manifest.canary_ids or tuple(canary_ids(found.manifest.canaries))
        gguf = found.adapter_gguf if found.adapter_gguf.is_file() else None
        return Subject(f"release {number}", found.base, found.adapter, gguf, planted, number)
    folder = models.result_of(Path(name))
    if not (folder / "adapter_config.json").is_file():
        raise BadInput(f"{name} is neither a release's number nor the folder of an adapter.")
    if base is not None:
        check_base(folder, models.locate(base))
    return Subject(name, base or models.own_base(folder), folder)


def base_of(*names: str) -> str | None:
    """The base that the first of these names that is an adapter's folder names; None if none is."""
    folders = (models.result_of(Path(name)) for name in names if not name.isdecimal())
    return next((models.own_base(each) for each in folders if (each / "adapter_config.json").is_file()), None)


def planted_canaries(home: Path, *models: Subject) -> list[Canary]:
    """The made-up secrets among the training rows of any of these models; none for adapters in a folder."""
    ids = dict.fromkeys(each for model in models for each in model.canaries)
    return canaries(installation_key(home), list(ids)) if ids else []


def artefact_sha256(found: Subject) -> str:
    """A hash of what a subject computes: its base and its adapter, as trained and as served, merged or not."""
    parts = [
        found.base,
        models.base_sha256(models.locate(found.base)),
        models.adapter_sha256(found.adapter) if found.adapter else None,
        file_sha256(found.gguf) if found.gguf else None,
        merged_sha256(found),
    ]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def merged_sha256(found: Subject) -> str | None:
    """What pins the merged file that the embedded engine serves in place of the adapter; None if it serves that.

    The two forms answer a little differently, so what was measured on one says nothing about the other.
    """
    if found.gguf is None or not serves_merged(found.base):
        return None
    there = merged_of(found.gguf)
    return there.manifest.sha256 if there else None
