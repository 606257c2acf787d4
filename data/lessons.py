"""Lessons: a question and its right answer, which stand in the prompts of similar questions. They train nothing.

A correction stands at once in the conversations of the person who wrote it, on the server where they wrote it or, if
that was none, outside servers; in those of everybody on that server after a manager accepts it or three other people
bear it out; and in those of everybody on its platform after the operator accepts it. A lesson that was taught where
not everybody on the server sees it stands in that channel alone, and only a manager or the operator can change that.
An entry of a FAQ stands in the conversations of one server or in all, as the operator chose at the import; one that a
manager imported stands on that server.

A lesson holds texts by reference, so it is gone when one of them is erased: the question's message was deleted,
somebody was forgotten, a persona was erased. It also rests while its question says something else (the message was
edited), while its author's last answer about consent is no, and in conversations with another persona than the
corrected one. In other people's lessons, consent must cover everything that is said (`data.consent`), as in rows; a
person's own lesson needs the consent of whoever else asked the question. A new correction of the same answer
replaces the lesson.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, or_, select, text, update
from sqlalchemy.ext.asyncio import AsyncSession

from data.consent import Cover, consents_since, covered, covers_of, last_answer, withdrawn
from data.database import listed
from data.schema import GenerationLesson, Lesson, MessageVersion, Rating, Server, Standing

OWN, SERVER, EVERYWHERE, REMOVED = "own", "server", "everywhere", "removed"
DECLINED = "declined"  # own again; only a manager or the operator can change that
STANDING = (OWN, DECLINED, SERVER, EVERYWHERE)


@dataclass(frozen=True, slots=True)
class StoredLesson:
    """A lesson that holds. `generation` is the corrected answer, None for an entry of a FAQ, which has an `entry`.

    `place` says in words where it was taught, or for which server a FAQ was imported. `hidden` says that not
    everybody on the server sees the place where it was taught.
    """

    lesson: int
    scope: str
    question: str
    answer: str
    generation: int | None
    author: int | None
    server: int | None
    persona: str | None
    entry: str | None
    place: str = ""
    hidden: bool = False


# -- which lessons hold for a question


_IN_REACH = text(
    """
    SELECT l.id FROM lessons l JOIN conversations c ON c.id = :conversation AND c.server_id IS l.server_id
        LEFT JOIN ratings r ON r.id = l.rating_id
        LEFT JOIN generations g ON g.id = r.generation_id
        LEFT JOIN conversations taught ON taught.id = g.conversation_id
        WHERE l.author_id = :person AND l.scope != 'removed'
        AND (l.server_id IS NULL OR l.everybody_sees  -- else in the same channel or thread: it begins the key
             OR substr(c.key, 1, instr(c.key, ':')) = substr(taught.key, 1, instr(taught.key, ':')))
    UNION SELECT id FROM lessons WHERE scope = 'server'
        AND server_id = (SELECT server_id FROM conversations WHERE id = :conversation)
    UNION SELECT id FROM lessons WHERE scope = 'everywhere'
    """
)


async def in_reach(session: AsyncSession, person: int, conversation: int) -> set[int]:
    """The numbers of the lessons that may stand in a person's conversation; see `holding`. Every question runs it."""
    return set(await session.scalars(_IN_REACH, {"person": person, "conversation": conversation}))


_QUESTIONS = text(
    """
    SELECT l.id, v.text FROM json_each(:lessons) wanted
    CROSS JOIN lessons l ON l.id = wanted.value JOIN message_versions v ON v.id = l.question_id
    WHERE v.text IS NOT NULL AND l.scope != 'removed'
    """
)


async def questions_of(session: AsyncSession, lessons: Collection[int]) -> dict[int, str]:
    """The questions of those of these lessons that are there, neither erased nor removed."""
    found: dict[int, str] = dict((await session.execute(_QUESTIONS, {"lessons": listed(lessons)})).all())
    return found


_GONE = text(
    """
    SELECT wanted.value FROM json_each(:lessons) wanted
    LEFT JOIN lessons l ON l.id = wanted.value LEFT JOIN message_versions v ON v.id = l.question_id
    WHERE v.text IS NULL OR l.scope = 'removed'
    """
)


async def gone_of(session: AsyncSession, lessons: Collection[int]) -> list[int]:
    """Those of these lessons that were removed, or whose question was erased."""
    return list(await session.scalars(_GONE, {"lessons": listed(lessons)}))


async def holding(
    session: AsyncSession, lessons: Sequence[int], *, person: int, platform: str, persona: str | None
) -> list[StoredLesson]:
    """Those of these lessons that hold now for a person's question to a persona on a platform, in their order."""
    rows = {row.Lesson.id: row for row in await _rows(session, Lesson.id.in_(lessons))}
    some = [rows[number] for number in lessons if number in rows]
    people = {one for row in some for one in (row.Lesson.author_id, row.asked_by) if one is not None}
    covers = await covers_of(session, people)
    taken_out = await voided(session)
    found = []
    for row in some:
        lesson = row.Lesson
        if lesson.platform not in (None, platform) or lesson.persona not in (None, persona):
            continue
        if lesson.author_id is not None:
            last = await last_answer(session, lesson.author_id)
            if last is None or not last.granted:
                continue
            own = lesson.author_id == person
            if not own and (lesson.author_id in taken_out or row.may_teach is False):
                continue
            if not _covered(row, covers, own=own):
                continue
        found.append(_stored(row))
    return found


def _covered(row: Any, covers: dict[int, Cover], *, own: bool) -> bool:
    """Whether consent covers what a lesson says; a person's own words stand in their own conversations anyway."""
    author = row.Lesson.author_id
    asked = (own and row.asked_by == author) or covered(row.asked_by, row.asked_at, covers)
    return asked and (own or covered(author, row.written_at, covers))


