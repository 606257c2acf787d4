"""A person's own conversations on a platform, with everything that was said in them, for that person to read.

A conversation is a person's when they wrote in it; one whose author was forgotten is nobody's.
"""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from data.schema import Conversation, Generation, MessageRow, MessageVersion, Rating


@dataclass(frozen=True, slots=True)
class Talk:
    """A conversation; `opening` is how its first message begins, None where that was erased."""

    conversation: int
    key: str
    persona: str
    language: str
    opening: str | None
    newest: datetime


@dataclass(frozen=True, slots=True)
class Said:
    """A message of a conversation. `text` is None where it was erased.

    `generation` and `finish_reason` are an answer's: its number, and how it ended.
    """

    message: int
    parent: int | None
    role: str
    text: str | None
    generation: int | None = None
    finish_reason: str | None = None


@dataclass(frozen=True, slots=True)
class OwnRating:
    """A rating that a person gave. `text` is what they wrote with it, `answer` what they rated; None once erased.

    `key` is the conversation's on its platform.
    """

    kind: str
    value: str | None
    generation: int
    text: str | None
    answer: str | None
    platform: str
    key: str
    at: datetime


async def talks_of(session: AsyncSession, platform: str, person: int, limit: int) -> list[Talk]:
    """A person's conversations on a platform, the one in which they wrote last first."""
    theirs = (
        select(
            MessageRow.conversation_id.label("conversation"),
            func.min(MessageRow.id).label("first"),
            func.max(MessageRow.id).label("last"),
            func.max(MessageRow.created_at).label("newest"),
        )
        .join(Conversation, Conversation.id == MessageRow.conversation_id)
        .where(MessageRow.author_id == person, Conversation.platform == platform)
        .group_by(MessageRow.conversation_id)
        .order_by(func.max(MessageRow.id).desc())
        .limit(limit)
        .subquery()
    )
    query = select(Conversation, theirs.c.first, theirs.c.newest).join(
        theirs, theirs.c.conversation == Conversation.id
    )
    found = (await session.execute(query.order_by(theirs.c.last.desc()))).all()
    return [
        Talk(row.id, row.key, row.persona, row.language, await _text(session, first), newest)
        for row, first, newest in found
    ]


async def talk_at(session: AsyncSession, platform: str, key: str, person: int) -> Talk | None:
    """A person's conversation by its key; None where there is none, also where it is somebody else's."""
    row = await session.scalar(select(Conversation).where(Conversation.platform == platform, Conversation.key == key))
    return None if row is None else await _talk(session, row, person)


async def talk_of(session: AsyncSession, conversation: int, platform: str, person: int) -> Talk | None:
    """The same by its number."""
    row = await session.get(Conversation, conversation)
    return None if row is None or row.platform != platform else await _talk(session, row, person)


async def key_taken(session: AsyncSession, platform: str, key: str) -> bool:
    """Whether there is a conversation with this key on a platform, whosever it is."""
    query = select(Conversation.id).where(Conversation.platform == platform, Conversation.key == key)
    return await session.scalar(query) is not None


async def _talk(session: AsyncSession, row: Conversation, person: int) -> Talk | None:
    query = select(func.min(MessageRow.id), func.max(MessageRow.created_at)).where(
        MessageRow.conversation_id == row.id, MessageRow.author_id == person
    )
    first, newest = (await session.execute(query)).one()
    if first is None:
        return None
    return Talk(row.id, row.key, row.persona, row.language, await _text(session, first), newest)


async def everything_said(session: AsyncSession, conversation: int) -> list[Said]:
    """All messages of a conversation in their newest versions, in the order in which they were said."""
    newest = (
        select(MessageVersion.message_id, func.max(MessageVersion.id).label("version"))
        .join(MessageRow, MessageRow.id == MessageVersion.message_id)
        .where(MessageRow.conversation_id == conversation)
        .group_by(MessageVersion.message_id)
        .subquery()
    )
    query = (
        select(MessageRow, MessageVersion.text, Generation.id, Generation.finish_reason)
        .join(newest, newest.c.message_id == MessageRow.id)
        .join(MessageVersion, MessageVersion.id == newest.c.version)
        .join(Generation, Generation.message_id == MessageRow.id, isouter=True)
        .order_by(MessageRow.id)
    )
    return [
        Said(row.id, row.parent_id, row.role, text, generation, finish)
        for row, text, generation, finish in await session.execute(query)
    ]


async def votes_in(session: AsyncSession, conversation: int, rater: int) -> dict[int, str]:
    """A rater's current votes on the answers of a conversation, by the answers' numbers."""
    query = (
        select(Rating.generation_id, Rating.kind, Rating.value)
        .join(Generation, Generation.id == Rating.generation_id)
        .where(Generation.conversation_id == conversation, Rating.other_id.is_(None))
        .where((Rating.rater_id == rater) & Rating.kind.in_(("vote", "retraction")) | (Rating.kind == "void"))
        .order_by(Rating.id)
    )
    votes: dict[int, str] = {}
    for generation, kind, value in await session.execute(query):
        votes.pop(generation, None)
        if kind == "vote" and value is not None:
            votes[generation] = value
    return votes


async def ratings_of(session: AsyncSession, person: int, limit: int) -> list[OwnRating]:
    """A person's newest ratings on all platforms, the newest first; also those that were taken back since."""
    query = (
        select(Rating, Conversation.platform, Conversation.key, MessageVersion.text)
        .join(Generation, Generation.id == Rating.generation_id)
        .join(Conversation, Conversation.id == Generation.conversation_id)
        .join(MessageVersion, MessageVersion.id == Generation.version_id)
        .where(Rating.rater_id == person)
        .order_by(Rating.id.desc())
        .limit(limit)
    )
    found = (await session.execute(query)).all()
    wrote = [rating.text_version_id for rating, *_ in found if rating.text_version_id is not None]
    texts = select(MessageVersion.id, MessageVersion.text).where(MessageVersion.id.in_(wrote))
    written: dict[int, str | None] = dict((await session.execute(texts)).all())
    return [
        OwnRating(
            rating.kind,
            rating.value,
            rating.generation_id,
            written.get(rating.text_version_id or 0),
            answer,
            platform,
            key,
            rating.created_at,
        )
        for rating, platform, key, answer in found
    ]


async def _text(session: AsyncSession, message: int) -> str | None:
    query = select(MessageVersion.text).where(MessageVersion.message_id == message)
    found: str | None = await session.scalar(query.order_by(MessageVersion.id.desc()).limit(1))
    return found
