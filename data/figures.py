"""The figures that take long to compute: how far it is to each verdict, and how the release on trial stands.

They need every rating, row and rater; the trial's state alone needs no rows, which are most of the work. For a
small home a bot computes them in a thread, for a large one in a process of its own, `python -m data.figures`: a
thread would hold up the event loop by its garbage collection alone, and the memory of a million rows is given back
only when a process ends.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import sqlite3
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

from data.database import NAME
from data.distance import Distance, Part, distance
from data.errors import BadInput, ParleyError
from data.home import installation_key
from data.home_base import mark_of
from data.releases import Releases
from data.trials import TrialSoFar

SMALL = 2_000  # ratings, answers and imported rows together, up to which a thread is enough
_ROOT = Path(__file__).parents[1]


@dataclass(frozen=True, slots=True)
class Figures:
    """The distance to each verdict, and the state of the trial of `candidate` against `champion`.

    `candidate` and `trial` are None without a release on trial, `distance` where only the trial was looked at.
    """

    distance: Distance | None
    champion: int
    candidate: int | None
    trial: TrialSoFar | None

    def to_json(self) -> str:
        """The figures as a line of JSON."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, line: str) -> Figures:
        """The figures that `to_json` wrote."""
        raw = json.loads(line)
        far, trial = raw["distance"], raw["trial"]
        return cls(
            None if far is None else Distance(tuple(Part(**part) for part in far["parts"])),
            raw["champion"],
            raw["candidate"],
            None if trial is None else TrialSoFar(**trial),
        )


async def figures(home: Path, discord_permission: str | None, *, whole: bool = True) -> Figures:
    """Compute them in this process, or the trial's state alone. Nothing is stored: only a round
    draws the fold of a new row."""
    from data.datasets import collect  # it loads numpy, and the bot should start without it
    from data.live import Pair, trial_now

    releases = Releases(home)
    champion, candidate = releases.champion(), releases.candidate()
    trial = None if candidate is None else Pair(champion, candidate, mark_of(home))
    path, key = home / NAME, installation_key(home)
    if not whole:
        found = None if trial is None else await asyncio.to_thread(trial_now, path, trial)
        return Figures(None, champion, candidate, found)
    rows = await asyncio.to_thread(
        collect, path, path, key, discord_permission=discord_permission, draws=False, trial=trial
    )
    return Figures(distance(rows, rows.trial), champion, candidate, rows.trial)


async def figures_beside(home: Path, discord_permission: str | None, *, whole: bool = True) -> Figures:
    """Compute them, or the trial's state alone, beside this event loop: in a thread, or for a large home in a process
    with a low priority.

    Raises a `ParleyError` when that process fails.
    """
    if await asyncio.to_thread(_is_small, home):
        return await asyncio.to_thread(lambda: asyncio.run(figures(home, discord_permission, whole=whole)))
    path = os.pathsep.join(filter(None, (str(_ROOT), os.environ.get("PYTHONPATH"))))
    child = await asyncio.create_subprocess_exec(
        # -P and PYTHONPATH make sure that our package is imported, not a data.py in the current folder.
        *(sys.executable, "-P", "-m", "data.figures"),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": path},
    )
    try:
        question = json.dumps({"home": str(home), "discord_permission": discord_permission, "whole": whole})
        out, errors = await child.communicate(question.encode())
    finally:
        with contextlib.suppress(ProcessLookupError):
            child.kill()
    if child.returncode:
        lines = errors.decode(errors="replace").strip().splitlines()
        raise ParleyError(f"The figures of {home} could not be computed: {lines[-1] if lines else 'no reason given'}")
    return Figures.from_json(out.decode())


def _is_small(home: Path) -> bool:
    """Whether a home holds so little that its figures are computed in a blink."""
    newest = """
        SELECT ifnull((SELECT max(id) FROM ratings), 0) + ifnull((SELECT max(id) FROM generations), 0)
        + ifnull((SELECT max(id) FROM imported_rows), 0)
    """
    with contextlib.closing(sqlite3.connect(home / NAME)) as connection:
        (stored,) = connection.execute(newest).fetchone()
    return bool(stored <= SMALL)


def _main() -> int:
    """Read which home from the standard input, as JSON, and print its figures as a line of JSON."""
    asked = json.loads(sys.stdin.read())
    with contextlib.suppress(OSError):
        os.nice(10)  # people are answered meanwhile
    try:
        found = asyncio.run(figures(Path(asked["home"]), asked["discord_permission"], whole=asked["whole"]))
        print(found.to_json())
    except BadInput as error:
        print(error, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    raise SystemExit(_main())