async def voided(session: AsyncSession) -> set[int]:
    """The people whose ratings an operator took out."""
    return set(await session.scalars(select(Standing.person_id).where(Standing.voided_at.is_not(None))))


async def _rows(session: AsyncSession, which: ColumnElement[bool]) -> Sequence[Any]:
    """Those of these lessons whose texts are there and whose question still says the same, in order."""
    found: Sequence[Any] = (await session.execute(_known().where(which))).all()
    return found


# Putting the statement together takes longer than running it.
@cache
def _known() -> Select[Any]:
    """Lessons with all that is known of them."""
    question, answer, now = (MessageVersion.__table__.alias(name) for name in ("question", "answer", "newest"))
    newest = select(now.c.text).where(now.c.message_id == question.c.message_id).order_by(now.c.id.desc()).limit(1)
    return (
        select(
            Lesson,
            question.c.text.label("question"),
            question.c.author_id.label("asked_by"),
            question.c.created_at.label("asked_at"),
            answer.c.text.label("answer"),
            answer.c.created_at.label("written_at"),
            Rating.generation_id.label("generation"),
            Server.may_teach.label("may_teach"),
            Server.platform_id.label("on"),
        )
        .join(question, question.c.id == Lesson.question_id)
        .join(answer, answer.c.id == Lesson.answer_id)
        .outerjoin(Rating, Rating.id == Lesson.rating_id)
        .outerjoin(Server, Server.id == Lesson.server_id)
        .where(Lesson.scope != REMOVED, question.c.text.is_not(None), answer.c.text.is_not(None))
        .where(or_(question.c.message_id.is_(None), question.c.text == newest.scalar_subquery()))
        .order_by(Lesson.id)
    )


def _stored(row: Any) -> StoredLesson:
    lesson = row.Lesson
    return StoredLesson(
        lesson.id,
        lesson.scope,
        row.question,
        row.answer,
        row.generation,
        lesson.author_id,
        lesson.server_id,
        lesson.persona,
        lesson.entry,
        _place(row),
        _hidden(row),
    )


def _hidden(row: Any) -> bool:
    return row.on is not None and row.Lesson.entry is None and not row.Lesson.everybody_sees


def _place(row: Any) -> str:
    lesson = row.Lesson
    if row.on is not None:
        return f"server {row.on}" + (", where not everybody sees it" if _hidden(row) else "")
    return "direct message" if lesson.platform == "discord" else lesson.platform or "everywhere"


# -- lists and decisions


async def lessons_of(session: AsyncSession, person: int) -> list[StoredLesson]:
    """The lessons that a person taught, oldest first."""
    return [_stored(row) for row in await _rows(session, Lesson.author_id == person)]


async def lessons_on(session: AsyncSession, server: int) -> list[StoredLesson]:
    """The corrections of a server that hold for everybody there, or would once they are accepted, oldest first."""
    rows = await _rows(session, and_(Lesson.server_id == server, Lesson.author_id.is_not(None)))
    gone = await withdrawn(session) | await voided(session)
    covers = await consents_since(session)
    return [
        _stored(row)
        for row in rows
        if row.may_teach and row.Lesson.author_id not in gone and _covered(row, covers, own=False)
    ]


async def entries_on(session: AsyncSession, server: int) -> list[StoredLesson]:
    """The FAQ entries of a server, oldest first."""
    return [_stored(row) for row in await _rows(session, and_(Lesson.server_id == server, Lesson.entry.is_not(None)))]


async def entries_by(session: AsyncSession, person: int) -> list[StoredLesson]:
    """The FAQ entries that a person sent as a manager, oldest first."""
    mine = select(MessageVersion.id).where(MessageVersion.author_id == person)
    which = and_(Lesson.entry.is_not(None), Lesson.question_id.in_(mine))
    return [_stored(row) for row in await _rows(session, which)]


async def every_lesson(session: AsyncSession) -> list[StoredLesson]:
    """All lessons, oldest first."""
    return [_stored(row) for row in await _rows(session, Lesson.id > 0)]


async def lesson_numbered(session: AsyncSession, lesson: int) -> StoredLesson | None:
    """A lesson by its number; None when it is gone."""
    return next((_stored(row) for row in await _rows(session, Lesson.id == lesson)), None)


async def set_scope(session: AsyncSession, lesson: int, scope: str, among: Collection[str] = STANDING) -> bool:
    """Let a lesson hold for its author, its server or everybody, or remove it.

    False when its scope is none of `among` now: what was removed meanwhile stays removed.
    """
    change = update(Lesson).where(Lesson.id == lesson, Lesson.scope.in_(among)).values(scope=scope, borne_out=False)
    return bool((await session.execute(change.returning(Lesson.id))).first())


async def given_to(session: AsyncSession, generation: int) -> list[int]:
    """The numbers of the lessons that an answer was given, in order."""
    query = select(GenerationLesson.lesson_id).where(GenerationLesson.generation_id == generation)
    return list(await session.scalars(query.order_by(GenerationLesson.position)))


async def lesson_of(session: AsyncSession, generation: int, author: int) -> Lesson | None:
    """The lesson that a person's newest correction of an answer made; it need not hold any more."""
    query = (
        select(Lesson)
        .join(Rating, Rating.id == Lesson.rating_id)
        .where(Rating.generation_id == generation, Lesson.author_id == author)
        .order_by(Lesson.id.desc())
        .limit(1)
    )
    return (await session.scalars(query)).first()
