"""The terminal chat inside the test's process: what is typed, and what is written."""

import pytest

from bot.conversation import Chat, Limits
from bot.engine.api import Engine
from bot.engine.open import open_engine
from bot.texts import EN
from data import schema
from data.imports import collect_rows
from data.personas import persona
from data.store import Store
from data.user import user_here
from tests.bot.terminal.world import World
from tests.fakes.engine import FakeEngine


@pytest.fixture
def world(installed: tuple[Store, FakeEngine, Engine]) -> World:
    store, fake, engine = installed
    return World(store, fake, Chat(store, engine))


# -- commands


async def test_the_start_says_who_answers_and_how_to_go_to_discord(world: World):
    written = await world.enter("/quit")
    assert EN.serving_base in written
    assert EN.to_discord in written
    assert persona("assistant").greeting in written
    assert EN.to_discord not in await world.enter("/quit", discord_token="x")


async def test_stats_say_what_was_taught_and_how_far_it_is_to_a_verdict(world: World):
    written = await world.enter("/consent yes", "y", "hello", "/up", "/stats")
    assert EN.stats_everywhere.format(counts="👍 1, 👎 0, ✏️ 0, ⚖️ 0", people=1) in written
    assert "0 of 8 thumbs of each direction" in written
    assert "Next: " in written


async def test_forget_names_the_command_that_erases_what_this_person_said(world: World):
    written = await world.enter("hello", "/forget")
    name = written.partition("python -m data forget ")[2].split()[0]
    (person,) = await world.rows(schema.Person)
    assert await world.store.person_named(name) == person.id


async def test_an_unknown_command_names_the_nearest_and_is_not_said_to_the_model(world: World):
    assert "There is no command /upp. Did you mean /up?" in await world.enter("/upp")
    assert "There is no command /xyzzy. " + EN.for_help in await world.enter("/xyzzy")
    assert world.fake.requests == []


async def test_a_first_rating_at_a_keyboard_asks_and_a_no_keeps_nothing(world: World):
    written = await world.enter("hello", "/up", "n", "/up")
    assert EN.consent_question.format(days=30) in written
    assert world.prompts.count(EN.ask_consent) == 1  # a person who said no is not asked at every rating
    assert EN.consent_refused in written
    assert EN.consent_first in written
    assert await world.rows(schema.Rating) == []


async def test_a_first_rating_at_a_keyboard_is_stored_after_a_yes(world: World):
    written = await world.enter("hello", "/down too vague", "y", "n", "/down too vague")
    assert EN.stored_down in written
    ratings = await world.rows(schema.Rating)
    assert [rating.value for rating in ratings] == ["down", "down"]
    assert len({rating.source_id for rating in ratings}) == 2


async def test_a_persona_begins_a_new_conversation_with_its_prompt(world: World):
    written = await world.enter("one", "/persona", "/persona tutr", "/persona tutor", "/up", "two")
    assert "Did you mean 'tutor'?" in written
    assert persona("tutor").greeting in written
    assert EN.nothing_to_rate in written
    first, second = world.fake.requests
    assert second["messages"] == [
        {"role": "system", "content": persona("tutor").system_prompt},
        {"role": "user", "content": "two"},
    ]
    assert first["messages"][0]["content"] == persona("assistant").system_prompt
    assert [row.persona for row in await world.rows(schema.Conversation)] == ["assistant", "tutor"]


async def test_again_asks_which_is_better_and_continues_from_it(world: World):
    world.fake.answer("answer a")
    world.fake.answer("answer b")
    await world.store.set_consent(await world.store.person("terminal", user_here()), True)
    await world.enter("hello", "/again", "a", "go on")
    (rating,) = await world.rows(schema.Rating)
    assert (rating.kind, rating.value, rating.generation_id, rating.other_id) == ("comparison", "a", 1, 2)
    assert [m["content"] for m in world.fake.requests[-1]["messages"][1:]] == ["hello", "answer a", "go on"]


async def test_an_engine_that_fails_gives_a_sentence_and_the_chat_goes_on(world: World):
    world.fake.fail(400, message="no")
    written = await world.enter("hello", "/up", "again")
    assert EN.nothing_to_rate in written
    assert "a fake answer" in written
    # the question that was not answered is not part of the next one's context
    assert [m["content"] for m in world.fake.requests[-1]["messages"][1:]] == ["again"]


