"""The core: what the model sees, whose turn it is, what is recorded, and which ratings are kept."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from bot import history
from bot.answers import Answered, AnswerEvent, Ask, Failed, Piece, Queued, RunningAnswer
from bot.conversation import Chat, Limits
from bot.engine.api import Sampling
from bot.engine.open import open_engine
from bot.queue import AnswerQueue, ChannelMember, Full
from bot.ratings import RatingResult, Ratings, comparable
from bot.retention import purge
from bot.texts import EN
from data import schema
from data.chat import GENERIC_CONTROL, TEMPERATURE, harmless_messages, rendered_hash
from data.personas import Persona
from data.store import Store, StoredGeneration, StoredMessage
from tests.fakes.engine import FakeEngine

PERSONA = Persona("assistant", "en", "Be brief.", "Hello.")

# -- what the model sees


def stored(number: int, role: str, text: str, author: int | None = 1) -> StoredMessage:
    return StoredMessage(number, number, 1, role, text, author, number - 1 or None, datetime.now(UTC))


def cost(turns: list[StoredMessage]) -> int:
    return sum(4 + len(turn.text) for turn in turns)


conversations = st.lists(st.tuples(st.sampled_from(["user", "assistant"]), st.text(max_size=30)), max_size=24).map(
    lambda turns: [
        stored(number, role, text) for number, (role, text) in enumerate([*turns, ("user", "the newest")], start=1)
    ]
)


@given(conversations, st.integers(0, 900))
async def test_trimming_keeps_the_budget_the_order_the_pairs_and_the_newest(turns: list[StoredMessage], budget: int):
    shown = history.shown(turns)
    starts = history.starts([turn.role for turn in shown])

    async def fits(start: int) -> bool:
        return cost(shown[start:]) <= budget

    start = await history.first_fitting(starts, fits)
    assert shown[-1].text == "the newest"
    if start is None:
        assert cost(shown[-1:]) > budget
        return
    kept = shown[start:]
    assert cost(kept) <= budget
    assert kept == turns_in_order(turns, kept)
    assert kept[-1] is turns[-1]
    assert kept[0].role == "user"
    # never inside a pair: what was dropped ends with an answer, or the newest message stands alone
    assert start == 0 or shown[start - 1].role == "assistant" or len(kept) == 1
    # and nothing more could have been kept
    earlier = [other for other in starts if other < start]
    assert not earlier or cost(shown[earlier[-1] :]) > budget


def turns_in_order(turns: list[StoredMessage], kept: list[StoredMessage]) -> list[StoredMessage]:
    return [turn for turn in turns if turn in kept]


async def test_a_conversation_that_fits_is_counted_once():
    counts = []

    async def fits(start: int) -> bool:
        counts.append(start)
        return True

    assert await history.first_fitting([0, 2, 4, 6], fits) == 0
    assert counts == [0]


def test_erased_and_empty_messages_and_orphaned_answers_are_not_shown():
    turns = [stored(1, "assistant", "left over"), stored(2, "user", "a"), stored(3, "assistant", " ")]
    assert [turn.message for turn in history.shown([*turns, stored(4, "user", "b")])] == [2, 4]


@given(st.lists(st.sampled_from([*GENERIC_CONTROL, "a", " ", "<|", "|>", "im_end"]), max_size=12).map("".join))
def test_nothing_that_is_sent_holds_a_control_string(text: str):
    prompt = history.prompt(text, [stored(1, "user", text)], GENERIC_CONTROL)
    for message in prompt.messages:
        assert not any(control in message["content"] for control in GENERIC_CONTROL)
    assert list(prompt.messages) == harmless_messages(prompt.messages, GENERIC_CONTROL)


@given(st.integers(1, 4096), st.integers(2, 8192))
def test_the_answer_never_takes_more_than_half_of_the_context(max_tokens: int, context: int):
    assert 1 <= history.answer_room(max_tokens, context) <= max(1, context // 2)


# -- whose turn it is

moves = st.lists(
    st.one_of(
        st.tuples(st.just("enter"), st.integers(1, 3), st.sampled_from("xy")),
        st.tuples(st.just("leave"), st.integers(0, 30), st.just("")),
    ),
    max_size=60,
)


@given(moves, st.integers(1, 3), st.integers(0, 5), st.integers(0, 2))
def test_a_queue_never_runs_two_of_a_person_in_a_channel_nor_loses_anyone(
    moves: list[tuple[str, int, str]], slots: int, waiting: int, per_person: int
):
    queue = AnswerQueue(slots, waiting, per_person)
    of: dict[int, ChannelMember] = {}
    running: set[int] = set()
    line: list[int] = []
    for ticket, (move, number, channel) in enumerate(moves):
        if move == "enter":
            place = queue.enter(ticket, ChannelMember(number, channel))
            if isinstance(place, Full):
                mine = sum(of[other] == ChannelMember(number, channel) for other in line)
                assert len(line) >= waiting if place is Full.EVERYONE else mine >= per_person
                continue
            of[ticket] = ChannelMember(number, channel)
            if place == 0:
                running.add(ticket)
            else:
                line.append(ticket)
                assert place == len(line)
        else:
            running.discard(number)
            line = [other for other in line if other != number]
            for started in queue.leave(number):
                line.remove(started)
                running.add(started)
        assert len(running) <= slots
        assert len(line) <= waiting
        assert len({of[ticket] for ticket in running}) == len(running)
        # nobody who could run waits
        assert len(running) == slots or all(of[t] in {of[r] for r in running} for t in line)
        # a person's questions in a channel keep their order: the one that runs came before those that wait
        assert all(r < t for r in running for t in line if of[r] == of[t])
    while running:
        for started in queue.leave(running.pop()):
            line.remove(started)
            running.add(started)
    assert line == []


def test_a_person_in_many_channels_does_not_keep_others_waiting():
    queue = AnswerQueue(slots=2, waiting=9, waiting_per_person=3)
    assert [queue.enter(number, ChannelMember(1, f"c{number}")) for number in range(4)] == [0, 0, 1, 2]
    assert queue.enter(9, ChannelMember(2, "c0")) == 3
    assert queue.leave(0) == [9]


# -- answering, with a store and an engine


class World:
    """A store, a fake engine, a chat and two people."""

    def __init__(self, store: Store, fake: FakeEngine, chat: Chat) -> None:
        self.store = store
        self.fake = fake
        self.chat = chat
        self.ratings = Ratings(store)
        self.ada = self.bea = self.conversation = 0

    def ask(self, text: str, *, parent: int | None = None, person: int = 0, channel: str = "c", **more: Any) -> Ask:
        async def question() -> StoredMessage:
            return await self.store.add_message(
                self.conversation, "user", text, author=person or self.ada, parent=parent, **more
            )

        return Ask(
            person=person or self.ada, channel=channel, platform="terminal", persona=PERSONA, question=question
        )

    async def say(self, text: str, **more: Any) -> StoredGeneration:
        end = (await events(self.chat.answer(self.ask(text, **more))))[-1]
        assert isinstance(end, Answered), end
        return end.generation

    async def row(self, generation: StoredGeneration) -> schema.Generation:
        async with self.store.database.read() as session:
            return await session.get_one(schema.Generation, generation.generation)

    async def count(self, table: type[schema.Base]) -> int:
        async with self.store.database.read() as session:
            return len((await session.scalars(select(table))).all())


@asynccontextmanager
async def opened(home: Path, *, context: int = 2048, **options: Any) -> AsyncIterator[World]:
    store = await Store.open(home)
    async with FakeEngine(context=context) as fake:
        engine = await open_engine(home, url=fake.url)
        chat = Chat(store, engine, **options)
        world = World(store, fake, chat)
        world.ada = await store.person("terminal", "ada")
        world.bea = await store.person("terminal", "bea")
        world.conversation = await store.conversation("terminal", "k", persona="assistant")
        try:
            yield world
        finally:
            await chat.close()
            await engine.close()
            await store.close()


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with opened(tmp_path) as world:
        yield world


async def events(answer: RunningAnswer) -> list[AnswerEvent]:
    async with asyncio.timeout(20):
        return [event async for event in answer]


async def until(answer: RunningAnswer, wanted: type[AnswerEvent]) -> None:
    async with asyncio.timeout(20):
        async for event in answer:
            if isinstance(event, wanted):
                return


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
        assert row.rendered_sha256 == rendered_hash(sent, session.template)
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
        while not world.fake.running:  # noqa: ASYNC110
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
    await world.store.erase_message("terminal", "m1")
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


# -- ratings


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
    assert await correct(world.ada, first.generation, "Hi!", source_id="c2", **how) is RatingResult.STORED
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
    await world.store.erase_message("terminal", "m1")
    outcome = await world.ratings.vote(world.ada, said.generation, "up", platform="terminal", source_id="s")
    assert outcome is RatingResult.GONE


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
