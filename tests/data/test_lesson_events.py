"""What ratings do to lessons: which corrections say the same, and what a report or a vote leaves as it is."""

from pathlib import Path

import pytest

from data.lessons import DECLINED, EVERYWHERE, OWN, REMOVED, SERVER
from data.lessons_command import import_faq
from data.standings import set_standing
from data.store import Store
from tests.data.talk import Talk
from tests.data.test_lessons import corrected, for_all_here, helped, on_discord, scopes, seen

ASKED, RIGHT = "Wann ist der Übungsabend?", "Am Freitag um acht, Änderung möglich."


@pytest.mark.parametrize(
    ("asked", "right", "scope"),
    [
        ("WANN  IST\nDER ÜBUNGSABEND? ", "am\u3000FREITAG um acht, ÄNDERUNG MÖGLICH.", SERVER),
        (ASKED, "Am Freitag um neun.", OWN),
        ("Wann ist der Spielabend?", RIGHT, OWN),
    ],
)
async def test_the_same_correction_by_three_others_bears_one_out(
    store: Store, asked: str, right: str, scope: str
) -> None:
    server = await store.server("discord", "7")
    await store.set_may_teach("discord", "7", True)
    talk = await Talk.begin(store, "discord", "11:1", server=server)
    ada = await talk.person("ada")
    people = [(ada, ASKED, RIGHT)]
    people += [(await talk.person(name), asked, right) for name in ("bob", "cem", "eve")]
    for person, question, better in people:
        (answer,) = await talk.ask(person, question, "On Monday.")
        await talk.rate(person, "correction", answer, text=better, everybody_sees=True)
    assert [lesson.scope for lesson in await store.lessons.of(ada)] == [scope]


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
    talk = await on_discord(store)
    ada, bob = await talk.person("ada"), await talk.person("bob")
    await corrected(talk, ada)
    await corrected(talk, bob, "In the Oak room.", "Where is game night?")
    numbers = tuple(each.lesson for each in await store.lessons.every())
    answer = await talk.answer(await talk.say(ada, ASKED), lessons=numbers)
    friends = [await talk.person(f"friend {number}") for number in range(4)]
    for person in friends:
        await talk.rate(person, "vote", answer, value="up")
    await for_all_here(talk, bob)
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
