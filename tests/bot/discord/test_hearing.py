"""Which messages are for the bot, what a question follows, and messages that become one question or come twice."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import discord
import pytest
import simcord
from hypothesis import given
from hypothesis import strategies as st

from bot.discord import addressed
from bot.discord.hearing import JOINED, hear
from bot.discord.reading import LARGEST
from bot.discord.seen import Seen
from bot.texts import EN, ZH
from data import schema
from data.answers import load_answers
from data.chat import rendered_hash
from data.generations import prompt_hash
from tests.bot.discord.world import World, eventually


@pytest.mark.played
async def test_a_reply_continues_with_the_history(talk: World):
    answer = await talk.ask("one")
    await talk.ada.send(talk.channel, "two", reply_to=answer)
    assert talk.sent() == ["one", "a fake answer", "two"]
    await talk.ask("three")  # a new mention begins a new conversation
    assert talk.sent() == ["three"]


@pytest.mark.played
async def test_several_people_in_a_conversation_are_told_apart_by_name_and_in_rows_by_number(talk: World):
    answer = await talk.ask("one")
    await talk.bea.send(talk.channel, "and two?", reply_to=answer)
    assert talk.sent() == ["ada: one", "a fake answer", "bea: and two?"]
    async with talk.store.database.read() as database:
        answers = await load_answers(database)
    assert [m["content"] for m in answers[2].prompt()[1:]] == ["Person 1: one", "a fake answer", "Person 2: and two?"]
    (_, generation) = await talk.rows(schema.Generation)
    async with talk.engine.session() as session:
        given = rendered_hash(answers[2].prompt(), session.template)
    assert generation.rendered_sha256 == prompt_hash(talk.store._key, given)


@pytest.mark.played
async def test_a_direct_conversation_runs_on_without_mentions_and_after_a_restart(talk: World):
    user = talk.ada.user
    await user.send_dm("one")
    await user.send_dm("two")
    assert talk.sent() == ["one", "a fake answer", "two"]
    await talk.env.restart_bot(talk.bot())
    await user.send_dm("three")
    assert talk.sent() == ["one", "a fake answer", "two", "a fake answer", "three"]
    assert len(await talk.rows(schema.Conversation)) == 1


@pytest.mark.played
async def test_bots_everyone_and_talk_among_people_are_left_alone(talk: World):
    guild = talk.env.guild
    robot = guild.add_member(talk.env.create_user("robot", bot=True))
    await robot.send(talk.channel, f"{talk.me} hello")
    await guild.create_webhook(talk.channel).send(f"{talk.me} hello")
    await talk.ada.send(talk.channel, "@everyone hello")
    await talk.ada.send(talk.channel, "hello bea")
    assert talk.fake.requests == []
    assert await talk.rows(schema.MessageRow) == []


@pytest.mark.played
async def test_a_mention_without_a_question_gets_a_greeting(talk: World):
    assert (await talk.ask("")).content == EN.mention_only
    assert talk.fake.requests == []


@pytest.mark.played
async def test_people_mentioned_in_a_question_are_kept_neither_by_id_nor_by_name(talk: World):
    await talk.ask(f"do you know {talk.bea.mention}, {talk.max.mention} and {talk.bea.mention}?")
    (said,) = talk.sent()
    either = ("@someone", "@someone 2")
    assert said in [f"do you know {one}, {other} and {one}?" for one, other in (either, either[::-1])]


@pytest.mark.played
async def test_a_reply_to_an_answer_that_still_grows_follows_the_whole_answer(talk: World):
    hold = asyncio.Event()
    talk.fake.answer("half ", "and whole", hold=hold)
    talk.say_without_waiting("one")
    await eventually(lambda: talk.contents()[-1] == "half")
    growing = talk.last()
    reference = {"channel_id": str(talk.channel.id), "message_id": str(growing.id)}
    backend = talk.env.backend
    reference = backend.normalize_message_reference(talk.channel.id, reference)
    backend.create_message(talk.channel.id, talk.bea.id, "go on", reference=reference)
    hold.set()
    await talk.env.settle()
    assert talk.sent() == ["ada: one", "half and whole", "bea: go on"]


@pytest.mark.played
async def test_the_bots_language_is_the_operators(world: World):
    async with simcord.run(world.bot(language="zh"), approved_intents=discord.Intents.default()) as env:
        await world.begin(env)
        assert (await world.ask("")).content == ZH.mention_only


@pytest.mark.played
async def test_in_a_channel_it_says_once_that_it_cannot_read_a_reply(talk: World):
    await talk.ada.slash(talk.channel, "ask", question="one")
    answer = talk.last()
    for _ in range(2):
        await talk.ada.send(talk.channel, "go on", reply_to=answer)
    assert talk.contents().count(EN.cannot_read) == 1


@pytest.mark.played
async def test_a_mention_in_a_forum_post_is_answered_there_with_what_went_before(talk: World):
    forum = talk.guild.create_forum_channel("help")
    backend = talk.env.backend
    channel = backend.create_thread(forum.id, "How do I?", talk.ada.id, broadcast=False)
    backend.announce_thread_create(channel)
    (post,) = forum.threads
    await talk.ada.send(post, f"{talk.me} one")
    await talk.bea.send(post, "I wonder, too")
    await talk.ada.send(post, f"{talk.me} two")
    assert talk.sent() == ["one", "a fake answer", "two"]
    assert talk.last(post).content == "a fake answer"


@pytest.mark.played
async def test_a_question_about_somebody_elses_message_shows_it(reading: World):
    spoken = await reading.bea.send(reading.channel, "The earth is flat.")
    await reading.ada.send(reading.channel, f"{reading.me} is that so?", reply_to=spoken)
    assert reading.sent() == ["bea: The earth is flat.\nada: is that so?"]
    authors = [row.author_id for row in await reading.rows(schema.MessageRow) if row.role == "user"]
    assert authors == [await reading.store.person("discord", str(one.id)) for one in (reading.bea, reading.ada)]


@asynccontextmanager
async def busy(talk: World) -> AsyncIterator[None]:
    """An answer to Ada's direct message runs until the block ends, so what she writes meanwhile waits."""
    hold = asyncio.Event()
    talk.fake.answer("first ", "answer", hold=hold)
    talk.env.backend.create_message(talk.ada.user.dm_channel.id, talk.ada.user.id, "zero")
    await eventually(lambda: talk.fake.requests)
    yield
    hold.set()
    await talk.env.settle()


