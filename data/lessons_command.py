"""`python -m data lessons`: a FAQ becomes lessons, and the operator lists, accepts and removes lessons."""

from argparse import Namespace
from collections.abc import Sequence
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from data.errors import BadInput, NothingToDo
from data.home import home
from data.lesson_files import Entry, read_faq
from data.lessons import DECLINED, EVERYWHERE, REMOVED, SERVER, StoredLesson
from data.schema import Lesson, MessageVersion
from data.servers import server_of
from data.store import Store

_SHOWN = 100  # characters of each text in the list


async def lessons(arguments: Namespace) -> None:
    """Do what the flags say. Raises `BadInput` for a lesson that is not there."""
    store = await Store.open(home())
    try:
        match arguments.deed:
            case "import":
                print(await import_faq(store, arguments.file, server=arguments.server, persona=arguments.persona))
            case "list":
                _print(await store.lessons.every())
            case "accept":
                await _decide(store, arguments.number, own=arguments.own)
            case "remove":
                await _remove(store, arguments.what)
    finally:
        await store.close()


async def import_faq(store: Store, file: str, *, server: str | None = None, persona: str | None = None) -> str:
    """Make lessons of a FAQ's entries, all or none; returns what was done.

    An entry that is stored already with the same texts stays. One whose question is stored with another answer
    replaces that entry, which is erased.
    """
    entries = read_faq(Path(file))
    single = {entry.question.lower(): entry for entry in entries}.values()
    async with store.database.write() as session:
        place = None if server is None else (await server_of(session, "discord", server)).id
        known = await _known(session, place, persona)
        new, replaced = 0, []
        for entry in single:
            old = known.get(entry.question.lower())
            if old is not None and old[1] == entry.answer:
                continue
            if old is not None:
                old[0].scope = REMOVED
                replaced.append(old[0].id)
            new += old is None
            await _add(session, entry, place, persona)
    await store.erase_lessons(replaced)
    there, again = len(single) - new - len(replaced), len(entries) - len(single)
    twice = f" Entries that repeat a question of the file: {again}; the last answer holds." if again else ""
    return f"{new} new lessons, {len(replaced)} changed, {there} were there already.{twice}"


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


async def _add(session: AsyncSession, entry: Entry, server: int | None, persona: str | None) -> None:
    question, answer = MessageVersion(text=entry.question), MessageVersion(text=entry.answer)
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


def _print(found: Sequence[StoredLesson]) -> None:
    if not found:
        raise NothingToDo("There are no lessons yet: correct an answer, or import a FAQ.")
    for lesson in found:
        source = f" [{'; '.join(filter(None, (lesson.entry, lesson.place, lesson.persona)))}]"
        print(f"{lesson.lesson:>6} {lesson.scope:<10} {_short(lesson.question)} -> {_short(lesson.answer)}{source}")


def _short(text: str) -> str:
    plain = " ".join(text.split())
    return plain if len(plain) <= _SHOWN else f"{plain[: _SHOWN - 1]}…"


async def _decide(store: Store, number: int, *, own: bool) -> None:
    lesson = await store.lessons.numbered(number)
    if lesson is None or lesson.author is None:
        raise BadInput(f"There is no correction with the number {number}; `python -m data lessons list` shows them.")
    if not await store.lessons.set_scope(number, DECLINED if own else EVERYWHERE):
        raise BadInput(f"Lesson {number} was removed just now.")
    whose = "only for the person who taught it" if own else "for everybody on its platform"
    print(f"Lesson {number} now holds {whose}.")


async def _remove(store: Store, what: str) -> None:
    every = await store.lessons.every()
    gone = [each for each in every if str(each.lesson) == what or (each.entry or "").startswith(f"{what}, ")]
    if not gone:
        raise BadInput(f"No lesson and no imported file is {what!r}; `python -m data lessons list` shows both.")
    for lesson in gone:
        if lesson.entry is None:  # a correction: its texts are people's, and stay until they or their messages go
            await store.lessons.set_scope(lesson.lesson, REMOVED)
    await store.erase_lessons([lesson.lesson for lesson in gone if lesson.entry is not None])
    print(f"Lessons taken out of the prompts: {len(gone)}.")
