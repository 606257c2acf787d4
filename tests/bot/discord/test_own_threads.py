"""The bot's own threads: every message in them is for the bot, and a first mention may open one."""

import discord
import pytest
import simcord

from bot.texts import EN
from data.personas import persona
from tests.bot.discord.world import World, said

pytestmark = pytest.mark.played


async def test_in_a_thread_of_its_own_nobody_needs_to_mention_the_bot_where_it_may_read(reading: World):
    thread = await reading.open_thread()
    greeting = reading.last(thread).content
    assert greeting == f"{persona('assistant').greeting}\n-# {EN.chat_write}"
    await reading.ada.send(thread, "one")
    await reading.ada.send(thread, "two")
    assert reading.sent() == ["one", "a fake answer", "two"]
    await reading.bea.send(thread, "three")
    assert reading.sent() == ["ada: one", "a fake answer", "ada: two", "a fake answer", "bea: three"]
    assert reading.last(thread).content == "a fake answer"


async def test_people_who_talk_to_each_other_in_its_thread_are_left_alone(reading: World):
    thread = await reading.open_thread()
    spoken = await reading.ada.send(thread, "one")
    await reading.bea.send(thread, "I disagree", reply_to=spoken)
    await reading.bea.send(thread, f"what do you think, {reading.max.mention}?")
    await reading.bea.send(thread, "@everyone look")
    await reading.bea.send(reading.channel, "and in the channel nobody asked")
    assert len(reading.fake.requests) == 1


async def test_without_the_intent_it_says_once_per_thread_that_it_cannot_read(talk: World):
    thread = await talk.open_thread()
    assert talk.last(thread).content.endswith(f"-# {EN.chat_mention}")
    await talk.ada.send(thread, "can you read this?")
    assert talk.last(thread).content == EN.cannot_read_thread
    await talk.ada.send(thread, "and this?")
    await talk.env.restart_bot(talk.bot())
    await talk.ada.send(thread, "and now?")
    told = [message for message in thread.history() if message.content == EN.cannot_read_thread]
    assert len(told) == 1
    assert talk.fake.requests == []
    await talk.ada.send(thread, f"{talk.me} one")
    await talk.ada.send(thread, f"{talk.me} two")  # a thread is one conversation
    assert talk.sent() == ["one", "a fake answer", "two"]


async def test_managers_let_first_mentions_be_answered_in_threads(talk: World):
    told = await talk.max.slash(talk.channel, "threads", answer="on")
    assert said(told) == EN.threads_on
    await talk.ada.send(talk.channel, f"{talk.me} what is\nthe capital of France? " + "x" * 200)
    (thread,) = talk.channel.threads
    assert thread.name.startswith("what is the capital of France?")
    assert len(thread.name) <= 100
    assert talk.last(thread).content == "a fake answer"
    await talk.ada.send(thread, f"{talk.me} and of Spain?")
    assert len(talk.sent()) == 3
    await talk.max.slash(talk.channel, "threads", answer="off")
    await talk.ask("here, please")
    assert len(talk.channel.threads) == 1


async def test_only_people_who_manage_the_channel_are_obeyed(talk: World, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(discord.Interaction, "permissions", discord.Permissions.none())
    assert said(await talk.max.slash(talk.channel, "threads", answer="on")) == EN.managers_only
    await talk.ask("one")
    assert talk.channel.threads == []


async def test_the_bot_answers_even_if_it_may_not_open_a_thread(world: World):
    async with simcord.run(world.bot(discord_threads=True), approved_intents=discord.Intents.default()) as env:
        await world.begin(env)
        env.inject_error("POST", "/channels/*/messages/*/threads", status=403)
        assert (await world.ask("one")).content == "a fake answer"
        env.inject_error("POST", "/channels/*/threads", status=403)
        refused = await world.ada.slash(world.channel, "chat")
        assert said(refused) == EN.chat_refused
        thread = await world.open_thread()
        nested = await world.ada.slash(thread, "chat")
        assert said(nested) == EN.chat_not_here
