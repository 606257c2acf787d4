"""The lessons that a round asks its candidate about."""

from pathlib import Path

from data.faq import import_entries
from data.followed import Asked, to_ask
from data.lesson_files import Entry
from data.lessons import REMOVED
from data.store import Store
from tests.data.talk import SYSTEM, Talk
from tests.data.taught import ASKED, RIGHT, corrected


async def asked(store: Store, most: int = 9) -> list[Asked]:
    async with store.database.read() as session:
        return await to_ask(session, most)


async def test_the_newest_corrections_are_asked_as_their_first_questions_were(talk: Talk) -> None:
    ada = await talk.person("ada")
    await corrected(talk, ada)
    await corrected(talk, ada, "In the Oak room.", "Where is game night?")
    first, second = [lesson.lesson for lesson in await talk.store.lessons.of(ada)]
    assert await asked(talk.store) == [
        Asked(second, SYSTEM, "Where is game night?", "In the Oak room."),
        Asked(first, SYSTEM, ASKED, RIGHT),
    ]
    assert [each.lesson for each in await asked(talk.store, 1)] == [second]
    assert (await asked(talk.store))[0].messages == [
        {"role": "system", "content": SYSTEM},
        {"role": "user", "content": "Where is game night?"},
    ]


async def test_what_rests_was_removed_or_is_of_a_faq_is_not_asked(talk: Talk) -> None:
    people = [await talk.person(name) for name in ("ada", "bob", "cem")]
    for number, person in enumerate(people):
        await corrected(talk, person, RIGHT, f"Question {number}?")
    await import_entries(talk.store, [Entry("Who leads?", "Mira.", "a.md, Who leads?")], server=None, persona=None)
    lessons = [(await talk.store.lessons.of(person))[0].lesson for person in people]
    await talk.store.set_consent(people[0], False)
    await talk.store.lessons.set_scope(lessons[1], REMOVED)
    assert [each.lesson for each in await asked(talk.store)] == [lessons[2]]
    await talk.store.eraser.forget(people[2])
    assert await asked(talk.store) == []


async def test_a_home_without_lessons_asks_nothing(tmp_path: Path) -> None:
    store = await Store.open(tmp_path)
    assert await asked(store) == []
    await store.close()
