"""Where a round comes from: the commit of the code, and the releases before it."""

import shutil
import subprocess
from pathlib import Path
from typing import Any

from data.releases import BASE_RELEASE, Releases

_CODE = Path(__file__).parents[2]


def commit(code: Path = _CODE) -> dict[str, Any] | None:
    """The commit that is checked out, and whether files differ from it; None when the code is not a git checkout."""
    if shutil.which("git") is None or not (code / ".git").exists():
        return None
    try:
        head = _git(code, "rev-parse", "HEAD")
        changed = _git(code, "status", "--porcelain", "--untracked-files=no")
    except (OSError, subprocess.SubprocessError):
        return None
    return {"commit": head, "changed": bool(changed)}


def _git(folder: Path, *arguments: str) -> str:
    found = subprocess.run(
        ["git", "-C", str(folder), *arguments], capture_output=True, text=True, check=True, timeout=30
    )
    return found.stdout.strip()


def ancestors(releases: Releases, number: int) -> list[int]:
    """The releases that a release continues, nearest first; empty for one that began with the base."""
    found: list[int] = []
    while number != BASE_RELEASE:
        start = releases.get(number).manifest.start
        if start == BASE_RELEASE or start in found:
            break
        found.append(start)
        number = start
    return found
