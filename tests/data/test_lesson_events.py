"""What ratings do to lessons: other people bear them out, a report takes them back, a manager decides."""

from pathlib import Path

import pytest

from data.lessons import DECLINED, EVERYWHERE, OWN, REMOVED, SERVER
from data.lessons_command import import_faq
from data.standings import set_standing
from data.store import Store, StoredGeneration
from tests.data.talk import Talk
from tests.data.taught import (
    AGAIN,
    ASKED,
    CONFIRMED,
    RIGHT,
    confirmed,
    corrected,
    for_all_here,
    helped,
    on_discord,
    scopes,
    seen,
)

WHEN, BETTER = "Wann ist der Übungsabend?", "Am Freitag um acht, Änderung möglich."


@pytest.mark.played
@pytest.mark.parametrize("how", CONFIRMED)
async def test_three_other_people_make_a_correction_the_servers_lesson(store: Store, how: str) -> None:
    talk = await on_discord(store)
    ada = await talk.person("ada")
    await corrected(talk, ada)
    await confirmed(talk, ada, how)
    assert [said.lower() for said in await seen(talk, await talk.person("eve"))] == [RIGHT.lower()]


@pytest.mark.played
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


@pytest.mark.played
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


@pytest.mark.played
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


@pytest.mark.played
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


async def confirmed_and_accepted(
    store: Store, count: int
) -> tuple[Talk, tuple[int, int], list[int], StoredGeneration]:
    """Ada's lesson, which `count` friends confirm by votes on an answer, and Bob's, which a manager accepts."""
    talk = await on_discord(store)
    ada, bob = await talk.person("ada"), await talk.person("bob")
    await corrected(talk, ada)
    await corrected(talk, bob, "In the Oak room.", "Where is game night?")
    numbers = tuple(each.lesson for each in await store.lessons.every())
    answer = await talk.answer(await talk.say(ada, ASKED), lessons=numbers)
    friends = [await talk.person(f"friend {number}") for number in range(count)]
    for person in friends:
        await talk.rate(person, "vote", answer, value="up")
    await for_all_here(talk, bob)
    return talk, (ada, bob), friends, answer


@pytest.mark.played
@pytest.mark.parametrize("how", ["taken back", "turned", "forgotten"])
async def test_a_vote_that_goes_takes_the_promotion_back_but_not_what_a_manager_accepted(
    store: Store, how: str
) -> None:
    talk, (ada, bob), friends, answer = await confirmed_and_accepted(store, 3)
    assert (await scopes(store, ada), await scopes(store, bob)) == ([SERVER], [SERVER])
    if how == "forgotten":
        await store.eraser.forget(friends[0])
    elif how == "turned":
        await talk.rate(friends[0], "vote", answer, value="down")
    else:
        await talk.rate(friends[0], "retraction", answer)
    assert (await scopes(store, ada), await scopes(store, bob)) == ([OWN], [SERVER])
    await talk.rate(await talk.person("one more"), "vote", answer, value="up")
    assert await scopes(store, ada) == [SERVER]


@pytest.mark.played
@pytest.mark.parametrize("how", ["removed", "edited"])
async def test_a_correction_that_goes_bears_nothing_out_any_more(store: Store, how: str) -> None:
    talk = await on_discord(store)
    people = [await talk.person(name) for name in ("ada", "bob", "cem", "eve")]
    answers = [await corrected(talk, person) for person in people]
    assert await scopes(store, people[0]) == [SERVER]
    if how == "removed":
        (lesson,) = await store.lessons.of(people[3])
        assert await store.lessons.set_scope(lesson.lesson, REMOVED)
    else:
        await talk.rate(people[3], "correction", answers[3], text="On Sunday.", everybody_sees=True)
    assert await scopes(store, people[0]) == [OWN]


