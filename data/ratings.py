"""Checks, writes and finds ratings. `data.feedback` turns them into rows."""

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from data import schema
from data.errors import BadInput
from data.records import RATING_VALUES, NewRating, StoredRating


def check_rating(new: NewRating) -> None:
    """Raise `BadInput` when a rating contradicts itself."""
    if new.value not in RATING_VALUES.get(new.kind, ()):
        raise BadInput(f"A rating of kind {new.kind!r} cannot have the value {new.value!r}.")
    if new.kind == "comparison" and new.other is None:
        raise BadInput("A comparison needs two answers.")
    if new.other == new.generation:
        raise BadInput("An answer cannot be compared with itself.")
    if new.kind == "correction" and not (new.text or "").strip():
        raise BadInput("A correction needs the corrected answer.")


async def add_rating(session: AsyncSession, new: NewRating) -> bool:
    """Write a rating. False when its source id is known already: a repeated click is one event."""
    known = select(schema.Rating.id).where(schema.Rating.source_id == new.source_id)
    if await session.scalar(known) is not None:
        return False
    version = None
    if new.text:
        answer = select(schema.MessageVersion.text).join(
            schema.Generation, schema.Generation.version_id == schema.MessageVersion.id
        )
        if await session.scalar(answer.where(schema.Generation.id == new.generation)) is None:
            raise BadInput("That answer was erased, so it can no longer be corrected.")
        version = schema.MessageVersion(author_id=new.rater, text=new.text)
        session.add(version)
        await session.flush()
    session.add(
        schema.Rating(
            source_id=new.source_id,
            rater_id=new.rater,
            kind=new.kind,
            generation_id=new.generation,
            other_id=new.other,
            value=new.value,
            text_version_id=version.id if version else None,
            platform=new.platform,
        )
    )
    return True


async def vote_now(session: AsyncSession, generation: int, rater: int) -> str | None:
    """A rater's current vote on an answer: up, down, or None when there is none or it was taken back."""
    table = schema.Rating
    query = (
        select(table.kind, table.value)
        .where(table.generation_id == generation)
        .where(
            (table.rater_id == rater) & table.kind.in_(("vote", "retraction")) & table.other_id.is_(None)
            | (table.kind == "void")  # by a moderator, for everybody
        )
        .order_by(table.id.desc())
        .limit(1)
    )
    newest = (await session.execute(query)).first()
    return newest.value if newest is not None and newest.kind == "vote" else None


async def has_compared(session: AsyncSession, one: int, other: int, rater: int) -> bool:
    """Whether a rater has compared two answers, in either order of showing."""
    table = schema.Rating
    pair = (table.generation_id == one) & (table.other_id == other)
    turned = (table.generation_id == other) & (table.other_id == one)
    query = select(table.id).where(table.rater_id == rater, table.kind == "comparison", pair | turned).limit(1)
    return await session.scalar(query) is not None


async def has_taken_back(session: AsyncSession, one: int, other: int, rater: int) -> bool:
    """Whether a rater took their comparison of two answers back, given in the order in which they were shown."""
    table = schema.Rating
    mine = table.rater_id == rater, table.kind == "retraction"
    query = select(table.id).where(*mine, table.generation_id == one, table.other_id == other).limit(1)
    return await session.scalar(query) is not None


async def find_rating(session: AsyncSession, source_id: str) -> StoredRating | None:
    """The rating with this source id; None when there is none."""
    query = (
        select(schema.Rating, schema.MessageVersion.text)
        .outerjoin(schema.MessageVersion, schema.MessageVersion.id == schema.Rating.text_version_id)
        .where(schema.Rating.source_id == source_id)
    )
    found = (await session.execute(query)).first()
    if found is None:
        return None
    row, text = found
    return StoredRating(
        kind=row.kind,
        rater=row.rater_id,
        generation=row.generation_id,
        other=row.other_id,
        value=row.value,
        text=text,
    )


async def source_of(
    session: AsyncSession, kind: str, generation: int, rater: int, other: int | None = None
) -> str | None:
    """The source id of a rater's newest rating of this kind about an answer, or about two; None without one."""
    table = schema.Rating
    if other is None:
        about = (table.generation_id == generation) & table.other_id.is_(None)
    else:
        both = (generation, other)
        about = table.generation_id.in_(both) & table.other_id.in_(both)
    query = select(table.source_id).where(about, table.rater_id == rater, table.kind == kind)
    found: str | None = await session.scalar(query.order_by(table.id.desc()).limit(1))
    return found


async def text_of(session: AsyncSession, source_id: str) -> list[int]:
    """The version of the text of the rating with this source id, if it has one."""
    query = select(schema.Rating.text_version_id).where(schema.Rating.source_id == source_id)
    return [version for version in await session.scalars(query) if version is not None]


async def has_event(session: AsyncSession, source_id: str) -> bool:
    """Whether a rating with this source id is recorded."""
    return await session.scalar(select(schema.Rating.id).where(schema.Rating.source_id == source_id)) is not None


async def preferred_message(session: AsyncSession, message: int, rater: int) -> int | None:
    """The message of the better answer in a rater's newest comparison that includes `message`; None for a tie, or
    without such a comparison.
    """
    table, answer = schema.Rating, schema.Generation
    mine = select(answer.id).where(answer.message_id == message).scalar_subquery()
    query = (
        select(table)
        .where(
            table.rater_id == rater,
            table.kind == "comparison",
            (table.generation_id == mine) | (table.other_id == mine),
        )
        .order_by(table.id.desc())
        .limit(1)
    )
    newest = await session.scalar(query)
    if newest is None or newest.other_id is None or newest.value not in ("a", "b"):
        return None
    if await has_taken_back(session, newest.generation_id, newest.other_id, rater):
        return None
    better = newest.generation_id if newest.value == "a" else newest.other_id
    found: int | None = await session.scalar(select(answer.message_id).where(answer.id == better))
    return found
