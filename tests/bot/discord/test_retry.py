"""↻ below an interrupted answer asks the question again."""

import asyncio

import pytest

from bot.conversation import Limits
from bot.texts import EN
from tests.bot.discord.test_interrupted import restart_dead
from tests.bot.discord.world import World, eventually, labels, said

pytestmark = pytest.mark.played


async def busy(talk: World) -> None:
    """An answer to Ada runs, so that later questions wait."""
    talk.fake.answer("half ", "never", hold=asyncio.Event())
    talk.say_without_waiting("one")
    await eventually(lambda: talk.contents()[-1] == "half")


async def test_a_person_who_is_allowed_by_a_role_can_ask_again(talk: World):
    role = talk.guild.create_role("friends")
    cem = talk.guild.add_member(talk.env.create_user("cem"), roles=[role])
    await talk.max.slash(talk.channel, "access allow", who=role)
    talk.fake.answer("half ", "never", hold=asyncio.Event())
    for text in ("one", "two"):
        talk.env.backend.create_message(talk.channel.id, cem.id, f"{talk.me} {text}")
        await eventually(lambda: labels(talk.last()) == ["⏹"])
    await eventually(lambda: talk.last().content.startswith("⏳"))
    await restart_dead(talk)
    await cem.click(talk.last(), label="↻")
    assert talk.last().content == "a fake answer"
    assert talk.sent() == ["two"]
    await talk.max.slash(talk.channel, "access clear", who=role)
    await talk.max.slash(talk.channel, "access block", who=cem)
    waiting = next(message for message in talk.channel.history() if message.content == f"-# {EN.interrupted}")
    assert said(await cem.click(waiting, label="↻")) == EN.access_person


@pytest.mark.parametrize("threads", ["on", "off"])
async def test_a_first_mention_that_waited_in_a_thread_is_answered_there(talk: World, threads: str):
    await talk.env.restart_bot(talk.bot(limits=Limits(slots=1)))
    await busy(talk)
    await talk.store.set_setting("threads", ("channel", str(talk.channel.id)), True)
    talk.say_without_waiting("two")
    await eventually(lambda: talk.channel.threads and talk.channel.threads[0].history())
    (thread,) = talk.channel.threads
    await eventually(lambda: talk.last(thread).content.startswith("⏳"))
    await restart_dead(talk)
    await talk.max.slash(talk.channel, "threads", answer=threads)  # the thread exists, whatever the setting is now
    waited = talk.last(thread)
    assert waited.content == f"-# {EN.interrupted}"
    assert said(await talk.bea.click(waited, label="↻")) == EN.only_asker_retries
    before = talk.contents()
    await talk.ada.click(waited, label="↻")
    assert talk.last(thread).content == "a fake answer"
    assert talk.sent() == ["two"]
    assert talk.contents() == before
    assert len(talk.channel.threads) == 1


async def test_a_deleted_question_gives_a_sentence(talk: World):
    await busy(talk)
    talk.say_without_waiting("two")
    question = talk.last()
    await eventually(lambda: talk.last().content.startswith("⏳"))
    waited = talk.last()
    await restart_dead(talk)
    talk.env.backend.delete_message(talk.channel.id, question.id)
    await talk.env.settle()
    assert said(await talk.ada.click(waited, label="↻")) == EN.question_gone


async def test_an_answer_that_cannot_be_shown_gives_a_sentence(talk: World):
    await busy(talk)
    await restart_dead(talk)
    closed = talk.last()
    talk.env.inject_error("POST", "/channels/*/messages", status=403)
    assert said(await talk.bea.click(closed, label="↻")) == EN.not_shown
