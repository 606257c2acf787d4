"""How many ratings there are: the numbers that the bot shows to its members."""

from collections import Counter
from dataclasses import dataclass
from functools import cache

from sqlalchemy import ColumnElement, case, exists, func, literal_column, null, select, union_all
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased

from data.schema import Conversation, Generation, Rating


@dataclass(frozen=True, slots=True)
class RatingCounts:
    """The current ratings by kind (votes by up and down), and the number of people who gave them."""

    ratings: Counter[str]
    raters: int


async def count_ratings(session: AsyncSession, server: int | None) -> RatingCounts:
    """Count the ratings of one server, or of all when `server` is None; each person's newest rating of an answer.

    The database counts, by an index that holds all that decides which ratings are current: the event loop waits, and
    other things run meanwhile.
    """
    name = case((Rating.kind == "vote", Rating.value), else_=Rating.kind).label("name")
    counted = select(name, Rating.rater_id, func.count().label("count")).where(*_is_current())
    if server is not None:
        counted = (
            counted.join(Generation, Generation.id == Rating.generation_id)
            .join(Conversation, Conversation.id == Generation.conversation_id)
            .where(Conversation.server_id == server)
        )
    each = counted.group_by(Rating.rater_id, name).cte()
    by_kind = select(each.c.name, func.sum(each.c.count)).group_by(each.c.name)
    people = select(null(), func.count(each.c.rater_id.distinct()))
    found: dict[str | None, int] = dict((await session.execute(union_all(by_kind, people))).all())
    raters = found.pop(None, 0)
    return RatingCounts(Counter({str(kind): count for kind, count in found.items()}), raters)


@cache
def _is_current() -> list[ColumnElement[bool]]:
    """Which ratings are current, for a query: the same as `data.events` finds."""
    newer, turned, void, back = (aliased(Rating) for _ in range(4))
    same = newer.generation_id == Rating.generation_id, newer.other_id.is_not_distinct_from(Rating.other_id)
    pair = turned.generation_id == Rating.other_id, turned.other_id == Rating.generation_id
    # `id + 0`: by the id, the database would search all ratings of a person, who may have given very many.
    # Written out, not a parameter: only then does the database use the index of those few.
    voided = void.kind == literal_column("'void'"), void.generation_id.in_((Rating.generation_id, Rating.other_id))
    return [
        Rating.kind.not_in(("void", "retraction")),
        ~exists().where(
            *same, newer.rater_id == Rating.rater_id, newer.kind == Rating.kind, newer.id + 0 > Rating.id
        ),
        Rating.other_id.is_(None)
        | ~exists().where(
            *pair, turned.rater_id == Rating.rater_id, turned.kind == Rating.kind, turned.id + 0 > Rating.id
        ),
        ~exists().where(*voided, void.id > Rating.id),
        Rating.kind.not_in(("vote", "comparison"))
        | ~exists().where(
            back.generation_id == Rating.generation_id,
            back.other_id.is_not_distinct_from(Rating.other_id),
            back.rater_id == Rating.rater_id,
            back.kind == "retraction",
            back.id + 0 > Rating.id,
        ),
    ]
