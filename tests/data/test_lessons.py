"""What makes a lesson, whose conversations it stands in, and what takes it away again."""

from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from data import folds, schema
from data.candidates import DIVIDED, NOT_HERE, OUTSIDE
from data.home import installation_key
from data.imports import collect_rows
from data.lessons import DECLINED, EVERYWHERE, OWN, REMOVED, SERVER
from data.lessons_command import import_faq
from data.row_ids import rows_of
from data.standings import set_standing
from data.store import Store, StoredGeneration, StoredMessage
from tests.data.talk import Talk

ASKED, RIGHT = "When is game night?", "On Friday at 8."
AGAIN = "What day is game night?"


async def on_discord(store: Store, key: str = "11:1", server: str = "7", **more: Any) -> Talk:
    number = await store.server("discord", server)
    await store.set_may_teach("discord", server, True)
    return await Talk.begin(store, "discord", key, server=number, **more)


async def corrected(
    talk: Talk, person: int, text: str = RIGHT, asked: str = ASKED, *, everybody_sees: bool = True
) -> StoredGeneration:
    (answer,) = await talk.ask(person, asked, "On Monday.")
    await talk.rate(person, "correction", answer, text=text, everybody_sees=everybody_sees)
    return answer


async def for_all_here(talk: Talk, person: int) -> None:
    """Let a person's first lesson hold on its server."""
    await talk.store.lessons.set_scope((await talk.store.lessons.of(person))[0].lesson, SERVER)


async def seen(talk: Talk, person: int, question: str = AGAIN) -> list[str]:
    return [lesson.answer for lesson in await talk.store.lessons.like(question, talk.conversation, person)]


async def helped(talk: Talk, person: int, text: str = "Friday at 8, I think.") -> StoredGeneration:
    """An answer that was given with the lessons for its question."""
    said = await talk.say(person, AGAIN)
    lessons = await talk.store.lessons.like(AGAIN, talk.conversation, person)
    assert lessons
    return await talk.answer(said, text, lessons=tuple(each.lesson for each in lessons))


async def text_of(store: Store, answer: StoredGeneration) -> str:
    found = await store.generation(answer.generation)
    assert found is not None
    return found.text


async def scopes(store: Store, person: int) -> list[str]:
    return [lesson.scope for lesson in await store.lessons.of(person)]


async def test_a_correction_holds_at_once_for_the_person_who_wrote_it_and_for_nobody_else(talk: Talk) -> None:
    ada, bob = await talk.person("ada"), await talk.person("bob")
    await corrected(talk, ada)
    assert await seen(talk, ada) == [RIGHT]
    assert await seen(talk, ada, "Who painted the Mona Lisa?") == []
    assert await seen(talk, bob) == []
    assert await seen(await Talk.begin(talk.store, key="second"), ada) == [RIGHT]


async def test_ones_own_lesson_stays_on_its_server_or_in_direct_conversations(store: Store) -> None:
    talk, other = await on_discord(store), await on_discord(store, "22:1", "8")
    direct = await Talk.begin(store, "discord", "dm:1")
    channel = await Talk.begin(store, "discord", "11:2", server=await store.server("discord", "7"))
    ada = await talk.person("ada")
    await corrected(talk, ada)
    await corrected(direct, ada, "In the Oak room.", "Where is game night?", everybody_sees=False)
    private = await Talk.begin(store, "discord", "dm2:1")
    asked = (AGAIN, "Where will game night be?")
    places = {"same": talk, "channel": channel, "other": other, "direct": direct, "private": private}
    found = {name: [await seen(place, ada, question) for question in asked] for name, place in places.items()}
    assert {name: [RIGHT in each[0], "In the Oak room." in each[1]] for name, each in found.items()} == {
        "same": [True, False],
        "channel": [True, False],
        "other": [False, False],
        "direct": [False, True],
        "private": [False, True],
    }


async def test_a_new_correction_of_the_same_answer_replaces_the_lesson(talk: Talk) -> None:
    ada = await talk.person()
    answer = await corrected(talk, ada)
    await talk.rate(ada, "correction", answer, text="On Sunday.")
    assert await seen(talk, ada) == ["On Sunday."]
    assert [lesson.answer for lesson in await talk.store.lessons.of(ada)] == ["On Sunday."]


