"""Answers that a dead process left open, as people find them after the next start."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import discord
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.discord.interrupted import closed
from bot.discord.render import LIMIT
from bot.texts import EN
from data import schema
from data.store import OpenAnswer
from tests.bot.discord.world import RATE, World, eventually, labels, reply_of

NOTE = f"-# {EN.interrupted}"


async def die(talk: World) -> None:
    """The process is killed: nothing of it continues, and nothing of it cleans up."""
    bot: Any = talk.env.bot
    tasks = {*bot.parley._tasks, *bot.app.running.tasks, *(answer.task for answer in bot.app.chat._running)}
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def interrupt(talk: World, text: str = "one", *, shown: str = "half") -> discord.Message:
    """An answer whose process died in the middle, and was started again."""
    talk.fake.answer(f"{shown} ", "never", hold=asyncio.Event())
    talk.say_without_waiting(text)
    await eventually(lambda: talk.contents()[-1] == shown)
    await restart_dead(talk)
    return talk.last()


async def restart_dead(talk: World) -> None:
    await die(talk)
    await talk.env.restart_bot(talk.bot())
    await talk.env.settle()


async def open_now(talk: World) -> list[OpenAnswer]:
    return await talk.store.open_answers("discord")


# -- the text of a message that was closed


@given(st.text(max_size=LIMIT))
def test_what_was_said_stays_and_the_note_is_below_it(content: str):
    whole = closed(content, "note")
    if content.startswith("⏳"):
        assert whole == "-# note"
    elif whole is None:
        assert len(content) + len("\n```\n-# note") > LIMIT
    else:
        assert whole.startswith(content)
        assert whole.endswith("\n-# note")
        assert len(whole) <= LIMIT
        assert whole.count("```") % 2 == 0


# -- after the process died


@pytest.mark.played
async def test_an_interrupted_answer_keeps_its_words_and_can_be_asked_for_again(talk: World):
    message = await interrupt(talk)
    assert message.content == f"half\n{NOTE}"
    assert labels(message) == ["↻"]
    assert await open_now(talk) == []
    talk.fake.answer("all of it")
    await talk.bea.click(message, label="↻")  # anyone may
    assert talk.contents() == [f"{talk.me} one", f"half\n{NOTE}", "all of it"]
    assert talk.sent() == ["one"]
    assert labels(talk.last()) == RATE
    assert len([row for row in await talk.rows(schema.MessageRow) if row.role == "user"]) == 1
    assert await open_now(talk) == []


@pytest.mark.played
async def test_nothing_is_closed_twice_and_nothing_that_was_finished(talk: World):
    whole = await talk.ask("hello")
    await interrupt(talk)
    before = talk.contents()
    await talk.env.restart_bot(talk.bot())
    assert talk.contents() == before
    assert labels(talk.channel.history()[1]) == RATE
    assert whole.content == "a fake answer"


@pytest.mark.played
async def test_an_answer_that_was_shown_whole_only_loses_its_record(talk: World):
    answer = await talk.ask("hello")
    await talk.store.keep_open(OpenAnswer("discord", "1", str(talk.channel.id), "1", str(answer.id)))
    await restart_dead(talk)
    assert talk.last().content == "a fake answer"
    assert labels(talk.last()) == RATE
    assert await open_now(talk) == []


@pytest.mark.played
async def test_the_record_is_there_before_the_first_message_and_holds_no_text(talk: World):
    reached, go = asyncio.Event(), asyncio.Event()
    keep = talk.store.keep_open
    found: list[int] = []

    async def watched(answer: OpenAnswer) -> None:
        await keep(answer)
        found.append(len(talk.channel.history()))
        reached.set()
        await go.wait()

    talk.store.keep_open = watched  # type: ignore[method-assign]  # watched here
    talk.say_without_waiting("secret words")
    async with asyncio.timeout(10):
        await reached.wait()
    assert found == [1]  # only the question
    (answer,) = await open_now(talk)
    assert (answer.key, answer.question) == (str(talk.last().id), str(talk.last().id))
    assert not any(word in str(answer) for word in ("secret", "fake"))
    go.set()
    await talk.env.settle()
    assert await open_now(talk) == []


@pytest.mark.played
async def test_a_process_that_died_before_it_knew_its_message_is_cleaned_up_by_the_stop_button(talk: World):
    talk.fake.answer("half ", "never", hold=asyncio.Event())
    talk.say_without_waiting("one")
    await eventually(lambda: talk.contents()[-1] == "half")
    (answer,) = await open_now(talk)
    await talk.store.keep_open(OpenAnswer("discord", answer.key, answer.channel, answer.question, None))
    await restart_dead(talk)
    assert talk.last().content == f"half\n{NOTE}"
    assert labels(talk.last()) == ["↻"]


@pytest.mark.played
async def test_a_question_that_still_waited_is_asked_again_by_its_author_alone(talk: World):
    talk.fake.answer("half ", "never", hold=asyncio.Event())
    talk.say_without_waiting("one")
    await eventually(lambda: talk.contents()[-1] == "half")
    talk.say_without_waiting("two")
    await eventually(lambda: talk.contents()[-1].startswith("⏳"))
    await restart_dead(talk)
    assert [message.content for message in talk.channel.history()][1::2] == [f"half\n{NOTE}", NOTE]
    waited = talk.last()
    assert reply_of(await talk.bea.click(waited, label="↻")).content == EN.only_asker_retries
    assert [row.role for row in await talk.rows(schema.MessageRow)] == ["user"]  # nothing of the answer was stored
    await talk.ada.click(waited, label="↻")
    assert talk.last().content == "a fake answer"
    assert talk.sent() == ["two"]


@pytest.mark.played
async def test_an_erased_question_is_not_asked_again(talk: World):
    message = await interrupt(talk)
    question = talk.channel.history()[0]
    await talk.store.eraser.erase_message("discord", str(question.id))
    assert reply_of(await talk.bea.click(message, label="↻")).content == EN.only_asker_retries
    assert len(talk.fake.requests) == 1


@pytest.mark.played
async def test_the_note_on_a_full_message_is_sent_as_another_message(talk: World):
    long = "x" * (LIMIT - 10)
    message = await interrupt(talk, shown=long)
    assert [one.content for one in talk.channel.history()[-2:]] == [long, NOTE]
    assert labels(talk.channel.history()[-2]) == []
    assert labels(message) == ["↻"]


@pytest.mark.played
@pytest.mark.parametrize(("status", "left"), [(404, 0), (403, 0), (503, 1)])
async def test_an_answer_out_of_reach_is_given_up_and_one_that_discord_refuses_is_tried_again(
    talk: World, status: int, left: int
):
    talk.fake.answer("half ", "never", hold=asyncio.Event())
    talk.say_without_waiting("one")
    await eventually(lambda: talk.contents()[-1] == "half")
    talk.env.inject_error("GET", "/channels/*/messages/*", status=status)
    await restart_dead(talk)
    assert len(await open_now(talk)) == left
    assert talk.last().content == "half"
    await talk.env.restart_bot(talk.bot())
    await talk.env.settle()
    assert (talk.last().content == f"half\n{NOTE}") is bool(left)


@pytest.mark.played
async def test_asking_by_command_can_be_interrupted_too(talk: World):
    talk.fake.answer("half ", "never", hold=asyncio.Event())
    asking = asyncio.create_task(talk.ada.slash(talk.channel, "ask", question="one"))
    await eventually(lambda: talk.channel.history() and talk.contents()[-1] == "half")
    await die(talk)
    await asking
    await restart_dead(talk)
    assert talk.last().content == f"half\n{NOTE}"
    await talk.bea.click(talk.last(), label="↻")
    assert talk.contents()[-1] == "a fake answer"
    assert talk.sent() == ["one"]


@pytest.mark.played
async def test_another_answer_and_two_answers_can_be_interrupted_too(talk: World):
    for label in ("↻", "⚖️"):
        answer = await talk.ask("one")
        talk.fake.answer("half ", "never", hold=asyncio.Event())
        clicking = asyncio.create_task(talk.ada.click(answer, label=label))
        await talk.fake.until_running(1)
        await eventually(lambda: talk.contents()[-1] != "a fake answer")
        await die(talk)
        await clicking
        await restart_dead(talk)
        assert talk.last().content in (f"half\n{NOTE}", NOTE)
        await talk.bea.click(talk.last(), label="↻")
        assert talk.contents()[-1] == "a fake answer"
        assert talk.sent() == ["one"]
        assert await open_now(talk) == []


# -- erasure


@pytest.mark.played
@pytest.mark.parametrize("how", ["deleted", "forgotten", "expired"])
async def test_the_record_of_an_open_answer_is_erased_with_its_question(talk: World, how: str):
    talk.fake.answer("half ", "never", hold=asyncio.Event())
    talk.say_without_waiting("one")
    await eventually(lambda: talk.contents()[-1] == "half")
    await die(talk)
    question = talk.channel.history()[0]
    assert [answer.question for answer in await open_now(talk)] == [str(question.id)]
    if how == "deleted":
        await talk.store.eraser.erase_message("discord", str(question.id))
    elif how == "forgotten":
        await talk.store.eraser.forget(await talk.store.person("discord", str(talk.ada.id)))
    else:
        await talk.store.eraser.purge(datetime.now(UTC) - timedelta(days=1))
        assert len(await open_now(talk)) == 1
        await talk.store.eraser.purge(datetime.now(UTC) + timedelta(seconds=1))
    assert await open_now(talk) == []
