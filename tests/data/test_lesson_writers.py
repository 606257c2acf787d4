"""Rows of answers that were given lessons: who must agree to them, and which fold they belong to."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from data import folds
from data.candidates import DIVIDED, NOT_HERE, OUTSIDE
from data.faq import import_entries
from data.home import installation_key
from data.imports import collect_rows
from data.lesson_files import Entry
from data.lesson_writers import lesson_sources
from data.lessons import EVERYWHERE
from data.lessons_command import import_faq
from data.row_ids import rows_of
from data.store import Store, StoredMessage
from tests.data.talk import Talk
from tests.data.taught import AGAIN, ASKED, RIGHT, corrected, for_all_here, helped, on_discord


@pytest.mark.played
async def test_a_row_is_the_conversation_without_the_lessons_and_needs_their_authors_consent(store: Store) -> None:
    talk = await on_discord(store)
    ada, bob = await talk.person("ada"), await talk.person("bob")
    await corrected(talk, ada)
    await for_all_here(talk, ada)
    await talk.rate(bob, "vote", await helped(talk, bob), value="up")
    found = await collect_rows(store, discord_permission="ticket")
    (row,) = found.of("labelled", None)
    assert [message["content"] for message in row.data["prompt"]][1:] == [AGAIN]
    await store.set_consent(ada, False)
    found = await collect_rows(store, discord_permission="ticket")
    assert list(found.of("labelled", None)) == []


@pytest.mark.played
@pytest.mark.parametrize(("may_teach", "problem"), [(False, NOT_HERE), (True, OUTSIDE)])
async def test_a_lesson_from_a_place_that_does_not_teach_reaches_no_row(
    store: Store, monkeypatch: pytest.MonkeyPatch, may_teach: bool, problem: str
) -> None:
    monkeypatch.setenv("PARLEY_TEACHING_SERVERS", "7" if may_teach else "7,8")
    talk, other = await on_discord(store), await on_discord(store, "22:1", "8")
    ada, bob = await other.person("ada"), await talk.person("bob")
    await corrected(other, ada)
    await talk.rate(bob, "vote", (await talk.ask(bob, "Who painted the Mona Lisa?", "Leonardo."))[0], value="up")
    (lesson,) = await store.lessons.of(ada)
    await store.lessons.set_scope(lesson.lesson, EVERYWHERE)
    await talk.rate(bob, "vote", await helped(talk, bob), value="up")
    await store.set_may_teach("discord", "8", may_teach)
    found = await collect_rows(store, discord_permission="ticket")
    assert [row.data["completion"][0]["content"] for row in found.of("labelled", None)] == ["Leonardo."]
    assert found.dropped_counts()["labelled"][problem] >= 1


async def folds_of(talk: Talk) -> dict[str, str]:
    """The folds of all rows that are not prompts, by the text to learn or judge."""
    found = (await collect_rows(talk.store, discord_permission=None)).rows
    said = [(row.row.data.get("completion") or row.row.data.get("chosen"), row.fold) for row in found]
    return {each[0]["content"]: fold for each, fold in said if each}


async def elsewhere(talk: Talk, person: int) -> tuple[Talk, StoredMessage]:
    """Another conversation of the same person, which begins with another question, and what answers it."""
    other = await Talk.begin(talk.store, key="second")
    (first,) = await other.ask(person, "Who painted the Mona Lisa?", "Leonardo.")
    await other.rate(person, "vote", first, value="up")
    path = await talk.store.path(first.message)
    return other, path[-1]


@pytest.fixture
def two_folds(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first group of rows trains, and each later one is held out."""
    monkeypatch.setattr(folds, "draw", lambda _key, _group, _rows, held: "gate" if held["train"] else "train")


@pytest.mark.usefixtures("two_folds")
async def test_an_answer_given_with_a_lesson_shares_the_fold_of_the_correction(talk: Talk) -> None:
    ada = await talk.person()
    await corrected(talk, ada)
    other, before = await elsewhere(talk, ada)
    said = await other.say(ada, AGAIN, parent=before.message)
    (lesson,) = await talk.store.lessons.like(AGAIN, other.conversation, ada)
    answer = await other.answer(said, "Friday at 8, I think.", lessons=(lesson.lesson,))
    await other.rate(ada, "vote", answer, value="up")
    found = await folds_of(talk)
    assert set(found) == {RIGHT, "Leonardo.", "Friday at 8, I think."}
    assert len(set(found.values())) == 1


