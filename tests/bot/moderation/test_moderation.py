"""Moderation in the core, the terminal and the settings: what is not answered, not shown and not kept."""

import asyncio
import logging
import os
import re
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from bot.answers import Answered, AnswerEvent, Ask, Failed, Held, Paired, Piece, Started
from bot.conversation import Chat
from bot.engine.open import open_engine
from bot.moderation.endpoint import Endpoint, EndpointFailed
from bot.moderation.step import Moderation, open_moderation, our_words
from bot.moderation.words import Kind
from bot.opening import chat_of
from bot.ratings import RatingResult, Ratings, sentence
from bot.settings import Settings, load
from bot.texts import EN
from data import schema
from data.errors import BadInput
from data.imports import collect_rows
from data.rows import KINDS
from data.store import Store
from tests.bot.terminal.test_chat import World as AtTerminal
from tests.bot.test_conversation import World, events, opened
from tests.fakes.engine import FakeEngine
from tests.fakes.moderation import FakeModeration

SLUR, THREAT, GRIEF = "you faggot", "kill yourself now", "I want to kill myself"


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with opened(tmp_path, moderation=Moderation(our_words())) as world:
        yield world


@pytest.fixture
async def remote() -> AsyncIterator[FakeModeration]:
    async with FakeModeration({"banana": "violence", "grief": "self-harm/intent"}) as fake:
        yield fake


def at(fake: FakeModeration, **more: Any) -> Endpoint:
    return Endpoint(fake.url, **{"model": None, "api_key": None, "outside": False, **more})


# -- questions


@pytest.mark.parametrize(
    ("text", "said"),
    [(SLUR, EN.moderated_question), (GRIEF, EN.moderated_self_harm), (THREAT, EN.moderated_question)],
)
async def test_a_flagged_question_is_neither_answered_nor_kept(world: World, text: str, said: str):
    end = (await events(world.chat.answer(asked(world, text))))[-1]
    assert end == Failed(said)
    assert world.fake.requests == []
    assert await world.count(schema.MessageVersion) == 0


def asked(world: World, text: str, **more: Any) -> Ask:
    """A question like a platform's: admitted, then stored."""
    ask = world.ask(text, **more)
    stored = ask.question

    async def question() -> Any:
        await world.chat.moderation.admit(text, EN)
        return await stored()

    return replace(ask, question=question)


# -- answers


async def test_a_flagged_answer_is_stopped_and_nothing_of_it_is_kept(world: World):
    world.fake.answer("well, ", "kill your", "self", " and more", "never", hold=asyncio.Event())
    got = await events(world.chat.answer(asked(world, "hello")))
    end = got[-1]
    assert isinstance(end, Answered)
    assert (end.finish_reason, end.note, end.generation.text) == ("moderated", EN.moderated_answer, "")
    assert "".join(event.text for event in got if isinstance(event, Piece)) == "well, kill your"
    row = await world.row(end.generation)
    assert (row.finish_reason, row.completion_tokens) == ("moderated", None)
    async with world.store.database.read() as session:
        texts = list(await session.scalars(select(schema.MessageVersion.text)))
    assert texts == ["hello", ""]
    async with asyncio.timeout(10):
        while world.fake.running:  # noqa: ASYNC110 - the engine was told, too
            await asyncio.sleep(0.01)


async def test_a_listed_word_at_the_end_is_found_and_a_longer_word_passes(world: World):
    world.fake.answer("they say ky", "s")
    end = (await events(world.chat.answer(asked(world, "hello"))))[-1]
    assert isinstance(end, Answered)
    assert end.finish_reason == "moderated"
    world.fake.answer("the ky", "s", "er of Skysong")
    got = await events(world.chat.answer(asked(world, "hello")))
    assert isinstance(got[-1], Answered)
    assert got[-1].generation.text == "the kyser of Skysong"
    assert "".join(event.text for event in got if isinstance(event, Piece)) == "the kyser of Skysong"


