"""Moderation on Discord: what people see instead of a text that is not allowed, and that nothing of it is stored."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from bot.moderation.endpoint import Endpoint
from bot.moderation.step import Moderation, our_words
from bot.texts import EN
from data import schema
from tests.bot.discord.world import RATE, World, eventually, labels, playing, said
from tests.fakes.moderation import FakeModeration

pytestmark = pytest.mark.played

SLUR, THREAT, GRIEF = "you faggot", "now kill yourself", "I want to kill myself"


@pytest.fixture
async def moderated(world: World) -> AsyncIterator[World]:
    """The world with people in it, and the word lists that the bot comes with."""
    bot = world.bot()
    bot.app.chat.moderation = bot.app.ratings.moderation = Moderation(our_words())
    async with playing(bot) as env:
        await world.begin(env)
        yield world


@pytest.mark.parametrize(("text", "said"), [(SLUR, EN.moderated_question), (GRIEF, EN.moderated_self_harm)])
async def test_a_flagged_question_gets_a_sentence_and_is_not_kept(moderated: World, text: str, said: str):
    answer = await moderated.ask(text)
    assert (answer.content, labels(answer)) == (said, [])
    assert moderated.fake.requests == []
    assert await moderated.rows(schema.MessageVersion) == []


async def test_commands_and_menus_are_moderated_too(moderated: World):
    asked = await moderated.ada.slash(moderated.channel, "ask", question=GRIEF)
    assert said(asked) == EN.moderated_self_harm
    await moderated.bea.send(moderated.channel, SLUR)
    written = moderated.last()
    menu = await moderated.ada.context_menu(moderated.channel, "Answer this", written)
    assert said(menu) == EN.moderated_question
    assert moderated.fake.requests == []
    assert await moderated.rows(schema.MessageVersion) == []


async def test_privacy_names_a_service_outside(moderated: World, monkeypatch: pytest.MonkeyPatch):
    assert EN.privacy_checked_outside not in said(await moderated.ada.slash(moderated.channel, "privacy"))
    monkeypatch.setattr(moderated.app.settings, "moderation_url", "https://api.example.com/v1")
    assert EN.privacy_checked_outside in said(await moderated.ada.slash(moderated.channel, "privacy"))


async def test_a_question_that_is_edited_into_a_flagged_one_is_erased(moderated: World):
    await moderated.ask("hello")
    question = moderated.channel.history()[0]
    await moderated.ada.edit(question, f"{moderated.me} {SLUR}")
    assert [row.text for row in await moderated.rows(schema.MessageVersion)] == [None, None]


async def test_a_flagged_answer_is_replaced_and_can_only_be_asked_for_again(moderated: World):
    hold = asyncio.Event()
    moderated.fake.answer("Well, ", "now kill ", "yourself.", hold=hold)
    moderated.say_without_waiting("hello")
    await eventually(lambda: moderated.contents()[-1] == "Well, now kill")
    hold.set()
    await eventually(lambda: moderated.contents()[-1] == f"-# {EN.moderated_answer}")
    answer = moderated.last()
    await eventually(lambda: labels(moderated.last()) == ["↻"])
    moderated.fake.answer("Hello!")
    await moderated.ada.click(answer, label="↻")
    assert (moderated.last().content, labels(moderated.last())) == ("Hello!", RATE)
    assert [row.finish_reason for row in await moderated.rows(schema.Generation)] == ["moderated", "stop"]


async def test_nothing_stays_of_an_answer_that_was_several_messages(moderated: World):
    hold = asyncio.Event()
    moderated.fake.answer("A long story. " * 300, "And now kys.", hold=hold)
    moderated.say_without_waiting("hello")
    await eventually(lambda: len(moderated.contents()) == 4)
    hold.set()
    await eventually(lambda: moderated.contents()[1:] == [f"-# {EN.moderated_answer}", "⋯", "⋯"])
    # A reply to any of them continues from the question; the model is not shown the withdrawn text.
    moderated.fake.answer("Gladly.")
    await moderated.ada.send(moderated.channel, "then tell me another", reply_to=moderated.last())
    assert moderated.sent() == ["hello\nthen tell me another"]


async def test_a_flagged_answer_is_not_compared(moderated: World):
    moderated.fake.answer("Well.")
    answer = await moderated.ask("hello")
    moderated.fake.answer(THREAT)
    await moderated.bea.click(answer, label="⚖️")
    assert moderated.contents()[-1] == EN.no_two_answers
    assert not any("kill" in content for content in moderated.contents())


async def test_a_flagged_correction_and_reason_are_not_kept(moderated: World):
    answer = await moderated.ask("hello")
    await moderated.agree(moderated.ada.id)
    window = await moderated.ada.click(answer, label="✏️")
    sent = await moderated.ada.submit_modal(window, {"text": SLUR})
    assert sent.followups[0].content == EN.moderated_rating
    window = await moderated.ada.click(answer, label="👎")
    sent = await moderated.ada.submit_modal(window, {"text": SLUR})
    assert sent.followups[0].content == EN.moderated_rating
    assert [(row.kind, row.text_version_id) for row in await moderated.rows(schema.Rating)] == [("vote", None)]
    assert not any("faggot" in str(row.text) for row in await moderated.rows(schema.MessageVersion))


@pytest.fixture
async def held(world: World) -> AsyncIterator[World]:
    """The world with people in it, and an endpoint that must pass every text."""
    async with FakeModeration({"banana": "violence"}) as fake:
        endpoint = Endpoint(fake.url, model=None, api_key=None, outside=False)
        bot = world.bot()
        bot.app.chat.moderation = bot.app.ratings.moderation = Moderation(endpoint=endpoint, closed=True)
        async with playing(bot) as env:
            await world.begin(env)
            yield world


async def grows(world: World, *pieces: str) -> asyncio.Event:
    """An answer whose first piece has arrived, and is not shown."""
    hold = asyncio.Event()
    world.fake.answer(*pieces, hold=hold)
    world.say_without_waiting("hello")
    await eventually(lambda: world.contents()[-1] == "⋯")
    assert labels(world.last()) != RATE
    return hold


async def test_an_answer_is_shown_whole_when_the_endpoint_has_seen_it(held: World):
    hold = await grows(held, "all ", "well")
    hold.set()
    await eventually(lambda: (held.contents()[1:], labels(held.last())) == (["all well"], RATE))


async def test_nothing_of_an_answer_that_the_endpoint_flags_was_ever_shown(held: World):
    hold = await grows(held, "a ", "banana")
    hold.set()
    await eventually(lambda: held.contents()[1:] == [f"-# {EN.moderated_answer}"])
    assert not any("banana" in str(request.json) for request in held.env.http_requests)


async def test_an_answer_that_is_held_back_can_be_stopped(held: World):
    await grows(held, "half ", "never")
    await held.ada.click(held.last(), custom_id=held.last().components[0].children[0].custom_id)
    await eventually(lambda: held.contents()[1:] == [f"half\n-# {EN.stopped}"])
