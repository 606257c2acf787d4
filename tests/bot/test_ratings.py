"""Which ratings are kept."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy import select

from bot.answers import Answered
from bot.ratings import RatingResult
from data import schema
from tests.bot.core import World, events, opened


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with opened(tmp_path) as world:
        yield world


async def test_no_rating_is_kept_before_its_person_agreed(world: World):
    said = await world.say("hello")
    vote = {"platform": "terminal", "source_id": "s1"}
    assert await world.ratings.vote(world.ada, said.generation, "up", **vote) is RatingResult.CONSENT_MISSING
    await world.store.set_consent(world.ada, False)
    assert await world.ratings.vote(world.ada, said.generation, "up", **vote) is RatingResult.CONSENT_MISSING
    assert await world.ratings.correct(world.ada, said.generation, "x", **vote) is RatingResult.CONSENT_MISSING
    assert await world.ratings.compare(world.ada, said.generation, said.generation, "a", **vote) is (
        RatingResult.CONSENT_MISSING
    )
    assert await world.count(schema.Rating) == 0
    await world.store.set_consent(world.ada, True)
    assert await world.ratings.vote(world.ada, said.generation, "up", **vote) is RatingResult.STORED
    assert await world.count(schema.Rating) == 1


async def test_a_vote_counts_once_can_change_and_be_taken_back(world: World):
    said = await world.say("hello")
    await world.store.set_consent(world.ada, True)

    async def vote(value: str, source: str, why: str | None = None) -> RatingResult:
        return await world.ratings.vote(
            world.ada, said.generation, value, platform="terminal", source_id=source, why=why
        )

    both = await asyncio.gather(vote("up", "s1"), vote("up", "s2"))
    assert sorted(outcome.name for outcome in both) == ["ALREADY", "STORED"]
    assert await vote("down", "s3") is RatingResult.STORED
    assert await vote("down", "s4") is RatingResult.ALREADY
    assert await vote("down", "s5", why="wrong year") is RatingResult.STORED
    assert await vote("up", "s3") is RatingResult.ALREADY  # the same action, delivered twice
    assert await world.store.vote(said.generation, world.ada) == "down"
    old = await world.ratings.take_back(world.ada, "s3", platform="terminal", source_id="s0")
    assert (old, await world.store.vote(said.generation, world.ada)) == (RatingResult.NOTHING, "down")
    retraction = {"platform": "terminal", "source_id": "s6"}
    assert await world.ratings.retract(world.ada, said.generation, **retraction) is RatingResult.STORED
    assert await world.store.vote(said.generation, world.ada) is None
    retraction["source_id"] = "s7"
    assert await world.ratings.retract(world.ada, said.generation, **retraction) is RatingResult.NOTHING
    assert await world.store.vote(said.generation, world.bea) is None


async def test_corrections_and_comparisons_are_kept(world: World):
    first = await world.say("hello")
    await world.store.set_consent(world.ada, True)
    how = {"platform": "terminal"}
    correct = world.ratings.correct
    assert await correct(world.ada, first.generation, " ", source_id="c0", **how) is RatingResult.EMPTY
    assert await correct(world.ada, first.generation, first.text, source_id="c1", **how) is RatingResult.SAME
    assert await correct(world.ada, first.generation, "Hi!", source_id="c2", **how) is RatingResult.TAUGHT
    end = (await events(world.chat.again(world.ask("unused"), first)))[-1]
    assert isinstance(end, Answered)
    second = end.generation
    assert (
        await world.ratings.compare(world.ada, first.generation, second.generation, "b", source_id="c3", **how)
        is RatingResult.STORED
    )
    async with world.store.database.read() as session:
        rows = (await session.scalars(select(schema.Rating).order_by(schema.Rating.id))).all()
    assert [(row.kind, row.value, row.other_id) for row in rows] == [
        ("correction", None, None),
        ("comparison", "b", second.generation),
    ]


async def test_an_erased_answer_cannot_be_rated(world: World):
    said = await world.say("hello", platform_id="m1")
    await world.store.set_consent(world.ada, True)
    await world.store.eraser.erase_message("terminal", "m1")
    outcome = await world.ratings.vote(world.ada, said.generation, "up", platform="terminal", source_id="s")
    assert outcome is RatingResult.GONE


async def test_each_kind_can_be_taken_back_once_by_whoever_gave_it(world: World):
    first = await world.say("hello")
    await world.store.set_consent(world.ada, True)
    end = (await events(world.chat.again(world.ask("unused"), first)))[-1]
    assert isinstance(end, Answered)
    one, other = first.generation, end.generation.generation
    how = {"platform": "terminal"}
    await world.ratings.vote(world.ada, one, "down", source_id="v", why="too short", **how)
    await world.ratings.correct(world.ada, one, "Hi!", source_id="c", **how)
    assert await world.ratings.compare(world.ada, one, other, "a", source_id="k", **how) is RatingResult.STORED
    for number, rating in enumerate("vck"):
        back = {"source_id": f"b{number}", **how}
        assert await world.ratings.take_back(world.bea, rating, **back) is RatingResult.NOTHING
        assert await world.ratings.take_back(world.ada, rating, **back) is RatingResult.STORED
        assert await world.ratings.take_back(world.ada, rating, **{**back, "source_id": "b"}) is RatingResult.NOTHING
    assert await world.store.vote(one, world.ada) is None
    for rating in "vc":
        kept = await world.store.rating(rating)
        assert kept is not None
        assert kept.text is None
    # By now the person knows which release gave which answer.
    assert await world.ratings.compare(world.ada, one, other, "b", source_id="again", **how) is RatingResult.ALREADY
    assert await world.ratings.take_back(world.ada, "unknown", source_id="x", **how) is RatingResult.NOTHING