async def test_a_withdrawn_answer_can_be_asked_for_again_but_neither_rated_nor_learnt_from(world: World):
    await world.store.set_consent(world.ada, True)
    world.fake.answer(THREAT)
    end = (await events(world.chat.answer(asked(world, "hello"))))[-1]
    assert isinstance(end, Answered)
    number = end.generation.generation
    more = {"platform": "terminal", "source_id": "a"}
    assert await world.ratings.vote(world.ada, number, "up", **more) is RatingResult.GONE
    assert await world.ratings.correct(world.ada, number, "better", **more) is RatingResult.GONE
    collected = await collect_rows(world.store, discord_permission=None)
    assert [kind for kind in KINDS if collected.of(kind)] == ["prompt"]
    again = (await events(world.chat.again(world.ask(""), end.generation)))[-1]
    assert isinstance(again, Answered)
    assert again.generation.parent == end.generation.parent


async def test_of_two_answers_the_flagged_one_is_not_compared(world: World):
    world.fake.answer("fine")
    world.fake.answer(THREAT)
    end = (await events(world.chat.pair(asked(world, "hello"))))[-1]
    assert isinstance(end, Paired)
    assert isinstance(end.other, Answered)
    assert (end.usual.finish_reason, end.other.finish_reason) == ("stop", "moderated")
    world.fake.answer(THREAT)
    end = (await events(world.chat.pair(asked(world, "hello"))))[-1]
    assert isinstance(end, Paired)
    assert end.usual.note == EN.moderated_answer
    assert isinstance(end.other, Failed)


async def test_an_answer_that_breaks_off_is_checked_too(world: World):
    world.fake.drop("well, ", "kys", after=2)
    got = await events(world.chat.answer(asked(world, "hello")))
    assert isinstance(got[-1], Answered)
    assert (got[-1].finish_reason, got[-1].note) == ("moderated", EN.moderated_answer)
    assert "".join(event.text for event in got if isinstance(event, Piece)) == "well, "


# -- ratings


async def test_corrections_and_reasons_are_moderated_too(world: World):
    await world.store.set_consent(world.ada, True)
    answer = await world.say("hello")
    ratings = Ratings(world.store, world.chat.moderation)
    more = {"platform": "terminal", "source_id": "a"}
    outcome = await ratings.correct(world.ada, answer.generation, SLUR, **more)
    assert sentence(EN, outcome, "correction") == EN.moderated_rating
    assert await ratings.vote(world.ada, answer.generation, "down", why=SLUR, **more) is RatingResult.FLAGGED
    assert await world.count(schema.Rating) == 0
    assert await ratings.correct(world.ada, answer.generation, "better", **more) is RatingResult.STORED


# -- the endpoint


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


async def test_only_counts_are_logged(world: World, caplog: pytest.LogCaptureFixture):
    caplog.set_level(logging.DEBUG)
    await events(world.chat.answer(asked(world, SLUR)))
    world.fake.answer(THREAT)
    await events(world.chat.answer(asked(world, "hello")))
    await world.chat.close()
    assert "incoming slur: 1, outgoing violence: 1" in caplog.text
    ours = [record.getMessage() for record in caplog.records if record.name.startswith("bot")]
    assert not any(word in line for line in ours for word in ("faggot", "kill", "hello"))


# -- settings


