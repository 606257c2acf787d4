"""The models that are compared: releases, bases, adapters in a folder."""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

from data.errors import BadInput


@dataclass(frozen=True, slots=True)
class Subject:
    """A model to look at: a base model, with an adapter on it or not. `name` is what tables call it.

    `gguf` is the adapter as the embedded engine loads it; without one it is made when answers are asked for.
    """

    name: str
    base: str
    adapter: Path | None = None
    gguf: Path | None = None


def subject(name: str, base: str, home: Path) -> Subject:
    """The model that a command line means: a release's number (0: the base model) or an adapter's folder."""
    from data.releases import BASE_RELEASE, Releases

    if name.isdecimal():
        number = int(name)
        if number == BASE_RELEASE:
            return Subject("base model", base)
        release = Releases(home).get(number)
        return Subject(f"release {number}", release.base, release.adapter, release.adapter_gguf)
    if not (Path(name) / "adapter_config.json").is_file():
        raise BadInput(f"{name} is neither a release's number nor the folder of an adapter.")
    return Subject(name, base, Path(name))


def artefact_sha256(found: Subject) -> str:
    """A hash of what a subject computes: its base and its adapter, as trained and as served."""
    from alignment import models
    from data.home import file_sha256

    parts = [
        found.base,
        models.base_sha256(models.locate(found.base)),
        models.adapter_sha256(found.adapter) if found.adapter else None,
        file_sha256(found.gguf) if found.gguf else None,
    ]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()
