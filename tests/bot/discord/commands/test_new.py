"""`/new` begins a conversation anew where there is one, and says how where there is none."""

import asyncio

import pytest

from bot.conversation import Limits
from bot.texts import EN
from data import schema
from tests.bot.discord.world import World, eventually, reply_of, said

pytestmark = pytest.mark.played


async def test_direct_messages_begin_anew(talk: World):
    user = talk.env.create_user("dora")
    await user.send_dm("one")
    told = await user.slash("new")
    assert (said(told), told.response.flags.ephemeral) == (EN.anew_begun, False)
    await user.send_dm("two")
    assert talk.sent() == ["two"]
    await user.send_dm("three")
    assert talk.sent() == ["two", "a fake answer", "three"]
    assert len(await talk.rows(schema.Conversation)) == 2
    assert len(await talk.rows(schema.MessageRow)) == 6  # nothing is erased


async def test_a_thread_begins_anew_for_everybody_and_a_reply_continues_the_old_conversation(reading: World):
    thread = await reading.open_thread()
    await reading.ada.send(thread, "one")
    old = reading.last(thread)
    await reading.bea.slash(thread, "new")
    await reading.ada.send(thread, "two")
    assert reading.sent() == ["two"]
    await reading.bea.send(thread, "three")
    assert reading.sent() == ["ada: two", "a fake answer", "bea: three"]
    await reading.ada.send(thread, "four", reply_to=old)
    assert reading.sent() == ["one", "a fake answer", "four"]
    await reading.ada.send(thread, "five")  # follows the newest answer, as ever
    assert reading.sent() == ["one", "a fake answer", "four", "a fake answer", "five"]


async def test_another_channel_is_left_alone(reading: World):
    thread = await reading.open_thread()
    await reading.ada.send(thread, "one")
    await reading.ada.slash(reading.channel, "chat")
    other = next(each for each in reading.channel.threads if each.id != thread.id)
    await reading.ada.send(other, "here")
    await reading.ada.slash(other, "new")
    await reading.ada.send(thread, "two")
    assert reading.sent() == ["one", "a fake answer", "two"]


async def test_it_holds_after_a_restart_and_is_forgotten_with_the_server(reading: World):
    thread = await reading.open_thread()
    await reading.ada.send(thread, "one")
    await reading.ada.slash(thread, "new")
    await reading.env.restart_bot(reading.bot(discord_message_content=True))
    await reading.ada.send(thread, "two")
    assert reading.sent() == ["two"]
    (kept,) = [row for row in await reading.rows(schema.Setting) if row.key == "began_anew"]
    assert kept.server == str(reading.guild.id)


async def test_where_there_is_nothing_to_leave_behind_it_says_so(talk: World):
    told = await talk.ada.slash(talk.channel, "new")
    assert said(told) == EN.anew_replies
    thread = await talk.open_thread()
    told = await talk.ada.slash(thread, "new")
    assert told.followups[-1].content == EN.anew_nothing
    await talk.ada.send(thread, f"{talk.me} one")
    assert said(await talk.ada.slash(thread, "new")) == EN.anew_begun
    told = await talk.ada.slash(thread, "new")
    assert told.followups[-1].content == EN.anew_nothing


async def test_an_answer_that_still_grows_belongs_to_the_old_conversation(reading: World):
    thread = await reading.open_thread()
    hold = asyncio.Event()
    reading.fake.answer("half ", "and whole", hold=hold)
    reading.env.backend.create_message(thread.id, reading.ada.id, "one")
    await eventually(lambda: reading.last(thread).content == "half")
    asking = asyncio.create_task(reading.ada.slash(thread, "new"))
    await eventually(lambda: EN.anew_begun in [message.content for message in thread.history()])
    reading.env.backend.create_message(thread.id, reading.ada.id, "two")
    await eventually(lambda: reading.last(thread).content.startswith("⏳"))
    hold.set()
    await asking
    await reading.env.settle()
    assert reading.sent() == ["two"]


async def test_a_question_that_waits_is_not_joined_after_it(reading: World):
    thread = await reading.open_thread()
    hold = asyncio.Event()
    reading.fake.answer("half ", "and whole", hold=hold)
    reading.env.backend.create_message(thread.id, reading.ada.id, "one")
    await eventually(lambda: reading.last(thread).content == "half")
    reading.env.backend.create_message(thread.id, reading.ada.id, "two")
    await eventually(lambda: reading.last(thread).content.startswith("⏳"))
    asking = asyncio.create_task(reading.ada.slash(thread, "new"))
    await eventually(lambda: EN.anew_begun in [message.content for message in thread.history()])
    reading.env.backend.create_message(thread.id, reading.ada.id, "three")
    await eventually(lambda: reading.last(thread).content.startswith("⏳"))
    hold.set()
    await asking
    await reading.env.settle()
    assert reading.sent(-2) == ["one", "half and whole", "two"]
    assert reading.sent() == ["three"]


async def test_blocked_people_begin_nothing(reading: World):
    thread = await reading.open_thread()
    await reading.ada.send(thread, "one")
    await reading.max.slash(reading.channel, "access block", who=reading.ada)
    told = await reading.ada.slash(thread, "new")
    assert told.followups[-1].content == EN.access_person


async def test_a_conversation_that_is_stuck_offers_it(reading: World):
    thread = await reading.open_thread()
    await reading.ada.send(thread, "one")
    reading.fake.context = 100
    await reading.ada.send(thread, "word " * 300)
    assert reading.last(thread).content.endswith(EN.anew_offer)


async def test_the_button_below_a_question_that_is_gone_begins_anew(reading: World):
    thread = await reading.open_thread()
    spoken = await reading.ada.send(thread, "one")
    answer = reading.last(thread)
    await reading.store.eraser.erase_message("discord", str(spoken.id))
    await reading.ada.send(thread, "two")
    told = reply_of(await reading.ada.click(answer, label="↻"))
    assert told.content == EN.question_gone
    begun = reply_of(await reading.ada.click(told, label=EN.anew))
    assert (begun.content, begun.flags.ephemeral) == (EN.anew_begun, False)
    await reading.ada.send(thread, "three")
    assert reading.sent() == ["three"]


async def test_a_first_message_that_is_too_long_offers_nothing(reading: World):
    thread = await reading.open_thread()
    await reading.env.restart_bot(reading.bot(discord_message_content=True, limits=Limits(history_tokens=200)))
    await reading.ada.send(thread, "word " * 300)
    assert reading.last(thread).content.startswith("This message is too long")
    assert EN.anew_offer not in reading.last(thread).content
    await reading.ada.send(thread, "one")
    await reading.ada.send(thread, "word " * 300)
    assert reading.last(thread).content.endswith(EN.anew_offer)
