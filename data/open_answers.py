"""Which answers are being shown at this moment, so that those of a process that died can be closed by the next."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Select, delete, select
from sqlalchemy.dialects.sqlite import insert
from sqlalchemy.ext.asyncio import AsyncSession

from data import schema
from data.records import OpenAnswer

_TABLE = schema.OpenAnswer


async def keep_open(session: AsyncSession, answer: OpenAnswer) -> None:
    """Write an answer that is being shown; known by its key already, only where it is shown changes."""
    new = {
        "platform": answer.platform,
        "key": answer.key,
        "channel_id": answer.channel,
        "question_id": answer.question,
        "message_id": answer.message,
    }
    known = insert(_TABLE).values(new)
    await session.execute(known.on_conflict_do_update(set_={"message_id": known.excluded.message_id}))


async def close(session: AsyncSession, platform: str, key: str) -> None:
    """Remove an answer that is shown whole, or that was closed."""
    await session.execute(delete(_TABLE).where(_TABLE.platform == platform, _TABLE.key == key))


async def still_open(session: AsyncSession, platform: str) -> list[OpenAnswer]:
    """The answers of a platform that are there, the oldest first."""
    found = await session.scalars(select(_TABLE).where(_TABLE.platform == platform).order_by(_TABLE.opened_at))
    return [OpenAnswer(row.platform, row.key, row.channel_id, row.question_id, row.message_id) for row in found]


async def forget_questions(session: AsyncSession, platform: str, questions: Sequence[str] | Select[str]) -> None:
    """Remove what is known of the answers to these of a platform's messages."""
    await session.execute(delete(_TABLE).where(_TABLE.platform == platform, _TABLE.question_id.in_(questions)))


async def forget_older(session: AsyncSession, older_than: datetime) -> None:
    """Remove what was never closed, and was begun before this time."""
    await session.execute(delete(_TABLE).where(_TABLE.opened_at < older_than))
