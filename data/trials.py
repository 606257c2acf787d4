"""How a trial stands so far: the numbers that the bot shows to its members."""

from dataclasses import dataclass
from pathlib import Path

from sqlalchemy.ext.asyncio import AsyncSession

from data.comparisons import live
from data.home_base import mark_of
from data.releases import Releases


@dataclass(frozen=True, slots=True)
class TrialSoFar:
    """The number of questions with compared answers, the number of people, and the candidate's share of wins."""

    prompts: int
    people: int
    share: float


async def trial_so_far(
    session: AsyncSession, champion: int, candidate: int, *, base: str | None = None
) -> TrialSoFar:
    """The comparisons of two releases so far; every question counts once, by the mean over its comparisons.

    `base` is the mark of the base that release 0 is (see `data.comparisons.live`).
    """
    by_prompt: dict[str, list[float]] = {}
    people = set()
    for comparison in await live(session, champion, candidate, base=base):
        people.add(comparison.rater)
        by_prompt.setdefault(comparison.prompt, []).append(comparison.value)
    means = [sum(values) / len(values) for values in by_prompt.values()]
    return TrialSoFar(len(means), len(people), sum(means) / len(means) if means else 0.5)


async def running_trial(session: AsyncSession, home: Path) -> TrialSoFar | None:
    """The same of the release that is on trial now; None without one."""
    releases = Releases(home)
    candidate = releases.candidate()
    if candidate is None:
        return None
    return await trial_so_far(session, releases.champion(), candidate, base=mark_of(home))
