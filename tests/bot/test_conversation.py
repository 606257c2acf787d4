"""Answering with a store and an engine: what is sent, what is recorded, and what is said when it fails."""

import asyncio
import itertools
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from bot.answers import Answered, Ask, Failed, Paired, Piece, Queued
from bot.conversation import Limits
from bot.engine.api import Sampling
from bot.ratings import comparable
from bot.retention import purge
from bot.streaming import LONGEST
from bot.texts import EN
from data import schema
from data.chat import TEMPERATURE, rendered_hash
from data.generations import prompt_hash
from data.store import StoredMessage
from tests.bot.core import PERSONA, World, events, opened, until


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with opened(tmp_path) as world:
        yield world


async def test_an_answer_streams_and_is_recorded_with_all_that_made_it(world: World):
    world.fake.answer("Pa", "ris", ".")
    got = await events(world.chat.answer(world.ask("The capital of <|im_end|> France?")))
    assert [event.text for event in got if isinstance(event, Piece)] == ["Pa", "ris", "."]
    end = got[-1]
    assert isinstance(end, Answered)
    assert (end.generation.text, end.finish_reason, end.note) == ("Paris.", "stop", None)
    sent = world.fake.requests[0]["messages"]
    assert sent == [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "The capital of < |im_end|> France?"},
    ]
    row = await world.row(end.generation)
    async with world.chat.engine.session() as session:
        assert row.rendered_sha256 == prompt_hash(world.chat.store._key, rendered_hash(sent, session.template))
    assert (row.finish_reason, row.release, row.platform) == ("stop", 0, "terminal")
    assert row.seed == row.sampling["seed"] == world.fake.requests[0]["seed"]
    assert row.sampling["temperature"] == TEMPERATURE
    assert row.prompt_tokens
    assert row.completion_tokens == 3
    assert row.first_token_seconds is not None
    # the text as it was typed is what is kept
    assert [turn.text for turn in await world.store.path(end.generation.message)] == [
        "The capital of <|im_end|> France?",
        "Paris.",
    ]


async def test_the_conversation_so_far_is_the_context(world: World):
    first = await world.say("one")
    second = await world.say("two", parent=first.message)
    assert [m["content"] for m in world.fake.requests[1]["messages"]] == ["Be brief.", "one", first.text, "two"]
    async with world.store.database.read() as session:
        query = select(schema.GenerationContext.version_id).where(
            schema.GenerationContext.generation_id == second.generation
        )
        versions = (await session.scalars(query.order_by(schema.GenerationContext.position))).all()
    assert list(versions) == [turn.version for turn in (await world.store.path(second.parent or 0))]


async def test_several_speakers_are_told_apart_by_number(world: World):
    first = await world.say("hi")
    second = await world.say("me too", parent=first.message, person=world.bea)
    await world.say("and I", parent=second.message)
    said = [[m["content"] for m in r["messages"] if m["role"] == "user"] for r in world.fake.requests]
    assert said[0] == ["hi"]
    assert said[2] == ["Person 1: hi", "Person 2: me too", "Person 1: and I"]


async def test_a_persona_may_have_the_model_think_and_its_answer_alone_is_kept(world: World):
    world.fake.answer("<think>\nThey ask for two and three.\n</think>\n\n", "It is 5.")
    thoughtful = await world.say("What is 2 + 3?", persona=replace(PERSONA, thinks=True))
    assert world.fake.requests[-1]["chat_template_kwargs"] == {"enable_thinking": True}
    plain = await world.say("And 3 + 3?", parent=thoughtful.message)
    assert "chat_template_kwargs" not in world.fake.requests[-1]
    assert [m["content"] for m in world.fake.requests[-1]["messages"]][2] == thoughtful.text == "It is 5."
    recorded = [(await world.row(each)).sampling.get("thinks") for each in (thoughtful, plain)]
    assert recorded == [True, None]


async def test_old_pairs_go_when_the_context_is_full(tmp_path: Path):
    async with opened(tmp_path, context=90, sampling=Sampling(max_tokens=30)) as world:
        parent = None
        for number in range(6):
            parent = (await world.say(f"question {number} {'word ' * 5}", parent=parent)).message
        contents = [m["content"] for m in world.fake.requests[-1]["messages"]]
        assert contents[0] == "Be brief."
        assert contents[-1].startswith("question 5")
        assert "question 0" not in " ".join(contents)
        assert world.fake.requests[-1]["messages"][1]["role"] == "user"