async def test_of_one_question_the_newest_lesson_holds(talk: Talk) -> None:
    ada = await talk.person()
    await corrected(talk, ada)
    await corrected(talk, ada, "On Sunday.")
    assert await seen(talk, ada) == ["On Sunday."]


async def test_ones_own_lesson_comes_before_a_newer_one_of_the_server(store: Store) -> None:
    talk = await on_discord(store)
    ada, bob, eve = [await talk.person(name) for name in ("ada", "bob", "eve")]
    await corrected(talk, ada)
    await corrected(talk, bob, "On Sunday.")
    await for_all_here(talk, bob)
    assert (await seen(talk, ada), await seen(talk, eve)) == ([RIGHT], ["On Sunday."])


async def test_a_lesson_stays_with_its_persona_and_its_platform(talk: Talk) -> None:
    ada = await talk.person()
    await corrected(talk, ada)
    assert await seen(await Talk.begin(talk.store, key="s", persona="support"), ada) == []
    await talk.store.lessons.set_scope((await talk.store.lessons.of(ada))[0].lesson, EVERYWHERE)
    assert await seen(talk, await talk.person("bob")) == [RIGHT]
    discord = await on_discord(talk.store)
    assert await seen(discord, await discord.person("eve")) == []


async def test_a_lesson_rests_while_its_author_refuses(talk: Talk) -> None:
    ada = await talk.person()
    await corrected(talk, ada)
    await talk.store.set_consent(ada, False)
    assert await seen(talk, ada) == []
    await talk.store.set_consent(ada, True)
    assert await seen(talk, ada) == [RIGHT]  # their own words, in their own conversation


async def test_somebody_elses_question_needs_their_consent(talk: Talk) -> None:
    ada, bob = await talk.person("ada"), await talk.person("bob", agrees=False)
    (answer,) = await talk.ask(bob, ASKED, "On Monday.")
    await talk.rate(ada, "correction", answer, text=RIGHT)
    assert await seen(talk, ada) == []


async def test_a_question_by_an_unknown_author_makes_no_lesson(talk: Talk) -> None:
    ada = await talk.person()
    said = await talk.store.add_message(talk.conversation, "user", ASKED, author=ada, unknown=True)
    await talk.rate(ada, "correction", await talk.answer(said), text=RIGHT)
    assert await talk.store.lessons.every() == []


async def test_a_lesson_rests_while_its_question_says_something_else(talk: Talk) -> None:
    ada = await talk.person()
    said = await talk.say(ada, ASKED, platform_id="m1")
    await talk.rate(ada, "correction", await talk.answer(said), text=RIGHT)
    await talk.store.edit_message("terminal", "m1", "When is the game of chess?")
    assert await seen(talk, ada) == []
    await talk.store.edit_message("terminal", "m1", ASKED)
    assert await seen(talk, ada) == [RIGHT]


async def test_a_deleted_question_erases_the_lesson_and_the_answers_given_with_it(talk: Talk) -> None:
    ada = await talk.person()
    said = await talk.say(ada, ASKED, platform_id="m1")
    await talk.rate(ada, "correction", await talk.answer(said, "On Monday."), text=RIGHT)
    answer = await helped(talk, ada)
    await talk.store.erase_message("terminal", "m1")
    assert await seen(talk, ada) == []
    gone = await talk.store.generation(answer.generation)
    assert gone is not None
    assert (gone.text, gone.rendered_sha256) == ("", "")


async def test_forget_erases_what_others_were_answered_with_a_lesson(store: Store) -> None:
    talk = await on_discord(store)
    ada, bob = await talk.person("ada"), await talk.person("bob")
    await corrected(talk, ada)
    await for_all_here(talk, ada)
    answer = await helped(talk, bob)
    assert await text_of(store, answer)
    await store.forget(ada)
    assert await seen(talk, bob) == []
    assert await text_of(store, answer) == ""
    async with store.database.read() as session:
        (lesson,) = (await session.scalars(select(schema.Lesson))).all()
        assert (lesson.author_id, lesson.rating_id, lesson.scope) == (None, None, REMOVED)
        assert lesson.created_at == schema.NO_TIME