async def test_a_new_champion_is_announced_when_it_answers(world: World):
    world.fake.model = "release-0007"
    engine = await open_engine(world.store.database.path.parent, url=world.fake.url)
    world.chat = Chat(world.store, engine)
    assert EN.serving.format(release=7) in await world.enter("/quit")
    await engine.close()


async def test_a_withdrawal_and_a_retraction(world: World):
    written = await world.enter(
        "/consent yes", "y", "hello", "/up", "/retract", "/retract", "/consent no", "/consent maybe"
    )
    assert EN.stored_retraction in written
    assert EN.nothing_to_retract in written
    assert EN.consent_usage.format(consent=EN.no) in written
    assert [rating.kind for rating in await world.rows(schema.Rating)] == ["vote", "retraction"]


@pytest.mark.played
async def test_a_fresh_yes_begins_a_conversation_that_the_consent_covers_whole(world: World):
    await world.enter(
        "before", "/consent yes", "y", "y", "after", "/correct better", "/consent yes", "and more", "/up"
    )
    rows_of = [conversation.id for conversation in await world.rows(schema.Conversation)]
    assert len(rows_of) == 2  # a second yes changes nothing
    collected = await collect_rows(world.store, discord_permission=None)
    (demonstration,) = collected.of("demonstration")
    assert [m["content"] for m in demonstration.messages if m["role"] == "user"] == ["after"]
    (labelled,) = collected.of("labelled")
    assert [m["content"] for m in labelled.messages if m["role"] == "user"] == ["after", "and more"]


async def test_a_yes_after_the_first_answer_offers_a_new_conversation_and_a_no_stays_in_this_one(world: World):
    await world.enter("before", "/up", "maybe", "Yes", "perhaps", "no", "after")
    assert world.prompts.count(EN.ask_consent) == 2
    assert world.prompts.count(EN.ask_new) == 2
    assert [m["content"] for m in world.fake.requests[-1]["messages"][1:]] == ["before", "a fake answer", "after"]


async def test_a_question_about_consent_that_was_not_answered_records_nothing(world: World):
    await world.enter("hello", "/up", "what?", "/quit")
    assert await world.rows(schema.Consent) == []


async def test_new_begins_a_conversation_without_what_was_said(world: World):
    written = await world.enter("one", "/new", "/up", "two")
    assert EN.begun_anew in written
    assert EN.nothing_to_rate in written
    assert [m["content"] for m in world.fake.requests[-1]["messages"][1:]] == ["two"]


async def test_a_conversation_that_is_stuck_offers_a_new_one(world: World):
    world.chat = Chat(world.store, world.chat.engine, limits=Limits(history_tokens=200))
    written = await world.enter("one", "word " * 300)
    assert EN.anew_offer in written


async def test_a_correction_of_several_lines_ends_with_a_dot(world: World):
    await world.store.set_consent(await world.store.person("terminal", user_here()), True)
    written = await world.enter(
        "hello", "/correct", "First line.", "", "  /up is not a command here", ".", "/correct", "."
    )
    assert EN.correction_lines in written
    assert EN.correction_empty in written
    (rating,) = await world.rows(schema.Rating)
    (text,) = [row.text for row in await world.rows(schema.MessageVersion) if row.id == rating.text_version_id]
    assert text == "First line.\n\n  /up is not a command here"


# -- lessons


@pytest.mark.played
async def test_a_correction_is_listed_seen_changed_and_removed(world: World):
    asked = "When is game night?"
    written = await world.enter("/lessons", "/consent yes", "y", asked, "/correct On Friday.", "/lessons")
    assert EN.lessons_none in written
    assert "1. When is game night? → On Friday." in written
    await world.enter("What day is game night?")
    assert world.fake.requests[-1]["messages"][-1]["content"] == "What day is game night?\n(On Friday.)"
    written = await world.enter("/lessons edit 1 On Sunday.", "/lessons")
    assert "2. When is game night? → On Sunday." in written
    written = await world.enter("/lessons remove 1", "/lessons remove 2", "/lessons")
    assert EN.lesson_gone.format(number=1) in written
    assert EN.lesson_removed.format(number=2) in written
    assert EN.lessons_none in written


@pytest.mark.played
async def test_again_after_a_correction_says_why_the_answers_are_not_compared(world: World):
    written = await world.enter("/consent yes", "y", "When is game night?", "/correct On Friday.", "/again")
    assert EN.stored_correction in written
    assert EN.with_correction in written
    assert EN.not_comparable_taught in written
    assert EN.not_comparable not in written