@pytest.mark.simulation
async def test_past_the_limit_a_prompt_goes_on_where_the_one_before_ended(tmp_path: Path):
    """So the engine computes what is new only. Two people talk, one answer is asked again, and some branch off."""
    async with opened(tmp_path, context=400, sampling=Sampling(max_tokens=40)) as world:
        said = [await world.say("hello", person=world.bea)]
        for number in range(60):
            person = world.bea if number % 7 else world.ada
            said.append(await world.say(f"question {number} {'word ' * 3}", parent=said[-1].message, person=person))
        prompts = [request["messages"] for request in world.fake.requests]
        went_on = [later[: len(before)] == before for before, later in itertools.pairwise(prompts)]
        assert 3 <= went_on.count(False) <= 15
        await events(world.chat.again(world.ask(""), said[50]))
        assert world.fake.requests[-1]["messages"] == prompts[50]
        await world.say(f"question 50 {'word ' * 3}", parent=said[50].message, person=world.bea)
        assert world.fake.requests[-1]["messages"] == prompts[51]
        pair = (await events(world.chat.pair(world.ask(""), said[40])))[-1]
        assert isinstance(pair, Paired)
        assert world.fake.requests[-1]["messages"] == prompts[40]


async def test_a_message_that_is_too_long_gives_a_sentence_and_is_not_recorded_as_an_answer(tmp_path: Path):
    async with opened(tmp_path, context=60, sampling=Sampling(max_tokens=20)) as world:
        end = (await events(world.chat.answer(world.ask("word " * 100))))[-1]
        assert isinstance(end, Failed)
        assert end.sentence.startswith("This message is too long: it takes ")
        assert world.fake.requests == []
        assert await world.count(schema.Generation) == 0


async def test_history_tokens_bound_what_is_sent(tmp_path: Path):
    async with opened(tmp_path, limits=Limits(history_tokens=64)) as world:
        first = await world.say("word " * 12)
        await world.say("word " * 12, parent=first.message)
        assert len(world.fake.requests[1]["messages"]) == 2


async def test_stop_keeps_and_records_what_was_said(world: World):
    world.fake.answer("half ", "never", hold=asyncio.Event())
    answer = world.chat.answer(world.ask("go on"))
    await until(answer, Piece)
    answer.stop()
    end = (await events(answer))[-1]
    assert isinstance(end, Answered)
    assert (end.generation.text, end.finish_reason, end.note) == ("half ", "stopped", EN.stopped)
    assert (await world.row(end.generation)).finish_reason == "stopped"
    async with asyncio.timeout(10):
        while world.fake.running:  # noqa: ASYNC110 - the server was told, too
            await asyncio.sleep(0.01)


async def test_stop_before_the_first_word_records_nothing(world: World):
    world.fake.answer("never", hold=asyncio.Event())
    answer = world.chat.answer(world.ask("go on"))
    async with asyncio.timeout(10):
        while not world.fake.running:  # noqa: ASYNC110 - the test polls
            await asyncio.sleep(0.01)
    answer.stop()
    assert (await events(answer))[-1] == Failed(EN.stopped_early)
    assert await world.count(schema.Generation) == 0


async def test_an_answer_that_nobody_reads_is_recorded_anyway(world: World):
    answer = world.chat.answer(world.ask("hello"))
    await answer.wait()
    assert await world.count(schema.Generation) == 1


async def test_close_stops_and_records_what_runs(world: World):
    world.fake.answer("half ", "never", hold=asyncio.Event())
    answer = world.chat.answer(world.ask("go on"))
    await until(answer, Piece)
    await world.chat.close()
    assert await world.count(schema.Generation) == 1


async def test_an_engine_that_fails_gives_a_sentence(world: World):
    world.fake.fail(400, message="no")
    end = (await events(world.chat.answer(world.ask("hello"))))[-1]
    assert isinstance(end, Failed)
    assert end.sentence
    assert "Traceback" not in end.sentence
    assert await world.count(schema.Generation) == 0
    assert (await world.say("again?")).text == "a fake answer"  # and the person can ask again


async def test_an_engine_that_breaks_off_leaves_what_was_said(world: World):
    world.fake.drop("half", " gone", after=1)
    end = (await events(world.chat.answer(world.ask("hello"))))[-1]
    assert isinstance(end, Answered)
    assert (end.generation.text, end.finish_reason) == ("half", "error")
    assert end.note is not None
    assert end.note.startswith("(The answer broke off: ")


async def test_a_cut_off_answer_says_so(world: World):
    world.fake.answer("so", " long", finish_reason="length")
    end = (await events(world.chat.answer(world.ask("hello"))))[-1]
    assert isinstance(end, Answered)
    assert end.note == EN.cut_off.format(tokens=512)


async def test_a_failing_store_gives_a_sentence_and_the_person_can_ask_again(world: World):
    async def question() -> StoredMessage:
        raise OSError("disk full")

    ask = Ask(person=world.ada, channel="c", platform="terminal", persona=PERSONA, question=question)
    assert (await events(world.chat.answer(ask)))[-1] == Failed(EN.internal_error)
    await world.say("still there?")


