"""How many ratings there are: the numbers that the bot shows to its members."""

from collections import Counter
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from data import schema


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
