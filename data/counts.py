"""How many ratings there are, and how a trial stands so far: the numbers that the bot shows to its members."""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from data import schema
from data.comparisons import live
from data.releases import Releases


@dataclass(frozen=True, slots=True)
class RatingCounts:
    """The current ratings by kind (votes by up and down), and the number of people who gave them."""

    ratings: Counter[str]
    raters: int


async def count_ratings(session: AsyncSession, server: int | None) -> RatingCounts:
    """Count the ratings of one server, or of all when `server` is None; each person's newest rating of an answer."""
    table = schema.Rating
    query = select(table.rater_id, table.kind, table.value, table.generation_id, table.other_id).order_by(table.id)
    if server is not None:
        here = (
            select(schema.Generation.id)
            .join(schema.Conversation, schema.Conversation.id == schema.Generation.conversation_id)
            .where(schema.Conversation.server_id == server)
        )
        query = query.where(table.generation_id.in_(here))
    current: dict[tuple[int, str, frozenset[int | None]], str] = {}
    for rater, kind, value, generation, other in await session.execute(query):
        if kind == "void":  # by a moderator, for everybody
            current = {key: name for key, name in current.items() if generation not in key[2]}
        elif kind == "retraction":
            current.pop((rater, "vote", frozenset((generation,))), None)
        else:
            answers = frozenset((generation,) if other is None else (generation, other))
            current[rater, kind, answers] = str(value) if kind == "vote" else kind
    return RatingCounts(Counter(current.values()), len({rater for rater, _, _ in current}))


@dataclass(frozen=True, slots=True)
class TrialSoFar:
    """The number of questions with compared answers, the number of people, and the candidate's share of wins."""

    prompts: int
    people: int
    share: float


async def trial_so_far(session: AsyncSession, champion: int, candidate: int) -> TrialSoFar:
    """The comparisons of two releases so far; every question counts once, by the mean over its comparisons."""
    by_prompt: dict[str, list[float]] = {}
    people = set()
    for comparison in await live(session, champion, candidate):
        people.add(comparison.rater)
        by_prompt.setdefault(comparison.prompt, []).append(comparison.value)
    means = [sum(values) / len(values) for values in by_prompt.values()]
    return TrialSoFar(len(means), len(people), sum(means) / len(means) if means else 0.5)


async def running_trial(session: AsyncSession, home: Path) -> TrialSoFar | None:
    """The same of the release that is on trial now; None without one."""
    releases = Releases(home)
    candidate = releases.candidate()
    return None if candidate is None else await trial_so_far(session, releases.champion(), candidate)