@pytest.fixture
def clean(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    for name in list(os.environ):
        if name.startswith("PARLEY_"):
            monkeypatch.delenv(name)
    return monkeypatch


def test_moderation_is_on_unless_it_is_turned_off(clean: pytest.MonkeyPatch):
    assert open_moderation(load(None)).growing().add("kys ") == ""
    clean.setenv("PARLEY_MODERATION", "off")
    assert open_moderation(load(None)).growing().add("kys ") == "kys "


@pytest.mark.parametrize(
    ("url", "own"),
    [
        ("http://127.0.0.1:9000/v1", True),
        ("http://localhost:9000/v1", True),
        ("http://[::1]:9000/v1", True),
        ("http://192.168.1.7/v1", True),
        ("http://10.0.0.2/v1", True),
        ("https://api.example.com/v1", False),
        ("http://8.8.8.8/v1", False),
        ("http://[::ffff:8.8.8.8]/v1", False),
        ("http://localhost.example.com/v1", False),
    ],
)
def test_an_outside_endpoint_must_be_allowed_explicitly(clean: pytest.MonkeyPatch, url: str, own: bool):
    clean.setenv("PARLEY_MODERATION_URL", url)
    if own:
        assert load(None).moderation_url == url
        return
    with pytest.raises(BadInput, match=r"^PARLEY_MODERATION_URL: it names a machine .* PARLEY_MODERATION_OUTSIDE=1"):
        load(None)
    clean.setenv("PARLEY_MODERATION_OUTSIDE", "1")
    assert load(None).moderation_url == url


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("PARLEY_MODERATION", "perhaps", "'perhaps' cannot be used: input should be 'on' or 'off'"),
        ("PARLEY_MODERATION_FAIL", "ajar", "'ajar' cannot be used: input should be 'open' or 'closed'"),
        ("PARLEY_MODERATION_WORDS", "none.txt", "there is no such file"),
        ("PARLEY_MODERATION_URL", "api.example.com", "use an address such as http://"),
        ("PARLEY_MODERATION_URL", "http://u:secret@127.0.0.1/v1", "PARLEY_MODERATION_API_KEY"),
        ("PARLEY_MODERATION_URL", "http://127.0.0.1/v1?key=secret", "PARLEY_MODERATION_API_KEY"),
    ],
)
def test_a_bad_setting_gives_a_sentence_that_shows_no_secret(
    clean: pytest.MonkeyPatch, name: str, value: str, said: str
):
    clean.setenv(name, value)
    with pytest.raises(BadInput) as error:
        load(None)
    assert str(error.value).startswith(f"{name}: ")
    assert said in str(error.value)
    assert "secret" not in str(error.value)


async def test_the_settings_reach_the_step(tmp_path: Path, remote: FakeModeration):
    words = tmp_path / "words.txt"
    words.write_text("tomato\n")
    chosen = Settings(
        _env_file=None,
        moderation_words=words,
        moderation_url=remote.url,
        moderation_model="m",
        moderation_api_key="k",
        moderation_fail="closed",
    )
    moderation = open_moderation(chosen)
    assert await moderation.incoming("tomato") is Kind.OWN
    assert await moderation.incoming("banana") is Kind.ENDPOINT
    assert (remote.bodies[-1]["model"], remote.keys[-1]) == ("m", "Bearer k")
    remote.status = 500
    assert await moderation.incoming("apple") is Kind.UNCHECKED
    await moderation.close()


async def test_the_program_gives_its_chat_the_moderation_step(world: World, clean: pytest.MonkeyPatch):
    chat = chat_of(load(None), world.store, world.chat.engine)
    assert await chat.moderation.incoming(SLUR) is Kind.SLUR


@pytest.mark.parametrize(
    ("url", "moderation", "outside"),
    [
        (None, "on", False),
        ("http://127.0.0.1:1/v1", "on", False),
        ("https://api.example.com/v1", "on", True),
        ("https://api.example.com/v1", "off", False),
    ],
)
async def test_people_are_told_about_an_outside_service(
    world: World, url: str | None, moderation: Any, outside: bool
):
    terminal = AtTerminal(world.store, world.fake, world.chat)
    chosen = {"moderation_url": url, "moderation": moderation, "moderation_outside": True}
    assert (EN.privacy_checked_outside in await terminal.enter("/privacy", **chosen)) is outside


# -- the terminal


async def test_the_terminal_is_moderated_too(tmp_path: Path):
    store = await Store.open(tmp_path)
    async with FakeEngine() as fake:
        engine = await open_engine(tmp_path, url=fake.url)
        terminal = AtTerminal(store, fake, Chat(store, engine, moderation=Moderation(our_words())))
        fake.answer("no, kill your", "self!")
        written = await terminal.enter(
            "/consent yes", "y", SLUR, "hello", "/up", "/again", "/correct fine", "and?", "/quit"
        )
        assert EN.moderated_question in written
        assert EN.moderated_answer in written
        assert "kill yourself" not in written
        assert EN.answer_gone in written
        assert [row.text for row in await terminal.rows(schema.MessageVersion)][:2] == ["hello", ""]
        assert SLUR not in str(fake.requests)
        await engine.close()
    await store.close()


def test_an_empty_list_of_the_operators_own_words_is_logged(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    words = tmp_path / "words.txt"
    words.write_text("# none yet\n")
    our_words(words)
    assert f"PARLEY_MODERATION_WORDS: {words} holds no words." in caplog.text
