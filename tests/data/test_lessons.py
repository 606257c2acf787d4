"""What makes a lesson, whose conversations it stands in, and what takes it away again."""

from sqlalchemy import select

from data import schema
from data.lessons import EVERYWHERE, OWN, REMOVED, SERVER
from data.store import Store
from data.times import NO_TIME
from tests.data.talk import Talk
from tests.data.taught import AGAIN, ASKED, RIGHT, corrected, for_all_here, helped, on_discord, seen, text_of


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
    await talk.store.eraser.erase_message("terminal", "m1")
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
    await store.eraser.forget(ada)
    assert await seen(talk, bob) == []
    assert await text_of(store, answer) == ""
    async with store.database.read() as session:
        (lesson,) = (await session.scalars(select(schema.Lesson))).all()
        assert (lesson.author_id, lesson.rating_id, lesson.scope) == (None, None, REMOVED)
        assert lesson.created_at == NO_TIME


async def test_an_answer_keeps_no_text_when_its_lesson_was_erased_meanwhile(talk: Talk) -> None:
    ada = await talk.person()
    said = await talk.say(ada, ASKED, platform_id="m1")
    await talk.rate(ada, "correction", await talk.answer(said), text=RIGHT)
    (lesson,) = await talk.store.lessons.of(ada)
    again = await talk.say(ada, AGAIN)
    await talk.store.eraser.erase_message("terminal", "m1")
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


async def test_what_was_removed_meanwhile_stays_removed(talk: Talk) -> None:
    ada = await talk.person()
    await corrected(talk, ada)
    (lesson,) = await talk.store.lessons.of(ada)
    assert await talk.store.lessons.set_scope(lesson.lesson, REMOVED)
    assert not await talk.store.lessons.set_scope(lesson.lesson, SERVER)
    assert await talk.store.lessons.of(ada) == []


async def test_a_person_reads_their_lessons_in_what_is_kept_of_them(talk: Talk) -> None:
    ada = await talk.person()
    await corrected(talk, ada)
    kept = await talk.store.kept_of(ada)
    assert [(each["scope"], each["question"], each["answer"]) for each in kept["lessons"]] == [(OWN, ASKED, RIGHT)]
