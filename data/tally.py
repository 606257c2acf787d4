"""What people taught so far, in numbers: for those who taught it."""

from collections import Counter
from dataclasses import dataclass

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from data import schema
from data.comparisons import live


@dataclass(frozen=True, slots=True)
class Tally:
    """Events of feedback by kind (votes by up and down), and how many people they are of."""

    ratings: Counter[str]
    raters: int


async def tally(session: AsyncSession, server: int | None) -> Tally:
    """Count what was rated on one server, or everywhere when it is None."""
    table = schema.Rating
    query = select(table.kind, table.value, func.count())
    people = select(func.count(table.rater_id.distinct()))
    if server is not None:
        here = (
            select(schema.Generation.id)
            .join(schema.Conversation, schema.Conversation.id == schema.Generation.conversation_id)
            .where(schema.Conversation.server_id == server)
        )
        query, people = query.where(table.generation_id.in_(here)), people.where(table.generation_id.in_(here))
    found: Counter[str] = Counter()
    for kind, value, count in await session.execute(query.group_by(table.kind, table.value)):
        found[str(value) if kind == "vote" else kind] += count
    return Tally(found, await session.scalar(people) or 0)


async def trial_so_far(session: AsyncSession, champion: int, candidate: int) -> tuple[int, float]:
    """How many questions people compared answers of the two to, and in what share the candidate's was preferred."""
    by_prompt: dict[str, list[float]] = {}
    for comparison in await live(session, champion, candidate):
        by_prompt.setdefault(comparison.prompt, []).append(comparison.value)
    means = [sum(values) / len(values) for values in by_prompt.values()]
    return len(means), sum(means) / len(means) if means else 0.5
