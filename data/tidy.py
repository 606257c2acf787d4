"""Puts a home in order at every start: its files are private, and what killed processes left is gone."""

import logging
import os
import time
from pathlib import Path

from data.home import DATABASE, KEY, make_private
from data.rounds import remove_leftovers
from data.unfinished import SUFFIX, remove, remove_unfinished

log = logging.getLogger(__name__)

# What Parley keeps in its home. Other files there are somebody else's, and stay as they are.
FOLDERS = ("bases", "engines", "evaluations", "logs", "personas", "releases", "rounds")
FILES = (f"{DATABASE}*", f"{KEY}*", "discord.lock", "engine.json", "rounds.paused", "watch.*", f".*{SUFFIX}")


# Unfinished folders as earlier versions named them. No lock tells whether somebody fills them, so they wait a day.
_EARLIER = ("releases/.building-*", "releases/*/.*.partial", "bases/.*-*", "bases/*/.hf-*", "rounds/*/.*.partial")
_DAY = 24 * 60 * 60.0


def tidy(home: Path) -> None:
    """Make what Parley keeps in its home private, and remove what killed processes left there.

    An earlier version, a copy or a library may have left rights to others. The log tells what another account owns.
    """
    kept = [path for mine in _own(home) for path in make_private(mine)]
    if (home / DATABASE).exists() and home.stat().st_uid == os.geteuid() and home != home.parent:
        home.chmod(0o700)
    if kept:
        more = f" and {len(kept) - 1} more" if len(kept) > 1 else ""
        log.warning("%s%s: another account owns this, so others may read it. Make it private.", kept[0], more)
    remove_left(home, rows=False)


def remove_left(home: Path, *, rows: bool = True) -> bool:
    """Remove what killed writers left, and with `rows` the rows of an interrupted round.

    False while a round runs, which removes its own.
    """
    for path in _own(home):
        remove_unfinished(path)
    for pattern in _EARLIER:
        for path in home.glob(pattern):
            if path.is_dir() and path.stat().st_mtime < time.time() - _DAY:
                remove(path)
    return remove_leftovers(home, rows=rows)


def _own(home: Path) -> list[Path]:
    files = [path for pattern in FILES for path in home.glob(pattern)]
    return [*files, *(home / name for name in FOLDERS if (home / name).is_dir() and not (home / name).is_symlink())]
