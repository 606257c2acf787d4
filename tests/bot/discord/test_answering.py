"""A question's answer as people see it: streamed, in several messages, broken off, and recorded."""

import asyncio

import discord
import pytest
import simcord

from bot.texts import EN
from data import schema
from tests.bot.discord.world import RATE, World, eventually, labels

pytestmark = pytest.mark.played


async def test_a_mention_is_answered_with_a_streamed_reply(talk: World):
    talk.fake.answer("The capital ", "is ", "Paris.", delay=0.02)
    answer = await talk.ask("What is the capital of France?")
    assert answer.content == "The capital is Paris."
    assert answer.reference is not None
    assert labels(answer) == RATE
    assert talk.sent() == ["What is the capital of France?"]
    assert len(talk.channel.history()) == 2
    edits = [r for r in talk.env.http_requests if r.method == "PATCH"]
    assert edits  # it grew


async def test_answers_are_recorded_as_in_the_terminal(talk: World):
    answer = await talk.ask("hello")
    (generation,) = await talk.rows(schema.Generation)
    assert (generation.platform, generation.finish_reason, generation.release) == ("discord", "stop", 0)
    stored = await talk.store.shown("discord", str(answer.id))
    assert stored is not None
    assert stored.text == answer.content
    assert [turn.text for turn in await talk.store.path(stored.message)] == ["hello", "a fake answer"]


async def test_edits_keep_their_pace_and_the_last_text_always_arrives(world: World):
    pieces = [f"word{number} " for number in range(60)]
    world.fake.answer(*pieces, delay=0.01)
    bot = world.bot(seconds_per_edit=0.25)
    async with simcord.run(bot, approved_intents=discord.Intents.default()) as env:
        await world.begin(env)
        answer = await world.ask("count")
        assert answer.content == "".join(pieces).strip()
        assert labels(answer) == RATE
        edits = [
            str(r.json["content"]) for r in env.http_requests if r.method == "PATCH" and isinstance(r.json, dict)
        ]
        assert 1 <= len(edits) < 30
        assert edits == sorted(edits, key=len)  # each shows more than the one before


async def test_nobody_is_pinged_by_an_answer(talk: World):
    talk.fake.answer(f"@everyone look, {talk.bea.mention}!")
    answer = await talk.ask("ping")
    assert "@everyone" in answer.content
    assert not answer.mention_everyone
    said = [r for r in talk.env.http_requests if r.method in ("POST", "PATCH") and r.path.startswith("/channels/")]
    with_text = [r.json for r in said if isinstance(r.json, dict) and r.json.get("content")]
    assert with_text
    assert all(body["allowed_mentions"]["parse"] == [] for body in with_text)
    assert not any(body["allowed_mentions"].get("replied_user") for body in with_text)


async def test_a_long_answer_becomes_several_messages_with_the_buttons_on_the_last(talk: World):
    code = "".join(f"line_{number} = {number}\n" for number in range(400))
    pieces = ["Here it is:\n```python\n", *(code[i : i + 400] for i in range(0, len(code), 400)), "```\nDone."]
    talk.fake.answer(*pieces, delay=0.01)
    await talk.ask("write much")
    said = talk.channel.history()[1:]
    assert len(said) >= 3
    assert all(len(message.content) <= 2000 for message in said)
    assert all(message.content.count("```") == 2 for message in said)
    assert [bool(labels(message)) for message in said] == [False] * (len(said) - 1) + [True]
    (generation,) = await talk.rows(schema.Generation)
    for message in said:  # a reply to any part continues from the whole answer
        stored = await talk.store.shown("discord", str(message.id))
        assert stored is not None
        assert stored.generation == generation.id


async def test_a_failing_engine_gives_a_sentence_in_the_channel(talk: World):
    talk.fake.fail(400, message="no")
    answer = await talk.ask("hello")
    assert "Traceback" not in answer.content
    assert answer.content
    assert labels(answer) == []
    assert await talk.rows(schema.Generation) == []


async def test_an_engine_that_breaks_off_leaves_what_was_said_and_a_sentence(talk: World):
    talk.fake.drop("half an answer", "", after=1)
    answer = await talk.ask("hello")
    assert answer.content.startswith("half an answer\n-# (The answer broke off: ")
    (generation,) = await talk.rows(schema.Generation)
    assert generation.finish_reason == "error"


async def test_an_edit_that_failed_is_made_up_for_at_the_end(talk: World):
    talk.env.inject_error("PATCH", "/channels/*/messages/*", status=500)
    talk.fake.answer("one ", "two ", "three", delay=0.05)
    answer = await talk.ask("count")
    assert answer.content == "one two three"
    assert labels(answer) == RATE


async def test_a_second_question_waits_and_says_so(talk: World):
    hold = asyncio.Event()
    talk.fake.answer("first ", "done", hold=hold)
    talk.say_without_waiting("one")
    await eventually(lambda: talk.contents()[-1] == "first")
    talk.say_without_waiting("two")
    await eventually(lambda: talk.contents()[-1] == "⏳ " + EN.waiting.format(ahead=1))
    hold.set()
    await talk.env.settle()
    assert talk.contents()[1::2] == ["first done", "a fake answer"]
    assert talk.sent() == ["two"]
