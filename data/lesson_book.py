"""The lessons of an installation as the bot uses them: found for a question, listed, accepted and removed."""

import asyncio
import logging
import sqlite3
from collections.abc import Collection, Sequence

from data import lessons
from data.database import Database
from data.lesson_events import count_again
from data.lesson_search import LessonIndex
from data.lessons import StoredLesson
from data.schema import Conversation

log = logging.getLogger(__name__)


class LessonBook:
    """Each method sees the database at one moment. The index of questions is in memory, one for each book."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._made: LessonIndex | None = None  # made when the first lesson is there

    @property
    def _index(self) -> LessonIndex:
        self._made = self._made or LessonIndex()
        return self._made

    async def like(self, question: str, conversation: int, person: int) -> list[StoredLesson]:
        """The lessons that hold for a person's question in a conversation and are like it, most similar first.

        Of lessons for the same question only the newest is given, and a person's own before others'.
        """
        found = await self._like(question, conversation, person)
        await self.forget_erased()  # another process may have erased, also between reading a text and indexing it
        return found

    async def _like(self, question: str, conversation: int, person: int) -> list[StoredLesson]:
        async with self._database.read() as session:
            among = await lessons.in_reach(session, person, conversation)
            if not among:
                return []
            place = await session.get_one(Conversation, conversation)
            try:
                new = await lessons.questions_of(session, self._index.missing(among))
            except sqlite3.OperationalError as error:  # a SQLite that was built without FTS5
                log.warning("Lessons are not used: this Python's SQLite cannot search texts (%s)", error)
                return []
        found = await asyncio.to_thread(self._nearest, question, among, new)
        if not found:
            return []
        async with self._database.read() as session:
            holding = await lessons.holding(
                session, found, person=person, platform=place.platform, persona=place.persona
            )
        return _best(holding, person)

    def _nearest(self, question: str, among: set[int], new: dict[int, str]) -> list[int]:
        self._index.add(new)
        return [number for number, _ in self._index.nearest(question, among)]

    async def forget_erased(self) -> None:
        """Overwrite in memory what was erased from the database or removed; called after every erasure."""
        if self._made is None or not (held := self._made.held()):
            return
        async with self._database.read() as session:
            gone = await lessons.gone_of(session, held)
        if gone:
            await asyncio.to_thread(self._made.drop, gone)

    async def given_to(self, generation: int) -> list[StoredLesson]:
        """The lessons that an answer was given and that are still there, in order."""
        async with self._database.read() as session:
            numbers = await lessons.given_to(session, generation)
            found = [await lessons.lesson_numbered(session, number) for number in numbers]
        return [lesson for lesson in found if lesson is not None]

    async def taught_since(self, first: int, second: int) -> bool:
        """Whether of two answers the second was given a correction that the first was not given."""
        before = {lesson.lesson for lesson in await self.given_to(first)}
        return any(each.entry is None and each.lesson not in before for each in await self.given_to(second))

    async def made_of(self, generation: int, person: int) -> StoredLesson | None:
        """The lesson that a person's correction of an answer made, if it holds for them."""
        async with self._database.read() as session:
            lesson = await lessons.lesson_of(session, generation, person)
            if lesson is None or lesson.platform is None:
                return None
            found = await lessons.holding(
                session, [lesson.id], person=person, platform=lesson.platform, persona=lesson.persona
            )
        return found[0] if found else None

    async def of(self, person: int) -> list[StoredLesson]:
        """What a person taught, oldest first."""
        async with self._database.read() as session:
            return await lessons.lessons_of(session, person)

    async def on(self, server: int) -> list[StoredLesson]:
        """What members taught on a server, if it holds for everybody there or would once accepted; oldest first."""
        async with self._database.read() as session:
            return await lessons.lessons_on(session, server)

    async def entries_on(self, server: int) -> list[StoredLesson]:
        """The FAQ entries of a server, oldest first."""
        async with self._database.read() as session:
            return await lessons.entries_on(session, server)

    async def every(self) -> list[StoredLesson]:
        """All lessons, oldest first."""
        async with self._database.read() as session:
            return await lessons.every_lesson(session)

    async def numbered(self, lesson: int) -> StoredLesson | None:
        """A lesson by its number; None when it is gone."""
        async with self._database.read() as session:
            return await lessons.lesson_numbered(session, lesson)

    async def set_scope(self, lesson: int, scope: str, among: Collection[str] = lessons.STANDING) -> bool:
        """Let a lesson hold for its author (`OWN`), its server or everybody, or remove it; see `data.lessons`."""
        async with self._database.write() as session:
            done = await lessons.set_scope(session, lesson, scope, among)
            if done and scope == lessons.REMOVED:  # it may have borne others out
                await count_again(session)
            return done


def _best(found: Sequence[StoredLesson], person: int) -> list[StoredLesson]:
    best: dict[str, StoredLesson] = {}
    for lesson in sorted(found, key=lambda each: (each.author == person, each.lesson)):
        best[" ".join(lesson.question.split()).lower()] = lesson
    chosen = {lesson.lesson for lesson in best.values()}
    return [lesson for lesson in found if lesson.lesson in chosen]
