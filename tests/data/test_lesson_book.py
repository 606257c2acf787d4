"""The index of questions in memory keeps nothing that was erased, by whom and whenever that happened."""

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from data import lesson_erasure, lessons
from data.lesson_book import LessonBook
from data.lessons import REMOVED
from data.lessons_command import import_faq
from data.schema import Standing
from data.store import Store
from data.times import now
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
            await store.eraser.erase_message("terminal", "m1")
        case "the channel is deleted":
            await store.eraser.erase_channel("terminal", "11")
        case "the person is forgotten":
            await store.eraser.forget(person)
        case "the text expires":
            await store.set_consent(person, False)
            await store.eraser.purge(datetime.now(UTC) + timedelta(days=1))


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
        asyncio.run_coroutine_threadsafe(store.eraser.erase_message("terminal", "m1"), loop).result(10)
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
        assert len(await lesson_erasure.texts_of(session, range(40_000))) == 2


async def on_server(store: Store) -> Talk:
    server = await store.server("discord", "7")
    await store.set_may_teach("discord", "7", True)
    return await Talk.begin(store, "discord", "11:1", server=server)


async def corrected(talk: Talk, asker: int, author: int, question: str) -> None:
    (answer,) = await talk.ask(asker, question, "On Monday.")
    await talk.rate(author, "correction", answer, text="On Friday.")


async def test_managers_are_shown_only_what_would_hold_for_everybody(store: Store) -> None:
    talk = await on_server(store)
    ada, bob, eve = [await talk.person(name) for name in ("ada", "bob", "eve")]
    silent = await talk.person("silent", agrees=None)
    for asker, author, question in ((ada, ada, "1?"), (silent, ada, "2?"), (ada, bob, "3?"), (ada, eve, "4?")):
        await corrected(talk, asker, author, question)
    (server,) = {each.server for each in await store.lessons.every()}
    assert server is not None
    assert [each.question for each in await store.lessons.on(server)] == ["1?", "3?", "4?"]
    await store.set_consent(bob, False)
    async with store.database.write() as session:
        session.add(Standing(person_id=eve, voided_at=now()))
    assert [each.question for each in await store.lessons.on(server)] == ["1?"]
    await store.set_may_teach("discord", "7", False)
    assert await store.lessons.on(server) == []


async def test_entries_of_a_faq_are_not_among_what_members_taught(store: Store, tmp_path: Path) -> None:
    (tmp_path / "faq.csv").write_text("question,answer\nWho?,Mira.\n", encoding="utf-8")
    await import_faq(store, str(tmp_path / "faq.csv"), server="7")
    (entry,) = await store.lessons.every()
    await store.set_may_teach("discord", "7", True)
    assert entry.server is not None
    assert entry.place == "server 7"
    assert await store.lessons.on(entry.server) == []


async def test_what_an_answer_was_given_comes_in_order_and_only_a_correction_is_taught(
    store: Store, tmp_path: Path
) -> None:
    (tmp_path / "faq.csv").write_text("question,answer\nWho?,Mira.\n", encoding="utf-8")
    await import_faq(store, str(tmp_path / "faq.csv"))
    talk = await Talk.begin(store)
    ada = await taught(talk)
    entry, correction = [each.lesson for each in await store.lessons.every()]
    said = await talk.say(ada, AGAIN)
    plain, with_entry, with_both = [
        (await talk.answer(said, lessons=given)).generation for given in ((), (entry,), (correction, entry))
    ]
    assert [each.lesson for each in await store.lessons.given_to(with_both)] == [correction, entry]
    assert not await store.lessons.taught_since(plain, with_entry)
    assert await store.lessons.taught_since(with_entry, with_both)
    assert not await store.lessons.taught_since(with_both, with_both)
