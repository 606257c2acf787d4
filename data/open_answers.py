"""Which answers are being shown right now, so that a new process can close those of a process that died."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Select, delete, select
from sqlalchemy.dialects.sqlite import insert
from sqlalchemy.ext.asyncio import AsyncSession

from data import schema
from data.records import OpenAnswer

_TABLE = schema.OpenAnswer


async def keep_open(session: AsyncSession, answer: OpenAnswer) -> None:
    """Write an answer that is being shown. If its key is known already, only the message that shows it changes."""
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
    """Remove an answer that is complete or was closed."""
    await session.execute(delete(_TABLE).where(_TABLE.platform == platform, _TABLE.key == key))


async def still_open(session: AsyncSession, platform: str) -> list[OpenAnswer]:
    """A platform's open answers, the oldest first."""
    found = await session.scalars(select(_TABLE).where(_TABLE.platform == platform).order_by(_TABLE.opened_at))
    return [OpenAnswer(row.platform, row.key, row.channel_id, row.question_id, row.message_id) for row in found]


async def forget_questions(session: AsyncSession, platform: str, questions: Sequence[str] | Select[str]) -> None:
    """Remove the open answers to these messages of a platform."""
    await session.execute(delete(_TABLE).where(_TABLE.platform == platform, _TABLE.question_id.in_(questions)))


async def forget_older(session: AsyncSession, older_than: datetime) -> None:
    """Remove answers that were begun before this time and never closed."""
    await session.execute(delete(_TABLE).where(_TABLE.opened_at < older_than))
