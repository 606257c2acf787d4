"""The buttons for another answer, for more of one that was cut off, and for stopping one."""

import asyncio

import pytest

from bot.texts import EN
from data import schema
from tests.bot.discord.world import RATE, World, eventually, labels, said

pytestmark = pytest.mark.played


async def test_another_answer_is_a_sibling_with_buttons_of_its_own(talk: World):
    first = await talk.ask("hello")
    talk.fake.answer("another one")
    await talk.ada.click(first, label="↻")
    second = talk.last()
    assert second.content == "another one"
    assert labels(second) == RATE
    generations = [await talk.store.shown("discord", str(message.id)) for message in (first, second)]
    assert generations[0] is not None
    assert generations[1] is not None
    assert generations[0].parent == generations[1].parent
    assert generations[0].rendered_sha256 == generations[1].rendered_sha256
    await talk.agree(talk.ada.id)
    await talk.ada.click(second, label="👍")
    assert [rating.generation_id for rating in await talk.rows(schema.Rating)] == [generations[1].generation]
    await talk.ada.send(talk.channel, "go on", reply_to=second)
    assert talk.sent() == ["hello", "another one", "go on"]


async def test_another_answer_to_an_erased_question_gives_a_private_sentence(talk: World):
    await talk.ada.send(talk.channel, f"{talk.me} hello")
    question, answer = talk.channel.history()
    await talk.ada.delete(question)
    result = await talk.ada.click(answer, label="↻")
    assert [followup.content for followup in result.followups] == [EN.question_gone]
    assert (await talk.ada.click(answer, label="👍")).followups[0].content == EN.answer_gone


async def test_only_the_asker_stops_an_answer_and_what_was_said_stays(talk: World):
    talk.fake.answer("half ", "never", hold=asyncio.Event())
    talk.say_without_waiting("go on")
    await eventually(lambda: talk.contents()[-1] == "half")
    message = talk.last()
    assert labels(message) == ["⏹"]
    with pytest.raises(TimeoutError):  # simcord waits for the answer, which Bea's click does not end
        async with asyncio.timeout(1):
            await talk.bea.click(message, label="⏹")
    assert talk.fake.running == 1
    await talk.ada.click(message, label="⏹")
    final = talk.last()
    assert final.content == f"half\n-# {EN.stopped}"
    assert labels(final) == RATE
    (generation,) = await talk.rows(schema.Generation)
    assert generation.finish_reason == "stopped"


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


async def test_an_erased_answer_is_not_continued(talk: World):
    talk.fake.answer("To begin with", finish_reason="length")
    cut = await talk.ask("tell me everything")
    await talk.ada.delete(talk.channel.history()[0])
    assert said(await talk.bea.click(cut, label=EN.go_on)) == EN.question_gone
    assert len(talk.fake.requests) == 1
    assert len([row for row in await talk.rows(schema.MessageRow) if row.role == "user"]) == 1


async def test_an_answer_that_is_erased_while_its_continuation_waits_is_not_continued(talk: World):
    talk.fake.answer("To begin with", finish_reason="length")
    cut = await talk.ask("tell me everything")
    go = asyncio.Event()
    talk.fake.answer("half ", "done", hold=go)
    talk.say_without_waiting("one")
    await eventually(lambda: talk.contents()[-1] == "half")
    clicking = asyncio.create_task(talk.ada.click(cut, label=EN.go_on))
    await eventually(lambda: talk.last().content.startswith("⏳"))
    await talk.store.eraser.erase_message("discord", str(talk.channel.history()[0].id))
    go.set()
    await clicking
    await talk.env.settle()
    assert talk.last().content == EN.question_gone
    assert len(talk.fake.requests) == 2


@pytest.mark.parametrize("label", ["↻", "⚖️", EN.go_on])
async def test_the_person_who_pressed_is_told_that_an_answer_could_not_be_shown(talk: World, label: str):
    talk.fake.answer("To begin with", finish_reason="length")
    answer = await talk.ask("hello")
    talk.fake.answer("something else")
    before = talk.contents()
    talk.env.inject_error("POST", "/channels/*/messages", status=403)
    told = (await talk.bea.click(answer, label=label)).followups
    assert [(one.content, one.ephemeral) for one in told] == [(EN.not_shown, True)]
    assert talk.contents() == before


@pytest.mark.parametrize("label", ["↻", "⚖️"])
async def test_the_person_who_pressed_is_told_that_a_waiting_answer_could_not_be_shown(talk: World, label: str):
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


async def test_nobody_is_told_in_private_about_an_answer_that_was_partly_shown(talk: World):
    go = asyncio.Event()
    answer = await talk.ask("hello")
    talk.fake.answer("half ", "done", hold=go)
    clicking = asyncio.create_task(talk.bea.click(answer, label="↻"))
    await eventually(lambda: talk.contents()[-1] == "half")
    talk.env.backend.delete_message(talk.channel.id, talk.last().id)
    go.set()
    assert (await clicking).followups == []
