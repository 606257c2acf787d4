"""`python -m data lessons`: a FAQ becomes lessons, and the operator lists, accepts and removes lessons."""

from argparse import Namespace
from collections.abc import Sequence
from pathlib import Path

from data.errors import BadInput, NothingToDo
from data.faq import import_entries, named
from data.home import home
from data.lesson_files import read_faq
from data.lessons import DECLINED, EVERYWHERE, REMOVED, StoredLesson
from data.personas import persona as named_persona
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
    """Make lessons of a FAQ's entries, all or none; returns what was done. `server` is Discord's id.

    Raises `BadInput` for an invalid id, an unknown persona, and a file that cannot be used.
    """
    if server is not None and not (server.isascii() and server.isdecimal()):
        raise BadInput(
            f"--server {server}: a server's id on Discord has digits only (Developer Mode, Copy Server ID)."
        )
    if persona is not None and server is None:  # a server may have personas of its own
        named_persona(persona)
    entries = read_faq(Path(file))
    place = None if server is None else await store.server("discord", server)
    done = await import_entries(store, entries, server=place, persona=persona)
    twice = f" Entries that repeat a question of the file: {done.again}; the last answer holds." if done.again else ""
    return f"{done.new} new lessons, {done.changed} changed, {done.there} were there already.{twice}"


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
    gone = named(await store.lessons.every(), what)
    if not gone:
        raise BadInput(f"No lesson and no imported file is {what!r}; `python -m data lessons list` shows both.")
    for lesson in gone:
        if lesson.entry is None:  # a correction: its texts are people's, and stay until they or their messages go
            await store.lessons.set_scope(lesson.lesson, REMOVED)
    await store.eraser.erase_lessons([lesson.lesson for lesson in gone if lesson.entry is not None])
    print(f"Lessons taken out of the prompts: {len(gone)}.")