async def waits(talk: World, text: str, files: Sequence[tuple[str, bytes]] = ()) -> int:
    """Another direct message of Ada's, which the bot has heard; returns its id."""
    channel, backend = talk.ada.user.dm_channel.id, talk.env.backend
    attachments = backend.store_attachments(channel, list(files))
    message = backend.create_message(channel, talk.ada.user.id, text, attachments=attachments)
    await eventually(lambda: str(message.id) in talk.app.running.keys)
    return int(message.id)


@pytest.mark.played
async def test_messages_that_wait_together_get_one_answer(talk: World):
    async with busy(talk):
        sent = [await waits(talk, text) for text in ("one", "two", "three")]
        waiting = talk.app.waiting.last_in(talk.ada.user.dm_channel.id)
        talk.env.backend.delete_message(talk.ada.user.dm_channel.id, sent[1])
        await eventually(lambda: len(waiting.messages) == 2)
    assert talk.sent() == ["zero", "first answer", "one\nthree"]
    assert len(talk.fake.requests) == 2
    rows = [row for row in await talk.rows(schema.MessageRow) if row.role == "user"]
    assert len(rows) == 3  # each is stored alone, so each can be edited and erased
    kept = [await talk.store.message("discord", str(message)) is not None for message in sent]
    assert kept == [True, False, True]
    assert talk.app.running.keys == []


@pytest.mark.played
async def test_the_number_of_messages_in_one_question_is_limited(talk: World):
    async with busy(talk):
        for number in range(JOINED + 2):
            await waits(talk, f"{number}")
    assert len(talk.fake.requests) == 3
    assert talk.sent(1)[-1] == "\n".join(map(str, range(JOINED)))
    assert talk.sent(2)[-1] == f"{JOINED}\n{JOINED + 1}"


