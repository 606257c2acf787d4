"""Messages that are edited or deleted, channels that are deleted, and people who want to be forgotten."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import discord
import pytest
from sqlalchemy import select

from bot.answers import Ask
from bot.moderation.endpoint import EndpointFailed
from bot.moderation.step import Moderation, our_words
from data import schema
from data.personas import persona
from data.store import StoredMessage
from tests.bot.discord.test_hearing import waits
from tests.bot.discord.test_interrupted import restart_dead
from tests.bot.discord.world import World, eventually

pytestmark = pytest.mark.played


async def test_deleting_a_message_erases_its_text_and_what_was_made_of_it(talk: World):
    await talk.ask("a secret")
    question, answer = talk.channel.history()
    await talk.ada.delete(question)
    texts = [version.text for version in await talk.rows(schema.MessageVersion)]
    assert texts == [None, None]
    assert await talk.store.message("discord", str(answer.id)) is None


async def test_an_edit_is_a_new_version_and_an_edit_without_the_mention_erases(talk: World):
    await talk.ask("one")
    question = talk.channel.history()[0]
    await talk.ada.edit(question, f"{talk.me} one, edited")
    stored = await talk.store.message("discord", str(question.id))
    assert stored is not None
    assert stored.text == "one, edited"
    await talk.env.advance_time(1)
    await talk.ada.edit(question, "something else")
    assert await talk.store.message("discord", str(question.id)) is None


async def test_deleting_the_question_stops_its_answer(talk: World):
    talk.fake.answer("half ", "never", hold=asyncio.Event())
    talk.say_without_waiting("a secret")
    await eventually(lambda: talk.contents()[-1] == "half")
    await talk.ada.delete(talk.channel.history()[0])
    assert [version.text for version in await talk.rows(schema.MessageVersion)] == [None, None]


async def test_what_was_said_in_a_deleted_channel_or_thread_is_erased(talk: World):
    thread = await talk.open_thread()
    other = talk.guild.create_text_channel("other")
    for channel in (thread, talk.channel, other):
        await talk.ada.send(channel, f"{talk.me} in {channel.name}")
    await talk.max.slash(talk.channel, "ask", question="by command")

    async def left() -> set[str]:
        return {
            row.text for row in await talk.rows(schema.MessageVersion) if row.text and row.text != "a fake answer"
        }

    assert await left() == {"in ada", "in general", "in other", "by command"}
    talk.env.backend.delete_channel(thread.id)
    await talk.env.settle()
    assert await left() == {"in general", "in other", "by command"}
    talk.env.backend.delete_channel(talk.channel.id)
    await talk.env.settle()
    assert await left() == {"in other"}


async def test_a_channel_takes_its_archived_threads_along(talk: World):
    thread = await talk.open_thread()
    await talk.ada.send(thread, f"{talk.me} in the thread")
    assert await talk.store.eraser.erase_channel("discord", str(talk.channel.id)) == 2


async def texts_left(talk: World) -> set[str]:
    return {row.text for row in await talk.rows(schema.MessageVersion) if row.text is not None}


async def busy(talk: World) -> asyncio.Event:
    """An answer to Ada grows until the event is set; what she asks meanwhile must wait."""
    hold = asyncio.Event()
    talk.fake.answer("half ", "and whole", hold=hold)
    talk.say_without_waiting("one")
    await eventually(lambda: talk.contents()[-1] == "half")
    return hold


async def over(talk: World, hold: asyncio.Event) -> None:
    hold.set()
    await talk.env.settle()


async def forget(talk: World) -> None:
    """Ada asks to be forgotten, now."""
    await talk.app.changes.forget(talk.ada.id, talk.env.backend.snowflake())


async def test_forgetting_stops_an_answer_that_runs_on_the_page(talk: World):
    ada = await talk.store.person("discord", str(talk.ada.id))
    there = await talk.store.conversation("web", "a" * 32, persona="assistant")

    async def question() -> StoredMessage:
        return await talk.store.add_message(there, "user", "a secret", author=ada)

    talk.fake.answer("half ", "never", hold=asyncio.Event())
    ask = Ask(person=ada, channel="web", platform="web", persona=persona("assistant", "en"), question=question)
    answer = talk.app.chat.answer(ask)
    await talk.fake.until_running(1)
    await forget(talk)
    assert answer.made
    assert await texts_left(talk) == set()


def pressing(talk: World, name: str, message: discord.Message) -> asyncio.Task[Any]:
    return asyncio.create_task(talk.ada.context_menu(talk.channel, name, message))


async def waiting(talk: World) -> tuple[discord.Message, asyncio.Event, asyncio.Task[Any]]:
    """A message of Bea's on which "Answer this" was pressed; it waits for the answer to Ada."""
    said = await talk.bea.send(talk.channel, "my number is 12345")
    hold = await busy(talk)
    menu = pressing(talk, "Answer this", said)
    await eventually(lambda: any("⏳" in content for content in talk.contents()))
    return said, hold, menu


