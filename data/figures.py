"""The figures that take long to compute: how far it is to each verdict, and how the release on trial stands.

They need every rating, row and rater; the trial's state alone needs no rows, which are most of the work. A bot
computes them beside its event loop (`data.beside`).
"""

from __future__ import annotations

import asyncio
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from data.beside import answer_parent, in_process, is_small
from data.database import NAME
from data.distance import Distance, Part, distance
from data.home import installation_key
from data.home_base import mark_of
from data.releases import Releases
from data.trials import TrialSoFar


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
    """Compute them, or the trial's state alone, beside this event loop. Raises a `ParleyError` when that fails."""
    if await asyncio.to_thread(is_small, home):
        return await asyncio.to_thread(lambda: asyncio.run(figures(home, discord_permission, whole=whole)))
    asked = {"home": str(home), "discord_permission": discord_permission, "whole": whole}
    return Figures.from_json(await in_process("data.figures", asked, f"The figures of {home}"))


def _answer(asked: dict[str, Any]) -> str:
    home, permission = Path(asked["home"]), asked["discord_permission"]
    return asyncio.run(figures(home, permission, whole=asked["whole"])).to_json()


if __name__ == "__main__":
    raise SystemExit(answer_parent(_answer))
