"""Manifests of rounds, for tests without torch."""

import json
from pathlib import Path


def write_round(home: Path, number: int, rows_of: dict[str, list[str]], stages: list[str], **more: object) -> None:
    """The manifest of a round."""
    folder = home / "rounds" / f"{number:04d}"
    folder.mkdir(parents=True)
    found = {"number": number, "status": "refused", "rows": rows_of, "chain": stages, **more}
    (folder / "manifest.json").write_text(json.dumps(found))