@pytest.mark.played
@pytest.mark.parametrize(
    ("asked", "right", "scope"),
    [
        ("WANN  IST\nDER ÜBUNGSABEND? ", "am\u3000FREITAG um acht, ÄNDERUNG MÖGLICH.", SERVER),
        (WHEN, "Am Freitag um neun.", OWN),
        ("Wann ist der Spielabend?", BETTER, OWN),
    ],
)
async def test_the_same_correction_by_three_others_bears_one_out(
    store: Store, asked: str, right: str, scope: str
) -> None:
    talk = await on_discord(store)
    ada = await talk.person("ada")
    people = [(ada, WHEN, BETTER)]
    people += [(await talk.person(name), asked, right) for name in ("bob", "cem", "eve")]
    for person, question, better in people:
        await corrected(talk, person, better, question)
    assert await scopes(store, ada) == [scope]


async def test_a_report_declines_a_correction_of_ones_own_but_no_faq_and_nothing_that_was_removed(
    store: Store, tmp_path: Path
) -> None:
    (tmp_path / "faq.csv").write_text("question,answer\nWho leads?,Mira.\n", encoding="utf-8")
    await import_faq(store, str(tmp_path / "faq.csv"), server="7")
    talk = await on_discord(store)
    ada = await talk.person("ada")
    await corrected(talk, ada)
    await corrected(talk, ada, "In the Oak room.", "Where is game night?")
    numbers = [each.lesson for each in await store.lessons.every()]
    answer = await talk.answer(await talk.say(ada, ASKED), lessons=tuple(numbers))
    await store.lessons.set_scope(numbers[2], REMOVED)
    await talk.rate(await talk.person("eve"), "report", answer)
    assert [(each.lesson, each.scope) for each in await store.lessons.every()] == [
        (numbers[0], SERVER),
        (numbers[1], DECLINED),
    ]


async def test_a_lesson_stays_with_its_server_while_three_others_bear_it_out_or_a_manager_accepted_it(
    store: Store,
) -> None:
    _, (ada, bob), friends, _ = await confirmed_and_accepted(store, 4)
    for person, left in zip(friends, (SERVER, OWN), strict=False):
        async with store.database.write() as session:
            await set_standing(session, person, "void")
        assert (await scopes(store, ada), await scopes(store, bob)) == ([left], [SERVER])


async def test_votes_do_not_narrow_what_holds_everywhere(store: Store) -> None:
    talk = await on_discord(store)
    ada = await talk.person("ada")
    await corrected(talk, ada)
    answer = await helped(talk, ada)
    await store.lessons.set_scope((await store.lessons.of(ada))[0].lesson, EVERYWHERE)
    for number in range(3):
        await talk.rate(await talk.person(f"friend {number}"), "vote", answer, value="up")
    assert await scopes(store, ada) == [EVERYWHERE]


async def test_a_person_whose_ratings_were_taken_out_teaches_themselves_alone(store: Store) -> None:
    talk = await on_discord(store)
    ada, bob = await talk.person("ada"), await talk.person("bob")
    await corrected(talk, ada)
    await for_all_here(talk, ada)
    assert len(await seen(talk, bob)) == 1
    async with store.database.write() as session:
        await set_standing(session, ada, "void")
    assert (len(await seen(talk, ada)), await seen(talk, bob)) == (1, [])


async def test_people_who_correct_the_same_answer_keep_a_lesson_each_about_its_own_question(talk: Talk) -> None:
    ada, bob = await talk.person("ada"), await talk.person("bob")
    (first,) = await talk.ask(ada, "Who leads?", "Mira.")
    answer = await talk.answer(await talk.say(ada, ASKED, parent=first.message), "On Monday.")
    for person in (ada, bob):
        await talk.rate(person, "correction", answer, text=RIGHT)
    found = [(each.author, each.question) for each in await talk.store.lessons.every()]
    assert found == [(ada, ASKED), (bob, ASKED)]
    for person in (ada, bob):
        made = await talk.store.lessons.made_of(answer.generation, person)
        assert made is not None
        assert made.author == person