@pytest.mark.played
async def test_files_that_are_too_large_together_do_not_become_one_question(talk: World):
    async with busy(talk):
        for name in ("a.txt", "b.txt"):
            await waits(talk, name, [(name, b"word " * (LARGEST // 8))])
    asked = await talk.rows(schema.Generation)
    answered = talk.ada.user.dm_channel.history()
    assert len(asked) + sum("too long" in message.content for message in answered) == 3


@given(st.lists(st.integers(0, 20)), st.integers(1, 8))
def test_an_id_is_new_only_once_while_it_is_remembered(ids: list[int], last: int):
    seen, told = Seen(last), []
    for number in ids:
        recent = list(dict.fromkeys(reversed(told)))[:last]
        assert seen.first(number) == (number not in recent)
        if number not in recent:
            told.append(number)


async def heard_again(talk: World, number: int) -> None:
    """Discord sends the n-th message of the channel once more."""
    channel: Any = talk.env.bot.get_channel(talk.channel.id)
    await hear(talk.app, await channel.fetch_message(talk.channel.history()[number].id))


@pytest.mark.played
async def test_a_message_that_comes_twice_is_answered_once(talk: World):
    await talk.ask("hello")
    await talk.ask("")
    before = talk.contents()
    for number in (0, 2):
        await heard_again(talk, number)
    assert talk.contents() == before
    assert len(talk.fake.requests) == 1


@pytest.mark.played
async def test_a_message_that_was_answered_before_a_restart_is_not_answered_again(talk: World):
    await talk.ask("hello")
    before = talk.contents()
    await talk.env.restart_bot(talk.bot())
    await heard_again(talk, 0)
    assert talk.contents() == before
    assert len(await talk.rows(schema.Generation)) == 1


@pytest.mark.played
async def test_a_question_that_a_dead_process_left_open_is_answered_and_kept_once(talk: World):
    talk.fake.fail(400, message="no")
    await talk.ask("hello")
    assert await talk.rows(schema.Generation) == []
    await talk.env.restart_bot(talk.bot())
    await heard_again(talk, 0)
    assert talk.last().content == "a fake answer"
    assert [row.role for row in await talk.rows(schema.MessageRow)] == ["user", "assistant"]


@pytest.mark.played
async def test_a_mention_added_by_an_edit_is_answered_once(talk: World):
    message = await talk.ada.send(talk.channel, "what is 7 + 8?")
    await talk.ada.edit(message, f"{talk.me} what is 7 + 8?")
    assert talk.sent() == ["what is 7 + 8?"]
    assert talk.last().reference.message_id == message.id
    await talk.ada.edit(message, f"{talk.me} what is 7 + 9?")
    assert len(talk.fake.requests) == 1
    await talk.env.restart_bot(talk.bot())
    await talk.ada.edit(message, f"{talk.me} what is 7 + 10?")
    assert len(talk.fake.requests) == 1


@pytest.mark.played
async def test_an_edit_of_what_mentioned_the_bot_before_asks_nothing_anew(talk: World):
    talk.fake.fail(400, message="no")
    message = await talk.ada.send(talk.channel, f"{talk.me} what is 7 + 8?")
    await talk.ada.edit(message, f"{talk.me} what is 7 + 9?")
    assert len(talk.fake.requests) == 1
    assert await talk.rows(schema.Generation) == []


@pytest.mark.played
async def test_an_edit_without_a_mention_and_one_of_an_old_message_ask_nothing(
    reading: World, monkeypatch: pytest.MonkeyPatch
):
    message = await reading.ada.send(reading.channel, "what is 7 + 8?")
    await reading.ada.edit(message, "what is 7 + 9?")
    monkeypatch.setattr(addressed, "LATE", timedelta(0))
    await reading.env.advance_time(5)
    await reading.ada.edit(message, f"{reading.me} what is 7 + 9?")
    assert reading.fake.requests == []


def own_role(talk: World) -> str:
    """The mention of a role like the one that Discord gives to every bot."""
    made = talk.guild.create_role("parley")
    guild = talk.env.bot.get_guild(talk.guild.id)
    role = guild.get_role(made.id) if guild else None
    assert role is not None
    assert talk.env.bot.user is not None
    role.managed, role.tags = True, discord.RoleTags({"bot_id": str(talk.env.bot.user.id)})
    return str(made.mention)


@pytest.mark.played
async def test_a_mention_of_the_bots_own_role_is_for_the_bot(reading: World):
    role = own_role(reading)
    await reading.ada.send(reading.channel, f"{role} what would {role} say?")
    assert reading.sent() == ["what would @TestBot say?"]
    other = reading.guild.create_role("cooks").mention
    await reading.ada.send(reading.channel, f"{other} what would you say?")
    assert len(reading.fake.requests) == 1


@pytest.mark.played
async def test_a_mention_of_its_role_that_it_may_not_read_is_told_so(talk: World):
    await talk.ada.send(talk.channel, f"{own_role(talk)} what is 2 + 3?")
    assert talk.sent() == ["what is 2 + 3?"] if talk.fake.requests else talk.contents()[-1] == EN.cannot_read


@pytest.mark.played
async def test_a_mention_of_the_role_that_an_edit_adds_is_answered(reading: World):
    role = own_role(reading)
    message = await reading.ada.send(reading.channel, "what is 2 + 3?")
    await reading.ada.edit(message, f"{role} what is 2 + 3?")
    assert reading.sent() == ["what is 2 + 3?"]
