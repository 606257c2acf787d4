"""Two processes with one token: a message gets one answer where Discord lets one of them know of the other."""

import asyncio
import logging

import pytest

from bot.discord import buttons, pending
from bot.discord.others import HOUR, AnsweredElsewhere, Once, Others
from tests.bot.discord.test_gateway import TOKEN, addresses, answers, impatient, talking
from tests.bot.discord.world import World, eventually
from tests.fakes.discord_server import ME, DiscordServer

__all__ = ["addresses", "impatient"]
OTHER = "parley:stop:1:2:0badcafe"  # the stop button of another process


def stop(custom_id: str) -> list[dict[str, object]]:
    return [{"type": 1, "components": [{"type": 2, "style": 2, "label": "⏹", "custom_id": custom_id}]}]


async def another_answers(server: DiscordServer, question: dict[str, str], text: str) -> None:
    """Another process answers first: this process is told about its message, and about its nonce when it sends."""
    message = server._message(ME, text, {"components": stop(OTHER)})
    message |= {"type": 19, "message_reference": {"message_id": question["id"], "channel_id": question["channel_id"]}}
    server._nonces[f"{question['id']}-0"] = message
    await server._happens("MESSAGE_CREATE", message)


@pytest.mark.played
async def test_an_answer_that_the_other_process_shows_first_is_not_given_again(
    world: World, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(pending, "SOON", 60.0)  # this process shows nothing before the other one does
    hold = asyncio.Event()
    async with DiscordServer(TOKEN) as server, talking(world, server):
        world.fake.answer("never", hold=hold)
        question = await server.direct_message("hello")
        await eventually(lambda: world.fake.requests)
        await another_answers(server, question, "theirs")
        hold.set()
        await eventually(lambda: "Another process uses this bot's token" in caplog.text)
        await eventually(lambda: not world.fake.running)
        assert answers(server) == ["theirs"]
        world.fake.answer("mine")
        await server.direct_message("and now?")
        await server.said("mine")
    assert await world.store.open_answers("discord") == []


@pytest.mark.played
async def test_of_two_answers_at_the_same_time_discord_keeps_the_first(
    world: World, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
):
    async with DiscordServer(TOKEN) as server, talking(world, server):
        theirs = server._message(ME, "theirs", {"components": stop(OTHER)})
        nonce = f"{int(theirs['id']) + 1}-0"  # of the next message
        server._nonces[nonce] = theirs
        hold = asyncio.Event()
        world.fake.answer("mi", "ne", hold=hold)
        await server.direct_message("hello")
        await eventually(lambda: "Another process uses this bot's token" in caplog.text)
        hold.set()
        await asyncio.sleep(0.2)
        assert answers(server) == ["theirs"]
        assert server.messages[int(theirs["id"])]["components"] == stop(OTHER)
    assert await world.store.open_answers("discord") == []


@pytest.mark.played
async def test_our_own_messages_are_not_taken_for_another_processs(world: World, caplog: pytest.LogCaptureFixture):
    async with DiscordServer(TOKEN) as server, talking(world, server):
        hold = asyncio.Event()
        world.fake.answer("half ", "and whole", hold=hold)
        question = await server.direct_message("hello")
        message = await server.said("half")
        reference = {"message_id": question["id"], "channel_id": question["channel_id"]}
        await server._happens("MESSAGE_CREATE", message | {"type": 19, "message_reference": reference})
        hold.set()
        await server.said("half and whole")
    assert "Another process" not in caplog.text


def test_the_log_says_it_once_an_hour(caplog: pytest.LogCaptureFixture):
    now = 0.0
    others = Others(lambda: now)
    with caplog.at_level(logging.WARNING):
        others.complain()
        others.complain()
        assert len(caplog.records) == 1
        now = HOUR
        others.complain()
    assert len(caplog.records) == 2


def test_the_stop_button_says_which_process_sent_it():
    (button,) = buttons.stop_button("1", 2).children
    assert getattr(button, "custom_id", "") == f"parley:stop:1:2:{buttons.PROCESS}"
    assert issubclass(AnsweredElsewhere, Exception)


async def test_a_question_that_is_asked_again_is_answered_again():
    others = Others()
    others._theirs.first(7)
    first = Once(others, 7)
    with pytest.raises(AnsweredElsewhere):
        first.nonce(0)
    assert first.lost
    again = Once(others, 7, again=True)
    assert again.nonce(0) != again.nonce(0)
    assert not again.lost
    assert Once(others, 7).nonce(0) == "7-0"
