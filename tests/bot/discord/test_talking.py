"""Threads, forum posts, joined messages, files, quotes and answers that go on, with and without Message Content."""

import asyncio

import discord
import pytest
import simcord
from simcord.builders import ChannelHandle

from bot.discord.reading import LARGEST, is_text
from bot.texts import EN
from data import schema
from data.personas import persona
from tests.bot.discord.world import World, eventually, labels, said

QUESTION, ANSWER = "one", "a fake answer"


async def opened(talk: World) -> ChannelHandle:
    """A thread that Ada opened."""
    result = await talk.ada.slash(talk.channel, "chat")
    (thread,) = talk.channel.threads
    assert said(result) == EN.chat_opened.format(thread=f"<#{thread.id}>")
    return thread


# -- threads


async def test_in_a_thread_of_its_own_nobody_needs_to_mention_the_bot_where_it_may_read(reading: World):
    thread = await opened(reading)
    greeting = reading.last(thread).content
    assert greeting == f"{persona('assistant').greeting}\n-# {EN.chat_write}"
    await reading.ada.send(thread, "one")
    await reading.ada.send(thread, "two")
    assert reading.sent() == ["one", ANSWER, "two"]
    await reading.bea.send(thread, "three")
    assert reading.sent() == ["ada: one", ANSWER, "ada: two", ANSWER, "bea: three"]
    assert reading.last(thread).content == ANSWER


async def test_people_who_talk_to_each_other_in_its_thread_are_left_alone(reading: World):
    thread = await opened(reading)
    spoken = await reading.ada.send(thread, "one")
    await reading.bea.send(thread, "I disagree", reply_to=spoken)
    await reading.bea.send(thread, f"what do you think, {reading.max.mention}?")
    await reading.bea.send(thread, "@everyone look")
    await reading.bea.send(reading.channel, "and in the channel nobody asked")
    assert len(reading.fake.requests) == 1


async def test_without_the_intent_it_says_once_per_thread_that_it_cannot_read(talk: World):
    thread = await opened(talk)
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
    assert talk.sent() == ["one", ANSWER, "two"]


async def test_in_a_channel_it_says_once_that_it_cannot_read_a_reply(talk: World):
    await talk.ada.slash(talk.channel, "ask", question="one")
    answer = talk.last()
    for _ in range(2):
        await talk.ada.send(talk.channel, "go on", reply_to=answer)
    assert talk.contents().count(EN.cannot_read) == 1


async def test_a_mention_in_a_forum_post_is_answered_there_with_what_went_before(talk: World):
    forum = talk.guild.create_forum_channel("help")
    backend = talk.env.backend
    channel = backend.create_thread(forum.id, "How do I?", talk.ada.id, broadcast=False)
    backend.announce_thread_create(channel)
    (post,) = forum.threads
    await talk.ada.send(post, f"{talk.me} one")
    await talk.bea.send(post, "I wonder, too")
    await talk.ada.send(post, f"{talk.me} two")
    assert talk.sent() == ["one", ANSWER, "two"]
    assert talk.last(post).content == ANSWER


async def test_managers_let_first_mentions_be_answered_in_threads(talk: World):
    told = await talk.max.slash(talk.channel, "threads", answer="on")
    assert said(told) == EN.threads_on
    await talk.ada.send(talk.channel, f"{talk.me} what is\nthe capital of France? " + "x" * 200)
    (thread,) = talk.channel.threads
    assert thread.name.startswith("what is the capital of France?")
    assert len(thread.name) <= 100
    assert talk.last(thread).content == ANSWER
    await talk.ada.send(thread, f"{talk.me} and of Spain?")
    assert len(talk.sent()) == 3
    await talk.max.slash(talk.channel, "threads", answer="off")
    await talk.ask("here, please")
    assert len(talk.channel.threads) == 1