@pytest.mark.played
@pytest.mark.usefixtures("two_folds")
async def test_rows_go_that_may_repeat_a_correction_of_another_fold(talk: Talk) -> None:
    ada = await talk.person()
    await corrected(talk, ada)
    other, before = await elsewhere(talk, ada)
    held = await folds_of(talk)
    assert {held[RIGHT], held["Leonardo."]} == {"train", "gate"}
    said = await other.say(ada, AGAIN, parent=before.message)
    (lesson,) = await talk.store.lessons.like(AGAIN, other.conversation, ada)
    answer = await other.answer(said, "Friday at 8, I think.", lessons=(lesson.lesson,))
    await other.rate(ada, "vote", answer, value="up")
    # The next answer is given without a lesson, and its prompt holds the one before.
    after = await other.say(ada, "And who is Ada Lovelace?", parent=answer.message)
    await other.rate(ada, "vote", await other.answer(after, "A mathematician."), value="up")
    assert await folds_of(talk) == held
    found = await collect_rows(talk.store, discord_permission=None)
    assert found.dropped_counts() == {"labelled": {DIVIDED: 2}, "prompt": {DIVIDED: 2}}


async def test_the_rows_of_an_answer_that_was_given_with_a_lesson_are_its_authors_too(store: Store) -> None:
    talk = await on_discord(store)
    ada, bob = await talk.person("ada"), await talk.person("bob")
    await corrected(talk, ada)
    await for_all_here(talk, ada)
    await talk.rate(bob, "vote", await helped(talk, bob), value="up")
    (row,) = (await collect_rows(store, discord_permission="ticket")).of("labelled", None)
    async with store.database.read() as session:
        assert row.id in await rows_of(session, installation_key(store.database.path.parent), ada)


@pytest.mark.played
@pytest.mark.parametrize("who", ["cem", "ada"])
async def test_a_row_needs_the_consent_of_who_asked_and_of_who_answered_in_its_lesson(store: Store, who: str) -> None:
    talk = await on_discord(store)
    people = {name: await talk.person(name) for name in ("ada", "bob", "cem")}
    (answer,) = await talk.ask(people["cem"], ASKED, "On Monday.")
    await talk.rate(people["ada"], "correction", answer, text=RIGHT)
    await for_all_here(talk, people["ada"])
    await talk.rate(people["bob"], "vote", await helped(talk, people["bob"]), value="up")
    assert (await labelled(store)) == ["Friday at 8, I think."]
    await store.set_consent(people[who], False)
    assert (await labelled(store)) == []


async def test_a_row_is_made_of_an_answer_that_was_given_an_entry_of_a_faq(store: Store, tmp_path: Path) -> None:
    (tmp_path / "faq.csv").write_text(f"question,answer\n{ASKED},{RIGHT}\n", encoding="utf-8")
    talk = await on_discord(store)
    await import_faq(store, str(tmp_path / "faq.csv"))
    bob = await talk.person("bob")
    await talk.rate(bob, "vote", await helped(talk, bob), value="up")
    assert (await labelled(store)) == ["Friday at 8, I think."]


@pytest.mark.parametrize("agrees", [True, False])
async def test_a_row_needs_the_consent_of_the_manager_who_sent_the_faq(store: Store, agrees: bool) -> None:
    talk = await on_discord(store)
    bob, max_ = await talk.person("bob"), await talk.person("max", agrees=agrees)
    server = await store.server("discord", "7")
    entries = [Entry(ASKED, RIGHT, "faq.md, 1")]
    await import_entries(store, entries, server=server, persona=None, author=max_)
    await talk.rate(bob, "vote", await helped(talk, bob), value="up")
    assert (await labelled(store)) == (["Friday at 8, I think."] if agrees else [])


async def labelled(store: Store) -> list[str]:
    """The completions of all rows that are made of votes."""
    found = await collect_rows(store, discord_permission="ticket")
    return [row.data["completion"][0]["content"] for row in found.of("labelled", None)]


async def test_the_conversations_that_taught_an_answer_come_in_order_and_its_own_is_not_among_them(
    talk: Talk,
) -> None:
    ada = await talk.person()
    talks = [talk, await Talk.begin(talk.store, key="second"), await Talk.begin(talk.store, key="third")]
    for each in talks:
        (answer,) = await each.ask(ada, "When is game night?", "On Monday.")
        await each.rate(ada, "correction", answer, text="On Friday.")
    first, second, third = [lesson.lesson for lesson in await talk.store.lessons.of(ada)]
    given = await talk.answer(await talk.say(ada, "And now?"), lessons=(third, first, second))
    await talk.answer(await talk.say(ada, "And then?"), lessons=(first,))
    with closing(sqlite3.connect(talk.store.database.path)) as connection:
        found = lesson_sources(connection)
    assert found == {given.version: (talks[2].conversation, talks[1].conversation)}
