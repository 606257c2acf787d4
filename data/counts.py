"""What people taught so far, in numbers: for those who taught it."""

from collections import Counter
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from data import schema
from data.comparisons import live


@dataclass(frozen=True, slots=True)
class Tally:
    """The ratings that hold now, by kind (votes by up and down), and how many people they are of."""

    ratings: Counter[str]
    raters: int


async def tally(session: AsyncSession, server: int | None) -> Tally:
    """Count what was rated on one server, or everywhere when it is None: each person's newest word on an answer."""
    table = schema.Rating
    query = select(table.rater_id, table.kind, table.value, table.generation_id, table.other_id).order_by(table.id)
    if server is not None:
        here = (
            select(schema.Generation.id)
            .join(schema.Conversation, schema.Conversation.id == schema.Generation.conversation_id)
            .where(schema.Conversation.server_id == server)
        )
        query = query.where(table.generation_id.in_(here))
    holds: dict[tuple[int, str, frozenset[int | None]], str] = {}
    for rater, kind, value, generation, other in await session.execute(query):
        if kind == "void":  # by a moderator, for everybody
            holds = {key: name for key, name in holds.items() if generation not in key[2]}
        elif kind == "retraction":
            holds.pop((rater, "vote", frozenset((generation,))), None)
        else:
            answers = frozenset((generation,) if other is None else (generation, other))
            holds[rater, kind, answers] = str(value) if kind == "vote" else kind
    return Tally(Counter(holds.values()), len({rater for rater, _, _ in holds}))


@dataclass(frozen=True, slots=True)
class TrialSoFar:
    """To how many questions how many people compared answers, and in what share the candidate's was preferred."""

    prompts: int
    people: int
    share: float


async def trial_so_far(session: AsyncSession, champion: int, candidate: int) -> TrialSoFar:
    """How people's comparisons of two releases came out until now."""
    by_prompt: dict[str, list[float]] = {}
    people = set()
    for comparison in await live(session, champion, candidate):
        people.add(comparison.rater)
        by_prompt.setdefault(comparison.prompt, []).append(comparison.value)
    means = [sum(values) / len(values) for values in by_prompt.values()]
    return TrialSoFar(len(means), len(people), sum(means) / len(means) if means else 0.5)
