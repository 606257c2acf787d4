"""Moderation in the core and the terminal: what is not answered, not shown and not kept."""

import asyncio
import logging
from pathlib import Path

import pytest
from sqlalchemy import select

from bot.answers import Answered, Failed, Paired, Piece
from bot.conversation import Chat
from bot.engine.open import open_engine
from bot.moderation.step import Moderation, our_words
from bot.ratings import RatingResult, Ratings, sentence
from bot.texts import EN
from data import schema
from data.imports import collect_rows
from data.rows import KINDS
from data.store import Store
from tests.bot.core import World, events
from tests.bot.moderation.flagged import GRIEF, SLUR, THREAT, asked
from tests.bot.terminal.world import World as AtTerminal
from tests.fakes.engine import FakeEngine

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
    assert await ratings.correct(world.ada, answer.generation, "better", **more) is RatingResult.TAUGHT


async def test_only_counts_are_logged(world: World, caplog: pytest.LogCaptureFixture):
    caplog.set_level(logging.DEBUG)
    await events(world.chat.answer(asked(world, SLUR)))
    world.fake.answer(THREAT)
    await events(world.chat.answer(asked(world, "hello")))
    await world.chat.close()
    assert "incoming slur: 1, outgoing violence: 1" in caplog.text
    ours = [record.getMessage() for record in caplog.records if record.name.startswith("bot")]
    assert not any(word in line for line in ours for word in ("faggot", "kill", "hello"))


# -- the terminal


@pytest.mark.played
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
