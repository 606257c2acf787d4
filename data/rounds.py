"""The rounds of an installation as their manifests tell of them."""

import json
from pathlib import Path
from typing import Any

DECIDED = ("promoted", "refused")


def decided(folder: Path, *, besides: int | None = None) -> list[dict[str, Any]]:
    """The manifests of the decided rounds in a folder but one, newest first. Damaged ones are left out."""
    found = []
    paths = [path for path in folder.glob("*") if path.name.isdecimal() and int(path.name) != besides]
    for path in sorted(paths, key=lambda path: -int(path.name)):
        try:
            entries = json.loads((path / "manifest.json").read_text(encoding="utf-8"))
        except (OSError, ValueError):
            continue
        if entries.get("status") in DECIDED:
            found.append(entries)
    return found
