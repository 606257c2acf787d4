"""Where a round comes from: the commit of the code, and the releases before it with what they learnt."""

import asyncio
import shutil
import subprocess
from pathlib import Path
from typing import Any

from rich.console import Console

from alignment.rounds.manifest import Parents
from data.erasure import FORGOTTEN, erased_rows
from data.home import home
from data.lineage import releases_with
from data.releases import BASE_RELEASE, Releases
from data.store import Store

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


def parents(releases: Releases, base: str, champion: int, start: int) -> Parents:
    """Where a candidate comes from that continues the release `start` and is compared with `champion`."""
    before = tuple(ancestors(releases, start))
    left = sorted({champion, start, *before} & set(asyncio.run(_left())))
    return Parents(base=base, champion=champion, start=start, ancestors=before, left=tuple(left) or None)


async def _left() -> list[int]:
    """The releases that learnt from people who left since."""
    store = await Store.open(home())
    try:
        async with store.database.read() as session:
            return releases_with(home(), await erased_rows(session, FORGOTTEN))
    finally:
        await store.close()


def left_sentences(found: Parents) -> list[str]:
    """What to say about releases that learnt from people who left since."""
    left = set(found.left or ())
    sentences = []
    if found.start in left:
        sentences.append(
            f"This round continues the weights of release {found.start}, which learnt from somebody who has left "
            "since. What it learnt from them goes on in the candidate; a round with --from base is free of it."
        )
    elif found.champion in left:
        sentences.append(f"The champion, release {found.champion}, learnt from somebody who has left since.")
    return sentences


def say_left(console: Console, found: Parents) -> None:
    """Print it."""
    for sentence in left_sentences(found):
        console.print(f"[bold yellow]{sentence}[/]")
