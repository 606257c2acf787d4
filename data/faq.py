"""Entries of a FAQ become lessons of one server or of everybody, and are found again by their file."""

import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from data.lesson_files import Entry
from data.lessons import EVERYWHERE, REMOVED, SERVER, StoredLesson
from data.schema import Lesson, MessageVersion
from data.store import Store

_FILE = re.compile(r"(.+?\.(?:csv|jsonl|md|markdown)), ", re.IGNORECASE)


class Imported(NamedTuple):
    """What an import did with the entries: new, changed, there already, and repeated within the file."""

    new: int
    changed: int
    there: int
    again: int


async def import_entries(
    store: Store, entries: Sequence[Entry], *, server: int | None, persona: str | None, author: int | None = None
) -> Imported:
    """Make lessons of a FAQ's entries, all or none.

    An entry that is stored already with the same texts stays. One whose question is stored with another answer
    replaces that entry, which is erased. `author` is the manager who sent the file: the texts are theirs, so what is
    learnt from answers with them needs their consent, and `/forget` erases them. The operator's have no author.
    """
    single = {entry.question.lower(): entry for entry in entries}.values()
    async with store.database.write() as session:
        known = await _known(session, server, persona)
        new, replaced = 0, []
        for entry in single:
            old = known.get(entry.question.lower())
            if old is not None and old[1] == entry.answer:
                continue
            if old is not None:
                old[0].scope = REMOVED
                replaced.append(old[0].id)
            new += old is None
            await _add(session, entry, server, persona, author)
    await store.eraser.erase_lessons(replaced)
    return Imported(new, len(replaced), len(single) - new - len(replaced), len(entries) - len(single))


async def _known(session: AsyncSession, server: int | None, persona: str | None) -> dict[str, tuple[Lesson, str]]:
    """The entries that stand for the same place, by their questions, with their answers."""
    query = select(Lesson).where(
        Lesson.entry.is_not(None),
        Lesson.scope != REMOVED,
        Lesson.server_id.is_(None) if server is None else Lesson.server_id == server,
        Lesson.persona.is_(None) if persona is None else Lesson.persona == persona,
    )
    found = {}
    for lesson in await session.scalars(query):
        question = (await session.get_one(MessageVersion, lesson.question_id)).text or ""
        answer = (await session.get_one(MessageVersion, lesson.answer_id)).text or ""
        found[question.lower()] = (lesson, answer)
    return found


async def _add(
    session: AsyncSession, entry: Entry, server: int | None, persona: str | None, author: int | None
) -> None:
    question, answer = (MessageVersion(text=said, author_id=author) for said in (entry.question, entry.answer))
    session.add_all((question, answer))
    await session.flush()
    session.add(
        Lesson(
            question_id=question.id,
            answer_id=answer.id,
            server_id=server,
            persona=persona,
            scope=EVERYWHERE if server is None else SERVER,
            entry=entry.place,
        )
    )


def file_of(entry: str) -> str:
    """The name of the file that an entry is from, by the entry's place."""
    found = _FILE.match(entry)
    return found[1] if found else entry


def named(lessons: Iterable[StoredLesson], what: str) -> list[StoredLesson]:
    """The lessons with a number, or all entries of the file with a name."""
    return [each for each in lessons if what in (str(each.lesson), file_of(each.entry or ""))]
