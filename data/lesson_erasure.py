"""What becomes of the texts of lessons that go: with their author, with their server, or with the file of a FAQ."""

from collections.abc import Collection
from datetime import datetime

from sqlalchemy import ColumnElement, exists, or_, select, text, update
from sqlalchemy.ext.asyncio import AsyncSession

from data.database import chunks, listed
from data.lessons import REMOVED
from data.schema import Lesson, MessageVersion, Server
from data.times import NO_TIME

_TEXTS = text(
    """
    SELECT l.question_id, l.answer_id FROM json_each(:lessons) wanted CROSS JOIN lessons l ON l.id = wanted.value
    """
)


async def texts_of(session: AsyncSession, lessons: Collection[int]) -> list[int]:
    """The versions of the questions and answers of lessons."""
    return [version for row in await session.execute(_TEXTS, {"lessons": listed(lessons)}) for version in row]


async def remove(session: AsyncSession, lessons: Collection[int]) -> list[int]:
    """Remove lessons; returns the versions of their texts. The caller erases those of FAQ entries."""
    for some in chunks(lessons):
        await session.execute(update(Lesson).where(Lesson.id.in_(some)).values(scope=REMOVED))
    return await texts_of(session, lessons)


async def forget_lessons(session: AsyncSession, person: int) -> None:
    """Remove what links lessons to the person who taught them; the texts are erased separately."""
    gone = update(Lesson).where(Lesson.author_id == person)
    await session.execute(gone.values(scope=REMOVED, author_id=None, rating_id=None, created_at=NO_TIME))


_FORGET_ENTRIES = text(
    """
    UPDATE lessons SET entry = '' WHERE entry IS NOT NULL AND id IN (
        SELECT l.id FROM json_each(:versions) gone CROSS JOIN lessons l ON l.question_id = gone.value
        UNION SELECT l.id FROM json_each(:versions) gone CROSS JOIN lessons l ON l.answer_id = gone.value
    )
    """
)


async def forget_entries(session: AsyncSession, versions: Collection[int]) -> None:
    """Remove the places of FAQ entries with these texts, since a heading repeats its question."""
    await session.execute(_FORGET_ENTRIES, {"versions": listed(versions)})


def is_faq() -> ColumnElement[bool]:
    """Whether a text is of a FAQ, for a query: it was sent to be told to others, and does not expire.

    A removed entry is erased; if a kill prevented that, its texts expire.
    """
    here = or_(Lesson.question_id == MessageVersion.id, Lesson.answer_id == MessageVersion.id)
    return exists().where(here, Lesson.entry.is_not(None), Lesson.scope != REMOVED)


async def faq_of_left(session: AsyncSession, older_than: datetime) -> list[int]:
    """The texts of the FAQs of servers that removed the bot before this time."""
    query = (
        select(Lesson.id)
        .join(Server, Server.id == Lesson.server_id)
        .where(Server.left_at < older_than, Lesson.entry.is_not(None))
    )
    return await texts_of(session, (await session.scalars(query)).all())