async def test_a_message_that_is_deleted_while_answer_this_waits_is_never_kept(talk: World):
    said, hold, menu = await waiting(talk)
    talk.env.backend.delete_message(talk.channel.id, said.id)
    await asyncio.sleep(0.05)
    hold.set()
    await menu
    assert "my number is 12345" not in await texts_left(talk)
    assert len(talk.fake.requests) == 1
    assert len(await talk.rows(schema.MessageRow)) == 2  # it was never stored, not even for a moment


async def test_a_message_that_is_edited_while_answer_this_waits_is_kept_as_edited(reading: World):
    talk = reading
    said, hold, menu = await waiting(talk)
    talk.env.backend.edit_message(talk.channel.id, said.id, {"content": "what is the time?"})
    await asyncio.sleep(0.05)
    hold.set()
    await menu
    assert talk.sent() == ["what is the time?"]
    assert "my number is 12345" not in await texts_left(talk)


async def test_an_edit_that_nobody_waits_for_any_more_is_not_kept_in_memory(reading: World):
    talk = reading
    said, hold, menu = await waiting(talk)
    talk.env.backend.edit_message(talk.channel.id, said.id, {"content": "my number is 678"})
    await asyncio.sleep(0.05)
    (key,) = [name for name in talk.app.running.keys if name.isdecimal()][1:]
    talk.app.running.stop(key)
    hold.set()
    await menu
    await talk.env.advance_time(1)
    await talk.bea.edit(said, "what is the time?")
    await talk.ada.context_menu(talk.channel, "Answer this", said)
    assert talk.sent() == ["what is the time?"]
    assert not any("my number" in text for text in await texts_left(talk))


async def test_what_waits_in_a_channel_that_is_deleted_is_never_kept(talk: World):
    other = talk.guild.create_text_channel("other")
    hold = asyncio.Event()
    talk.fake.answer("half ", "and whole", hold=hold)
    backend = talk.env.backend
    backend.create_message(other.id, talk.ada.id, f"{talk.me} one")
    await eventually(lambda: other.history()[-1].content == "half")
    backend.create_message(other.id, talk.ada.id, f"{talk.me} waiting")
    await eventually(lambda: other.history()[-1].content.startswith("⏳"))
    backend.delete_channel(other.id)
    await eventually(lambda: talk.app.running.keys == [])
    await over(talk, hold)
    assert await texts_left(talk) == set()


async def test_waiting_messages_of_a_person_who_asks_to_be_forgotten_are_never_kept(talk: World):
    hold = await busy(talk)
    talk.say_without_waiting("two")
    await eventually(lambda: talk.contents()[-1].startswith("⏳"))
    async with asyncio.timeout(60):
        await forget(talk)  # what runs is stopped
    await eventually(lambda: talk.app.running.keys == [])
    await over(talk, hold)
    assert await texts_left(talk) == set()
    await talk.ask("three")  # a person who comes back is answered again
    assert "three" in await texts_left(talk)


