"""The index of questions in memory keeps nothing that was erased, by whom and whenever that happened."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from data import lessons
from data.lesson_book import LessonBook
from data.lessons import REMOVED
from data.store import Store
from tests.data.talk import Talk

ASKED, AGAIN = "When is game night?", "What day is game night?"


async def taught(talk: Talk) -> int:
    """Ada corrects an answer and asks again, so the question is in the index; returns Ada."""
    ada = await talk.person()
    said = await talk.say(ada, ASKED, platform_id="m1")
    await talk.rate(ada, "correction", await talk.answer(said), text="On Friday.")
    assert await talk.store.lessons.like(AGAIN, talk.conversation, ada)
    assert "night" in held(talk.store.lessons)
    return ada


def held(book: LessonBook) -> str:
    """The words that an index holds."""
    rows = book._index._rows.execute("SELECT words FROM said")
    return "".join(str(row) for row in rows) + str(book._index._stems)


async def erase(store: Store, how: str, person: int) -> None:
    match how:
        case "the message is deleted":
            await store.erase_message("terminal", "m1")
        case "the channel is deleted":
            await store.erase_channel("terminal", "11")
        case "the person is forgotten":
            await store.forget(person)
        case "the text expires":
            await store.set_consent(person, False)
            await store.purge(datetime.now(UTC) + timedelta(days=1))


WAYS = ("the message is deleted", "the channel is deleted", "the person is forgotten", "the text expires")


@pytest.mark.parametrize("how", WAYS)
async def test_an_erased_question_leaves_the_memory_at_once(store: Store, how: str) -> None:
    talk = await Talk.begin(store, key="11:1")
    ada = await taught(talk)
    await erase(store, how, ada)
    assert "night" not in held(store.lessons)


async def test_what_another_process_erased_or_removed_leaves_the_memory_with_the_next_question(store: Store) -> None:
    talk = await Talk.begin(store)
    ada, bob = await taught(talk), await talk.person("bob")
    (lesson,) = await store.lessons.of(ada)
    other = LessonBook(store.database)  # as the bot's, where the deed is another process's
    assert await other.like(AGAIN, talk.conversation, ada)
    await store.lessons.set_scope(lesson.lesson, REMOVED)
    assert await other.like("Who painted the Mona Lisa?", talk.conversation, bob) == []
    assert held(other) == "{}"


async def test_a_question_that_is_erased_just_before_it_is_indexed_does_not_stay(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    talk = await Talk.begin(store)
    ada = await taught(talk)
    late, loop = LessonBook(store.database), asyncio.get_running_loop()
    nearest = late._nearest

    def after_an_erasure(question: str, among: set[int], new: dict[int, str]) -> list[int]:
        asyncio.run_coroutine_threadsafe(store.erase_message("terminal", "m1"), loop).result(10)
        return nearest(question, among, new)

    monkeypatch.setattr(late, "_nearest", after_an_erasure)
    assert await late.like(AGAIN, talk.conversation, ada) == []
    assert held(late) == "{}"


async def test_more_lessons_than_a_statement_has_variables_are_read(store: Store) -> None:
    talk = await Talk.begin(store)
    await taught(talk)
    async with store.database.read() as session:
        assert await lessons.questions_of(session, range(40_000)) == {1: ASKED}
        assert len(await lessons.gone_of(session, range(40_000))) == 39_999
        assert len(await lessons.texts_of(session, range(40_000))) == 2