async def test_an_answer_keeps_no_text_when_its_lesson_was_erased_meanwhile(talk: Talk) -> None:
    ada = await talk.person()
    said = await talk.say(ada, ASKED, platform_id="m1")
    await talk.rate(ada, "correction", await talk.answer(said), text=RIGHT)
    (lesson,) = await talk.store.lessons.of(ada)
    again = await talk.say(ada, AGAIN)
    await talk.store.erase_message("terminal", "m1")
    answer = await talk.answer(again, "Friday.", lessons=(lesson.lesson,))
    assert await text_of(talk.store, answer) == ""


async def test_a_servers_lesson_holds_there_for_everybody_while_its_members_may_teach(store: Store) -> None:
    talk, other = await on_discord(store), await on_discord(store, "22:1", "8")
    ada, bob = await talk.person("ada"), await talk.person("bob")
    await corrected(talk, ada)
    await for_all_here(talk, ada)
    assert await seen(talk, bob) == [RIGHT]
    assert await seen(other, bob) == []
    await store.set_may_teach("discord", "7", False)
    assert await seen(talk, bob) == []
    assert await seen(talk, ada) == [RIGHT]


async def test_what_was_said_before_the_yes_holds_for_its_author_alone(store: Store) -> None:
    talk = await on_discord(store)
    ada, bob = await talk.person("ada", agrees=None), await talk.person("bob")
    (answer,) = await talk.ask(ada, ASKED, "On Monday.")
    await store.set_consent(ada, True)
    await talk.rate(ada, "correction", answer, text=RIGHT)
    await for_all_here(talk, ada)
    assert await seen(talk, ada) == [RIGHT]
    assert await seen(talk, bob) == []


@pytest.mark.parametrize("how", ["the same correction", "votes for an answer given with it"])
async def test_three_other_people_make_a_correction_the_servers_lesson(store: Store, how: str) -> None:
    talk = await on_discord(store)
    ada = await talk.person("ada")
    await corrected(talk, ada)
    answer = await helped(talk, ada)
    for number in range(3):
        assert await scopes(store, ada) == [OWN]
        person = await talk.person(f"friend {number}")
        if how == "the same correction":
            await corrected(talk, person, RIGHT.lower(), ASKED.lower())
        else:
            await talk.rate(person, "vote", answer, value="up")
    assert await scopes(store, ada) == [SERVER]
    assert [said.lower() for said in await seen(talk, await talk.person("eve"))] == [RIGHT.lower()]


async def test_ones_own_votes_votes_against_it_and_those_that_were_taken_back_bear_nothing_out(store: Store) -> None:
    talk = await on_discord(store)
    ada, bob, eve = [await talk.person(name) for name in ("ada", "bob", "eve")]
    await corrected(talk, ada)
    answer = await helped(talk, ada)
    await talk.rate(await talk.person("cem"), "vote", answer, value="down")
    for person in (ada, bob, eve):
        await talk.rate(person, "vote", answer, value="up")
    await talk.rate(bob, "retraction", answer)
    await talk.rate(await talk.person("max"), "vote", answer, value="up")
    assert await scopes(store, ada) == [OWN]


async def test_what_was_taught_where_not_everybody_sees_it_stays_there_until_a_manager_accepts_it(
    store: Store,
) -> None:
    talk, general = await on_discord(store), await on_discord(store, "12:1")
    again = await on_discord(store, "11:2")
    ada, eve = await talk.person("ada"), await talk.person("eve")
    first = await corrected(talk, ada, everybody_sees=False)
    answer = await helped(talk, ada)
    await talk.rate(ada, "correction", first, text=RIGHT, everybody_sees=True)  # an edit in a channel that all see
    for number in range(3):
        friend = await talk.person(f"friend {number}")
        await talk.rate(friend, "vote", answer, value="up")
        await corrected(talk, friend, everybody_sees=False)
    (lesson,) = await store.lessons.of(ada)
    assert (lesson.scope, lesson.place) == (OWN, "server 7, where not everybody sees it")
    assert [await seen(place, ada) for place in (talk, again, general)] == [[RIGHT], [RIGHT], []]
    assert await store.lessons.set_scope(lesson.lesson, SERVER)
    assert await seen(general, eve) == [RIGHT]


