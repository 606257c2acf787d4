"""Manifests that Parley wrote before they had a version (commit 3725cd7): a round's, its release's, an SFT run's."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

_FOLDER = Path(__file__).with_name("manifests")


def old_manifest(kind: str) -> dict[str, Any]:
    """The entries of an old manifest: `round`, `release` or `run`."""
    found: dict[str, Any] = json.loads((_FOLDER / f"{kind}.json").read_text())
    return found


def write_old(kind: str, path: Path, **more: Any) -> dict[str, Any]:
    """Write an old manifest as a file, with the entries in `more` changed; returns its entries."""
    entries = {**old_manifest(kind), **more}
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(entries, indent=2, ensure_ascii=False) + "\n")
    return entries


def lost(path: Path, entries: dict[str, Any]) -> list[str]:
    """The keys of `entries` that a file lacks, unless they are null, or has with another value."""
    return list(_lost(entries, json.loads(path.read_text()), ""))


def _lost(old: Any, new: Any, name: str) -> Iterator[str]:
    if isinstance(old, dict) and isinstance(new, dict):
        for key, value in old.items():
            yield from _lost(value, new.get(key), f"{name}.{key}")
    elif isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        for place, pair in enumerate(zip(old, new, strict=True)):
            yield from _lost(*pair, f"{name}.{place}")
    elif old is not None and old != new:
        yield name