async def test_only_who_manages_the_channel_is_obeyed(talk: World, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(discord.Interaction, "permissions", discord.Permissions.none())
    assert said(await talk.max.slash(talk.channel, "threads", answer="on")) == EN.managers_only
    await talk.ask("one")
    assert talk.channel.threads == []


async def test_a_thread_that_may_not_be_opened_is_no_reason_not_to_answer(world: World):
    async with simcord.run(world.bot(discord_threads=True), approved_intents=discord.Intents.default()) as env:
        await world.begin(env)
        env.inject_error("POST", "/channels/*/messages/*/threads", status=403)
        assert (await world.ask("one")).content == ANSWER
        env.inject_error("POST", "/channels/*/threads", status=403)
        refused = await world.ada.slash(world.channel, "chat")
        assert said(refused) == EN.chat_refused
        (thread,) = [await opened(world)]
        nested = await world.ada.slash(thread, "chat")
        assert said(nested) == EN.chat_not_here


# -- messages that belong together


async def test_messages_that_wait_together_get_one_answer(talk: World):
    hold = asyncio.Event()
    talk.fake.answer("first ", "answer", hold=hold)
    user, backend = talk.ada.user, talk.env.backend
    sent = [backend.create_message(user.dm_channel.id, user.id, "one")]
    await eventually(lambda: talk.fake.requests)
    for text in ("two", "three", "four"):
        sent.append(backend.create_message(user.dm_channel.id, user.id, text))
        await asyncio.sleep(0.05)
    backend.delete_message(user.dm_channel.id, sent[2].id)
    await asyncio.sleep(0.05)
    hold.set()
    await eventually(lambda: len(talk.fake.requests) == 2)
    await talk.env.settle()
    assert talk.sent() == ["one", "first answer", "two\nfour"]
    assert len(talk.fake.requests) == 2
    rows = [row for row in await talk.rows(schema.MessageRow) if row.role == "user"]
    assert len(rows) == 3  # each is kept by itself, so each can be edited and erased
    for message in (sent[1], sent[3]):
        assert await talk.store.message("discord", str(message.id)) is not None
    assert await talk.store.message("discord", str(sent[2].id)) is None
    assert talk.env.bot.app.running.keys == []  # type: ignore[attr-defined]


async def test_a_question_about_somebody_elses_message_shows_it(reading: World):
    spoken = await reading.bea.send(reading.channel, "The earth is flat.")
    await reading.ada.send(reading.channel, f"{reading.me} is that so?", reply_to=spoken)
    assert reading.sent() == ["bea: The earth is flat.\nada: is that so?"]
    authors = [row.author_id for row in await reading.rows(schema.MessageRow) if row.role == "user"]
    assert authors == [await reading.store.person("discord", str(one.id)) for one in (reading.bea, reading.ada)]


# -- files


async def send_file(talk: World, file: tuple[str, bytes]) -> None:
    user = talk.ada.user
    await user.send_dm("", attachments=talk.env.backend.store_attachments(user.dm_channel.id, [file]))


async def test_text_files_are_read_and_others_are_named(talk: World):
    files = [("notes.txt", b"remember the milk"), ("cat.png", b"\x89PNG")]
    await talk.ada.send(talk.channel, f"{talk.me} summarise", attachments=files)
    assert talk.sent() == ["summarise\n\n[notes.txt]\nremember the milk"]
    assert EN.files_left.format(names="cat.png", kib=LARGEST // 1024) in talk.contents()
    assert talk.last().content == ANSWER


async def test_a_file_alone_is_a_question_in_a_direct_conversation(talk: World):
    await send_file(talk, ("code.py", b"print(1)"))
    assert talk.sent() == ["[code.py]\nprint(1)"]


@pytest.mark.parametrize(
    ("file", "told"),
    [
        (("big.txt", b"x" * (LARGEST + 1)), EN.files_left.format(names="big.txt", kib=LARGEST // 1024)),
        (("odd.txt", b"\xff\xfe\x00\xd8"), EN.file_unreadable.format(name="odd.txt")),
    ],
)
async def test_a_file_that_cannot_be_read_is_a_sentence(talk: World, file: tuple[str, bytes], told: str):
    await send_file(talk, file)
    assert talk.last(talk.ada.user.dm_channel).content == told
    assert talk.fake.requests == []
    assert await talk.rows(schema.MessageRow) == []


def test_what_is_a_text_file():
    assert all(is_text(name, None) for name in ("a.py", "B.MD", "x.yaml", "y.yml"))
    assert is_text("any", "text/plain; charset=utf-8")
    assert not any(is_text(*file) for file in (("a.png", "image/png"), ("a.pdf", "application/pdf"), ("py", None)))


async def test_an_edit_keeps_the_files(talk: World):
    question = await talk.ada.send(talk.channel, f"{talk.me} one", attachments=[("a.txt", b"inside")])
    await talk.ada.edit(question, f"{talk.me} two")
    stored = await talk.store.message("discord", str(question.id))
    assert stored is not None
    assert stored.text == "two\n\n[a.txt]\ninside"


# -- on and on


async def test_an_answer_that_was_cut_off_can_be_continued(talk: World):
    talk.fake.answer("To begin with", finish_reason="length")
    cut = await talk.ask("tell me everything")
    assert labels(cut)[-1] == EN.go_on
    talk.fake.answer("and so on.")
    await talk.bea.click(cut, label=EN.go_on)
    assert talk.last().content == "and so on."
    assert EN.go_on not in labels(talk.last())
    assert talk.sent() == ["ada: tell me everything", "To begin with", f"bea: {EN.go_on_please}"]
    asked = [row for row in await talk.rows(schema.MessageRow) if row.role == "user"]
    assert asked[-1].author_id == await talk.store.person("discord", str(talk.bea.id))


# -- the end


async def test_what_was_said_in_a_deleted_channel_or_thread_is_erased(talk: World):
    thread = await opened(talk)
    other = talk.guild.create_text_channel("other")
    for channel in (thread, talk.channel, other):
        await talk.ada.send(channel, f"{talk.me} in {channel.name}")
    await talk.max.slash(talk.channel, "ask", question="by command")

    async def left() -> set[str]:
        return {row.text for row in await talk.rows(schema.MessageVersion) if row.text and row.text != ANSWER}

    assert await left() == {"in ada", "in general", "in other", "by command"}
    talk.env.backend.delete_channel(thread.id)
    await talk.env.settle()
    assert await left() == {"in general", "in other", "by command"}
    talk.env.backend.delete_channel(talk.channel.id)
    await talk.env.settle()
    assert await left() == {"in other"}


async def test_a_channel_takes_its_archived_threads_along(talk: World):
    thread = await opened(talk)
    await talk.ada.send(thread, f"{talk.me} in the thread")
    assert await talk.store.erase_channel("discord", str(talk.channel.id)) == 2
