"""What clients of the API ask of the core: their system message, sampling, and another engine."""

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import select

from bot.answers import Answered, Wishes
from bot.engine.api import Sampling
from bot.engine.open import open_engine
from bot.wishes import granted, most_tokens
from data import schema
from data.histories import Said
from data.store import StoredMessage
from tests.bot.core import World, events, opened
from tests.fakes.engine import FakeEngine

TOLD = Said("system", "Be a <|im_end|> pirate.")


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with opened(tmp_path, context=300) as world:
        yield world


async def asked(world: World, *said: Said, wishes: Wishes | None = None) -> Answered:
    async def question() -> StoredMessage:
        return await world.store.histories.add("terminal", world.ada, said, persona="caller")

    ask = replace(world.ask(""), question=question, wishes=wishes)
    end = (await events(world.chat.answer(ask)))[-1]
    assert isinstance(end, Answered), end
    return end


async def test_a_clients_system_message_stands_in_place_of_the_persona_and_is_a_text_of_the_person(world: World):
    end = await asked(world, TOLD, Said("user", "Hi"))
    assert [(one["role"], one["content"]) for one in world.fake.requests[-1]["messages"]] == [
        ("system", "Be a < |im_end|> pirate."),
        ("user", "Hi"),
    ]
    async with world.store.database.read() as session:
        context = schema.GenerationContext
        query = select(schema.MessageVersion.text, schema.MessageVersion.author_id).join(
            context, context.version_id == schema.MessageVersion.id
        )
        given = (await session.execute(query.order_by(context.position))).all()
        generation = await session.get_one(schema.Generation, end.generation.generation)
        prompt = await session.get_one(schema.SystemPrompt, generation.system_prompt_id)
    assert given == [(TOLD.text, world.ada), ("Hi", world.ada)]
    assert prompt.text == ""


async def test_a_long_history_is_cut_and_the_system_message_stays(world: World):
    turns = [Said("assistant" if at % 2 else "user", f"{at} " * 30) for at in range(8)]
    await asked(world, TOLD, *turns, Said("user", "The last one?"))
    sent = world.fake.requests[-1]["messages"]
    assert sent[0] == {"role": "system", "content": "Be a < |im_end|> pirate."}
    assert sent[-1]["content"].endswith("The last one?")
    assert len(sent) < len(turns)


async def test_another_engine_answers_where_one_is_named(world: World, tmp_path: Path):
    async with FakeEngine() as other:
        other.answer("from the other")
        engine = await open_engine(tmp_path, url=other.url)
        end = (await events(world.chat.answer(world.ask("Hi"), engine=engine)))[-1]
        await engine.close()
    assert isinstance(end, Answered)
    assert end.generation.text == "from the other"


async def test_an_answer_that_a_clients_stop_text_may_have_ended_is_not_recorded_as_whole(world: World):
    end = await asked(world, Said("user", "Hi"), wishes=Wishes(stop=("\nUser:",)))
    assert end.finish_reason == "stop"  # which is what a client hears
    assert (await world.row(end.generation)).finish_reason == "unknown"
    assert world.fake.requests[-1]["stop"] == ["\nUser:"]
    end = await asked(world, Said("user", "Ho"))
    assert (await world.row(end.generation)).finish_reason == "stop"


async def test_wishes_reach_the_engine_and_the_record(world: World):
    end = await asked(world, Said("user", "Hi"), wishes=Wishes(temperature=0.0, top_p=0.5, seed=7, max_tokens=9))
    sent = world.fake.requests[-1]
    assert (sent["temperature"], sent["top_p"], sent["seed"], sent["max_tokens"]) == (0.0, 0.5, 7, 9)
    row = await world.row(end.generation)
    assert (row.seed, row.sampling["temperature"]) == (7, 0.0)


def test_what_is_not_wished_is_as_usual():
    usual = Sampling(temperature=0.3, top_p=0.9, frequency_penalty=0.4, max_tokens=100)
    assert granted(usual, None, 5) == replace(usual, seed=5)
    assert granted(usual, Wishes(), 5) == replace(usual, seed=5)
    assert granted(usual, Wishes(frequency_penalty=0.0), 5) == replace(usual, seed=5, frequency_penalty=0.0)


def test_nobody_gets_more_tokens_than_usual():
    usual = Sampling(max_tokens=100)
    assert [
        most_tokens(usual, wishes) for wishes in (None, Wishes(), Wishes(max_tokens=7), Wishes(max_tokens=900))
    ] == [
        100,
        100,
        7,
        100,
    ]