async def test_votes_on_another_server_bear_nothing_out(store: Store) -> None:
    talk, other = await on_discord(store), await on_discord(store, "22:1", "8")
    ada = await talk.person("ada")
    await corrected(talk, ada)
    (lesson,) = await store.lessons.of(ada)
    said = await other.say(ada, AGAIN)
    answer = await other.answer(said, lessons=(lesson.lesson,))
    for number in range(4):
        await other.rate(await other.person(f"friend {number}"), "vote", answer, value="up")
    assert await scopes(store, ada) == [OWN]


async def test_a_report_takes_a_lesson_back_from_others_and_a_void_removes_it(store: Store) -> None:
    talk = await on_discord(store)
    ada, bob = await talk.person("ada"), await talk.person("bob", agrees=False)
    first = await corrected(talk, ada)
    await for_all_here(talk, ada)
    await talk.rate(bob, "report", await helped(talk, bob))
    assert await seen(talk, bob) == []
    assert await seen(talk, ada) == [RIGHT]
    await talk.rate(bob, "void", first)
    assert await store.lessons.of(ada) == []


@pytest.mark.parametrize("how", ["decline", "report", "report of one that holds everywhere"])
async def test_what_was_taken_back_is_promoted_by_nobody_but_a_manager(store: Store, how: str) -> None:
    talk = await on_discord(store)
    ada = await talk.person("ada")
    await corrected(talk, ada)
    answer = await helped(talk, ada)
    for number in range(3):
        await talk.rate(await talk.person(f"friend {number}"), "vote", answer, value="up")
    (lesson,) = await store.lessons.of(ada)
    assert lesson.scope == SERVER
    if how == "decline":
        assert await store.lessons.set_scope(lesson.lesson, DECLINED)
    else:
        await store.lessons.set_scope(lesson.lesson, SERVER if how == "report" else EVERYWHERE)
        await talk.rate(await talk.person("eve"), "report", answer)
    await talk.rate(await talk.person("one more"), "vote", answer, value="up")
    for number in range(4):  # nor does the same text come back as other people's correction
        await corrected(talk, await talk.person(f"puppet {number}"))
    assert await scopes(store, ada) == [DECLINED]
    assert await seen(talk, await talk.person("max")) == []
    assert await seen(talk, ada) == [RIGHT]
    assert await store.lessons.set_scope(lesson.lesson, SERVER)
    assert await scopes(store, ada) == [SERVER]


async def test_a_lesson_goes_back_when_those_who_bore_it_out_are_taken_out_but_not_what_a_manager_accepted(
    store: Store,
) -> None:
    talk = await on_discord(store)
    ada, bob = await talk.person("ada"), await talk.person("bob")
    await corrected(talk, bob, "In the Oak room.", "Where is game night?")
    await for_all_here(talk, bob)
    await corrected(talk, ada)
    answer = await helped(talk, ada)
    friends = [await talk.person(f"friend {number}") for number in range(3)]
    for person in friends:
        await talk.rate(person, "vote", answer, value="up")
    assert await scopes(store, ada) == [SERVER]
    async with store.database.write() as session:
        await set_standing(session, friends[0], "void")
    assert (await scopes(store, ada), await scopes(store, bob)) == ([OWN], [SERVER])


async def test_what_was_removed_meanwhile_stays_removed(talk: Talk) -> None:
    ada = await talk.person()
    await corrected(talk, ada)
    (lesson,) = await talk.store.lessons.of(ada)
    assert await talk.store.lessons.set_scope(lesson.lesson, REMOVED)
    assert not await talk.store.lessons.set_scope(lesson.lesson, SERVER)
    assert await talk.store.lessons.of(ada) == []


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


async def labelled(store: Store) -> list[str]:
    """The completions of all rows that are made of votes."""
    found = await collect_rows(store, discord_permission="ticket")
    return [row.data["completion"][0]["content"] for row in found.of("labelled", None)]


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


async def test_a_person_reads_their_lessons_in_what_is_kept_of_them(talk: Talk) -> None:
    ada = await talk.person()
    await corrected(talk, ada)
    kept = await talk.store.kept_of(ada)
    assert [(each["scope"], each["question"], each["answer"]) for each in kept["lessons"]] == [(OWN, ASKED, RIGHT)]