async def test_again_is_a_sibling_with_the_same_context_and_another_seed(world: World):
    first = await world.say("one")
    answered = await world.say("two", parent=first.message)
    end = (await events(world.chat.again(world.ask("unused"), answered)))[-1]
    assert isinstance(end, Answered)
    second = end.generation
    assert second.parent == answered.parent
    assert comparable(answered, second)
    assert world.fake.requests[1]["messages"] == world.fake.requests[2]["messages"]
    assert world.fake.requests[1]["seed"] != world.fake.requests[2]["seed"]
    assert await world.count(schema.MessageRow) == 5  # two questions, three answers


async def test_again_after_an_edit_is_not_comparable_and_after_a_deletion_not_possible(world: World):
    first = await world.say("one", platform_id="m1")
    await world.store.edit_message("terminal", "m1", "one, edited")
    end = (await events(world.chat.again(world.ask("unused"), first)))[-1]
    assert isinstance(end, Answered)
    assert world.fake.requests[1]["messages"][-1]["content"] == "one, edited"
    assert not comparable(first, end.generation)
    await world.store.eraser.erase_message("terminal", "m1")
    assert (await events(world.chat.again(world.ask("unused"), first)))[-1] == Failed(EN.question_gone)


async def test_one_person_waits_in_a_channel_and_a_second_does_not(world: World):
    hold = asyncio.Event()
    world.fake.answer("first ", "done", hold=hold)
    running = world.chat.answer(world.ask("one"))
    await until(running, Piece)
    waiting = world.chat.answer(world.ask("two"))
    elsewhere = await events(world.chat.answer(world.ask("three", person=world.bea)))
    assert isinstance(elsewhere[-1], Answered)
    assert not any(isinstance(event, Queued) for event in elsewhere)
    hold.set()
    got = await events(waiting)
    assert got[0] == Queued(1)
    assert isinstance(got[-1], Answered)
    assert [r["messages"][-1]["content"] for r in world.fake.requests] == ["one", "three", "two"]


async def test_the_line_is_bounded_and_a_person_who_stops_waiting_leaves_no_trace(tmp_path: Path):
    async with opened(tmp_path, limits=Limits(slots=1, waiting=2, waiting_per_person=1)) as world:
        hold = asyncio.Event()
        world.fake.answer("first ", "done", hold=hold)
        running = world.chat.answer(world.ask("one"))
        await until(running, Piece)
        patient = world.chat.answer(world.ask("two"))
        await until(patient, Queued)
        assert await events(world.chat.answer(world.ask("three"))) == [Failed(EN.queue_full_person.format(waiting=1))]
        other = world.chat.answer(world.ask("four", person=world.bea))
        await until(other, Queued)
        third = await world.store.person("terminal", "cem")
        assert await events(world.chat.answer(world.ask("five", person=third))) == [Failed(EN.queue_full)]
        other.stop()
        assert (await events(other))[-1] == Failed(EN.stopped_early)
        hold.set()
        assert isinstance((await events(patient))[-1], Answered)
        assert [r["messages"][-1]["content"] for r in world.fake.requests] == ["one", "two"]
        assert await world.count(schema.MessageRow) == 4  # turned away and withdrawn questions were never kept


async def test_purge_erases_only_what_is_due(world: World):
    await world.say("hello")
    assert await purge(world.store, 1) == 0
    assert await purge(world.store, 0) == 2  # the question, and the answer that may repeat it


@settings(max_examples=5, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.text(min_size=1, max_size=200).filter(lambda text: text.strip()))
async def test_any_text_survives_the_way_through_store_and_engine(tmp_path: Path, text: str):
    async with opened(tmp_path) as world:
        said = await world.say(text)
        path = await world.store.path(said.message)
        assert path[0].text == text


@pytest.mark.played
async def test_an_answer_has_a_longest_length_whatever_the_server_sends(world: World):
    world.fake.answer(*["ten chars "] * (LONGEST // 10 + 50), hold=asyncio.Event())  # it would never end
    end = (await events(world.chat.answer(world.ask("go on for ever"))))[-1]
    assert isinstance(end, Answered)
    assert len(end.generation.text) == LONGEST
    assert (end.finish_reason, end.note) == ("length", EN.outgrown.format(characters=LONGEST))
    assert (await world.row(end.generation)).finish_reason == "length"
    async with asyncio.timeout(10):
        while world.fake.running:  # noqa: ASYNC110 - the test polls; the server was told to stop
            await asyncio.sleep(0.01)


async def test_an_answer_of_just_the_longest_length_is_whole(world: World):
    world.fake.answer("x" * LONGEST)
    end = (await events(world.chat.answer(world.ask("write"))))[-1]
    assert isinstance(end, Answered)
    assert (end.finish_reason, end.note) == ("stop", None)


async def test_a_longer_answer_in_one_piece_is_cut_too(world: World):
    world.fake.answer("x" * (LONGEST * 3))
    end = (await events(world.chat.answer(world.ask("write"))))[-1]
    assert isinstance(end, Answered)
    assert (len(end.generation.text), end.finish_reason) == (LONGEST, "length")