async def test_the_whole_of_a_joined_question_is_asked_again_after_an_interruption(talk: World):
    user, backend = talk.ada.user, talk.env.backend
    hold = asyncio.Event()
    talk.fake.answer("first ", "answer", hold=hold)
    backend.create_message(user.dm_channel.id, user.id, "zero")
    await eventually(lambda: talk.fake.requests)
    for text in ("a", "b"):
        await waits(talk, text)
    talk.fake.answer("part ", "never", hold=asyncio.Event())
    hold.set()

    def parts() -> list[discord.Message]:
        return [message for message in user.dm_channel.history() if message.content.startswith("part")]

    await eventually(parts)
    await restart_dead(talk)
    await user.click(parts()[0], label="↻")
    assert talk.sent() == ["zero", "first answer", "a\nb"]


async def test_an_answer_that_a_moderator_deletes_while_it_grows_is_not_kept(talk: World):
    hold = await busy(talk)
    talk.env.backend.delete_message(talk.channel.id, talk.last().id)
    await asyncio.sleep(0.05)
    await over(talk, hold)
    assert not any(text.startswith("half") for text in await texts_left(talk))


async def test_a_message_that_was_purged_and_came_in_again_can_still_be_deleted(talk: World):
    said = await talk.bea.send(talk.channel, "my number is 12345")
    await talk.ada.context_menu(talk.channel, "Answer this", said)
    await talk.store.eraser.purge(datetime.now(UTC) + timedelta(days=1))
    assert await texts_left(talk) == set()
    await talk.ada.context_menu(talk.channel, "Answer this", said)
    assert "my number is 12345" in await texts_left(talk)
    await talk.bea.delete(said)
    assert await texts_left(talk) == set()


async def test_two_people_who_have_one_message_answered_keep_it_once(talk: World):
    said = await talk.bea.send(talk.channel, "my number is 12345")
    for person in (talk.ada, talk.max):
        await person.context_menu(talk.channel, "Answer this", said)
    await talk.bea.delete(said)
    assert await texts_left(talk) == set()


async def test_a_pin_and_a_links_preview_change_nothing(talk: World):
    said = await talk.bea.send(talk.channel, "see https://example.org")
    await talk.ada.context_menu(talk.channel, "Answer this", said)
    talk.env.backend.emit(
        "MESSAGE_UPDATE",
        {"id": str(said.id), "channel_id": str(talk.channel.id), "guild_id": str(talk.guild.id)}
        | {
            "content": "",
            "pinned": True,
            "edited_timestamp": None,
            "author": {"id": str(talk.bea.id), "username": "bea", "discriminator": "0", "avatar": None},
        }
        | {"timestamp": said.created_at.isoformat(), "type": 0, "tts": False, "mention_everyone": False, "flags": 0}
        | {name: [] for name in ("attachments", "embeds", "mentions", "mention_roles", "components")},
    )
    await talk.env.settle()
    assert "see https://example.org" in await texts_left(talk)


async def test_an_edit_that_cannot_be_checked_is_taken_over(talk: World):
    question = await talk.ada.send(talk.channel, f"{talk.me} hello there everybody")

    class Down:
        async def kind(self, text: str) -> None:
            raise EndpointFailed(text)

        async def close(self) -> None:
            pass

    endpoint: Any = Down()
    talk.app.chat.moderation = Moderation(our_words(), endpoint, closed=True)
    await talk.ada.edit(question, f"{talk.me} hello there, everybody")
    assert "hello there, everybody" in await texts_left(talk)


async def test_nothing_leads_back_to_somebody_who_was_forgotten(talk: World):
    user = talk.ada.user
    await user.slash("persona", name="tutor")
    await user.send_dm("one")
    await talk.ask("two")
    question = talk.channel.history()[0]
    await talk.bea.send(talk.channel, f"{talk.me} and I", reply_to=talk.last())
    await forget(talk)
    ids = {str(question.id), str(user.dm_channel.id), str(talk.ada.id)}
    kept = [row.key for row in await talk.rows(schema.Conversation)]
    kept += [row.scope_id for row in await talk.rows(schema.Setting)]
    async with talk.store.database.read() as session:
        kept += (await session.scalars(select(schema.PlatformMessage.platform_id))).all()
    assert kept
    assert not any(number in name for number in ids for name in kept)
