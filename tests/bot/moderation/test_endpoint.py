"""The moderation endpoint: what it is asked, and what happens when it fails."""

import asyncio
import re
from pathlib import Path
from typing import Any

import pytest

from bot.answers import Answered, AnswerEvent, Failed, Held, Piece, Started
from bot.moderation.endpoint import EndpointFailed
from bot.moderation.step import Moderation, our_words
from bot.moderation.words import Kind
from bot.texts import EN
from data import schema
from tests.bot.core import events, opened
from tests.bot.moderation.flagged import SLUR, asked, at
from tests.fakes.moderation import FakeModeration


async def test_the_endpoint_judges_questions_and_whole_answers(tmp_path: Path, remote: FakeModeration):
    endpoint = at(remote, model="m", api_key="k")
    async with opened(tmp_path, moderation=Moderation(our_words(), endpoint)) as world:
        assert (await events(world.chat.answer(asked(world, "a banana"))))[-1] == Failed(EN.moderated_question)
        assert (await events(world.chat.answer(asked(world, "my grief"))))[-1] == Failed(EN.moderated_self_harm)
        world.fake.answer("a ", "banana", ".")
        end = (await events(world.chat.answer(asked(world, "hello"))))[-1]
        assert isinstance(end, Answered)
        assert (end.note, end.generation.text) == (EN.moderated_answer, "")
        assert remote.seen == ["a banana", "my grief", "hello", "a banana."]
        assert remote.bodies[0]["model"] == "m"
        assert remote.keys[0] == "Bearer k"
        await events(world.chat.answer(asked(world, SLUR)))
        assert SLUR not in remote.seen  # what the lists find is sent to nobody
        assert world.chat.moderation.counts == {
            ("incoming", Kind.ENDPOINT): 1,
            ("incoming", Kind.SELF_HARM): 1,
            ("outgoing", Kind.ENDPOINT): 1,
            ("incoming", Kind.SLUR): 1,
        }


@pytest.mark.parametrize("closed", [False, True])
async def test_when_the_endpoint_fails_the_lists_hold_and_the_setting_decides(
    tmp_path: Path, remote: FakeModeration, closed: bool
):
    remote.status = 500
    async with opened(tmp_path, moderation=Moderation(our_words(), at(remote), closed=closed)) as world:
        assert (await events(world.chat.answer(asked(world, SLUR))))[-1] == Failed(EN.moderated_question)
        end = (await events(world.chat.answer(asked(world, "a banana"))))[-1]
        assert end == Failed(EN.moderation_away) if closed else isinstance(end, Answered)
        assert await world.count(schema.Generation) == int(not closed)
        remote.status = 200
        hold = asyncio.Event()
        world.fake.answer("fi", "ne", hold=hold)
        answer = world.chat.answer(asked(world, "hello"))
        await world.fake.until_running(1)
        await remote.stop()
        hold.set()
        last = (await events(answer))[-1]
        assert isinstance(last, Answered)
        expected = (EN.moderation_away_answer, "") if closed else (None, "fine")
        assert (last.note, last.generation.text) == expected


@pytest.mark.parametrize(
    ("text", "closed", "shown"),
    [
        ("all well", True, [Held(), Piece("all well")]),
        ("a banana", True, [Held()]),
        ("a banana", False, [Piece("a "), Piece("banana")]),  # and then taken back
        (SLUR, True, [Held()]),
    ],
)
async def test_closed_shows_nothing_of_an_answer_before_the_endpoint_has_seen_it(
    tmp_path: Path, remote: FakeModeration, text: str, closed: bool, shown: list[AnswerEvent]
):
    async with opened(tmp_path, moderation=Moderation(our_words(), at(remote), closed=closed)) as world:
        world.fake.answer(*re.split(r"(?<= )", text))
        found = await events(world.chat.answer(asked(world, "hello")))
        assert found[:-1] == [Started(), *shown]
        assert isinstance(found[-1], Answered)
        assert found[-1].generation.text == (text if text == "all well" else "")


async def test_without_an_endpoint_closed_holds_nothing(tmp_path: Path):
    async with opened(tmp_path, moderation=Moderation(our_words(), closed=True)) as world:
        world.fake.answer("all ", "well")
        assert (await events(world.chat.answer(asked(world, "hello"))))[:-1] == [
            Started(),
            Piece("all "),
            Piece("well"),
        ]


async def test_the_held_text_of_a_stopped_answer_is_shown_after_its_check(tmp_path: Path, remote: FakeModeration):
    async with opened(tmp_path, moderation=Moderation(our_words(), at(remote), closed=True)) as world:
        world.fake.answer("half ", "never", hold=asyncio.Event())
        answer = world.chat.answer(asked(world, "hello"))
        found = []
        async for event in answer:
            found.append(event)
            if event == Held():
                answer.stop()
        assert found[:-1] == [Started(), Held(), Piece("half ")]
        assert found[-1].note == EN.stopped
        assert remote.seen == ["hello", "half "]


async def test_a_failure_is_logged_once_a_minute_without_what_was_asked(
    remote: FakeModeration, caplog: pytest.LogCaptureFixture
):
    remote.status = 503
    now = 100.0
    moderation = Moderation(our_words(), at(remote, api_key="sesame"), clock=lambda: now)
    for moment in (100.0, 130.0, 159.0, 161.0):
        now = moment
        assert await moderation.incoming("a private banana") is None
    assert caplog.text.count("the moderation endpoint failed (HTTP 503)") == 2
    assert "banana" not in caplog.text
    assert "sesame" not in caplog.text
    await moderation.close()


@pytest.mark.parametrize("answer", [{}, {"results": None}, {"results": [{}]}, [], "no", {"results": [3]}])
async def test_a_reply_without_a_verdict_is_a_failure(remote: FakeModeration, answer: Any):
    remote.answer = answer
    endpoint = at(remote)
    with pytest.raises(EndpointFailed, match="not a verdict"):
        await endpoint.kind("x")
    await endpoint.close()


async def test_a_redirect_of_the_endpoint_is_not_followed(remote: FakeModeration):
    async with FakeModeration({}) as other:
        remote.status, remote.location = 307, f"{other.url}/moderations"
        endpoint = at(remote)
        with pytest.raises(EndpointFailed):
            await endpoint.kind("x")
        assert other.seen == []
        await endpoint.close()
