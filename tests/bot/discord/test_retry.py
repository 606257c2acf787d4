"""Asking again, by ↻ below what was interrupted and below an answer, where not everything is there any more."""

import asyncio

import pytest

from bot.conversation import Limits
from bot.texts import EN
from data import schema
from tests.bot.discord.test_interrupted import restart_dead
from tests.bot.discord.world import World, eventually, labels, said


async def busy(talk: World) -> None:
    """An answer to Ada runs, so that what is asked after it waits."""
    talk.fake.answer("half ", "never", hold=asyncio.Event())
    talk.say_without_waiting("one")
    await eventually(lambda: talk.contents()[-1] == "half")


# -- a question that was never stored


async def test_who_is_allowed_by_a_role_asks_again(talk: World):
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
    await talk.max.slash(talk.channel, "threads", answer=threads)  # the thread is there, whatever is said now
    waited = talk.last(thread)
    assert waited.content == f"-# {EN.interrupted}"
    assert said(await talk.bea.click(waited, label="↻")) == EN.only_asker_retries
    before = talk.contents()
    await talk.ada.click(waited, label="↻")
    assert talk.last(thread).content == "a fake answer"
    assert talk.sent() == ["two"]
    assert talk.contents() == before
    assert len(talk.channel.threads) == 1


async def test_one_that_is_gone_is_a_sentence(talk: World):
    await busy(talk)
    talk.say_without_waiting("two")
    question = talk.last()
    await eventually(lambda: talk.last().content.startswith("⏳"))
    waited = talk.last()
    await restart_dead(talk)
    talk.env.backend.delete_message(talk.channel.id, question.id)
    await talk.env.settle()
    assert said(await talk.ada.click(waited, label="↻")) == EN.question_gone


# -- an answer of which nothing is left


async def test_an_erased_answer_is_not_continued(talk: World):
    talk.fake.answer("To begin with", finish_reason="length")
    cut = await talk.ask("tell me everything")
    await talk.ada.delete(talk.channel.history()[0])
    assert said(await talk.bea.click(cut, label=EN.go_on)) == EN.question_gone
    assert len(talk.fake.requests) == 1
    assert len([row for row in await talk.rows(schema.MessageRow) if row.role == "user"]) == 1


async def test_one_that_is_erased_while_its_continuation_waits_is_not_continued(talk: World):
    talk.fake.answer("To begin with", finish_reason="length")
    cut = await talk.ask("tell me everything")
    go = asyncio.Event()
    talk.fake.answer("half ", "done", hold=go)
    talk.say_without_waiting("one")
    await eventually(lambda: talk.contents()[-1] == "half")
    clicking = asyncio.create_task(talk.ada.click(cut, label=EN.go_on))
    await eventually(lambda: talk.last().content.startswith("⏳"))
    await talk.store.erase_message("discord", str(talk.channel.history()[0].id))
    go.set()
    await clicking
    await talk.env.settle()
    assert talk.last().content == EN.question_gone
    assert len(talk.fake.requests) == 2


# -- where the bot may not write


@pytest.mark.parametrize("label", ["↻", "⚖️", EN.go_on])
async def test_an_answer_that_finds_no_room_is_told_to_who_pressed(talk: World, label: str):
    talk.fake.answer("To begin with", finish_reason="length")
    answer = await talk.ask("hello")
    talk.fake.answer("something else")
    before = talk.contents()
    talk.env.inject_error("POST", "/channels/*/messages", status=403)
    told = (await talk.bea.click(answer, label=label)).followups
    assert [(one.content, one.ephemeral) for one in told] == [(EN.not_shown, True)]
    assert talk.contents() == before


@pytest.mark.parametrize("label", ["↻", "⚖️"])
async def test_so_is_one_that_would_have_waited(talk: World, label: str):
    answer = await talk.ask("hello")
    go = asyncio.Event()
    talk.fake.answer("half ", "done", hold=go)
    talk.say_without_waiting("one")
    await eventually(lambda: talk.contents()[-1] == "half")

    def posts() -> int:
        sent = [one for one in talk.env.http_requests if one.method == "POST"]
        return sum(one.path.endswith("/messages") for one in sent)

    before = posts()
    talk.env.inject_error("POST", "/channels/*/messages", status=403)
    clicking = asyncio.create_task(talk.ada.click(answer, label=label))
    await eventually(lambda: posts() > before)
    go.set()
    told = (await clicking).followups
    assert [(one.content, one.ephemeral) for one in told] == [(EN.not_shown, True)]
    assert len(talk.channel.history()) == 4


async def test_so_is_one_that_was_interrupted(talk: World):
    await busy(talk)
    await restart_dead(talk)
    closed = talk.last()
    talk.env.inject_error("POST", "/channels/*/messages", status=403)
    assert said(await talk.bea.click(closed, label="↻")) == EN.not_shown


async def test_an_answer_of_which_a_part_was_shown_is_no_secret_failure(talk: World):
    go = asyncio.Event()
    answer = await talk.ask("hello")
    talk.fake.answer("half ", "done", hold=go)
    clicking = asyncio.create_task(talk.bea.click(answer, label="↻"))
    await eventually(lambda: talk.contents()[-1] == "half")
    talk.env.backend.delete_message(talk.channel.id, talk.last().id)
    go.set()
    assert (await clicking).followups == []
