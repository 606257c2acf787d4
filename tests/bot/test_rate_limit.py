"""Answers per hour: what is counted, and when there is room again."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.answers import Answered, Ask, Failed, RunningAnswer
from bot.conversation import Chat
from bot.engine.open import open_engine
from bot.rate_limit import HOUR, KINDS, Asker, Cap, RateLimiter, Spent, Taken, caps, sentence
from bot.texts import EN
from data.personas import Persona
from data.store import Store, StoredMessage
from tests.fakes.engine import FakeEngine

PLACES = [("channel", "4"), ("channel", "3"), ("channel", "2"), ("server", "1")]
ASKER = Asker(person=7, channel="3", server="1", places=PLACES)
limits = st.dictionaries(st.sampled_from(KINDS), st.integers(0, 5))


class Clock:
    def __init__(self) -> None:
        self.now = 1e6

    def __call__(self) -> float:
        return self.now


COUNTERS = ("a", "b", "c")
steps = st.lists(
    st.tuples(
        st.floats(0, 2000),
        st.dictionaries(st.sampled_from(COUNTERS), st.integers(1, 4), min_size=1),
        st.booleans(),
    ),
    max_size=60,
)


@given(steps)
def test_no_hour_holds_more_than_its_limit_and_nobody_is_refused_below_it(taken):
    clock = Clock()
    limiter = RateLimiter(clock)
    counted: dict[str, list[float]] = {name: [] for name in COUNTERS}
    for seconds, limits, fails in taken:
        clock.now += seconds
        within = {name: sum(at > clock.now - HOUR for at in counted[name]) for name in limits}
        full = {name for name, limit in limits.items() if within[name] >= limit}
        got = limiter.take([Cap("person", (name,), limit) for name, limit in limits.items()])
        assert isinstance(got, Spent) == bool(full)
        if isinstance(got, Spent):
            assert got.cap.counter[0] in full
            assert 0 < got.seconds <= HOUR
        elif fails:
            limiter.give_back(got)
        else:
            for name in limits:
                counted[name].append(clock.now)


@given(st.integers(1, 5), st.floats(1, HOUR - 1))
def test_there_is_room_again_at_the_stated_time_and_not_before(limit, later):
    clock = Clock()
    limiter = RateLimiter(clock)
    cap = Cap("channel", ("channel", "1"), limit)
    for _ in range(limit):
        assert isinstance(limiter.take([cap]), Taken)
    clock.now += later
    spent = limiter.take([cap])
    assert isinstance(spent, Spent)
    clock.now += spent.seconds - 0.5
    assert isinstance(limiter.take([cap]), Spent)
    clock.now += 0.6
    assert isinstance(limiter.take([cap]), Taken)


def test_the_longest_wait_is_stated_and_nothing_is_counted_if_one_limit_is_reached():
    clock = Clock()
    limiter = RateLimiter(clock)
    early, late = Cap("channel", ("c",), 1), Cap("server", ("s",), 2)
    limiter.take([early])
    clock.now += 600
    limiter.take([late])
    limiter.take([late])
    spent = limiter.take([early, late])
    assert isinstance(spent, Spent)
    assert spent.cap == late
    assert sentence(EN, spent) == EN.hourly_server.format(limit=2, minutes=60)
    clock.now += 3000  # the channel has room again, but the server does not
    assert isinstance(limiter.take([early, late]), Spent)
    assert isinstance(limiter.take([early]), Taken)


def test_counters_whose_hour_is_over_are_forgotten():
    clock = Clock()
    limiter = RateLimiter(clock)
    for person in range(5000):
        clock.now += 10
        limiter.take([Cap("person", ("person", str(person)), 5)])
    assert len(limiter._answers) < 2100


@given(limits, st.dictionaries(st.sampled_from([*PLACES, ("channel", "30")]), limits))
def test_a_places_limits_hold_beside_the_installations_and_the_most_specific_wins(installation, said):
    found = caps(ASKER, installation, said)
    own = {"person": ("person", "7"), "channel": ("channel", "3"), "server": ("server", "1")}
    for kind in KINDS:
        if installation.get(kind):  # whatever a server says, never looser than this
            assert Cap(kind, own[kind], installation[kind]) in found
        narrowest = next((place for place in PLACES if said.get(place, {}).get(kind)), None)
        others = [cap for cap in found if cap.kind == kind and cap.limit != installation.get(kind)]
        if narrowest is None:
            assert others == []
        else:
            assert {cap.limit for cap in others} <= {said[narrowest][kind]}
            assert said[narrowest][kind] in {cap.limit for cap in found if cap.kind == kind}


def test_a_places_own_limit_counts_answers_in_that_place():
    said = {("server", "1"): {"person": 5, "channel": 6, "server": 7}}
    assert {cap.counter for cap in caps(ASKER, {}, said)} == {
        ("person", "7", "server", "1"),
        ("channel", "3"),  # the thread's channel: opening threads does not add room
        ("server", "1"),
    }
    said = {("channel", "2"): {"person": 5, "channel": 6}}  # a category counts all its channels together
    assert {cap.counter for cap in caps(ASKER, {}, said)} == {("person", "7", "channel", "2"), ("channel", "2")}
    alone = Asker(person=7, channel="9", server=None, places=[("channel", "9")])
    assert {cap.kind for cap in caps(alone, dict.fromkeys(KINDS, 3), {})} == {"person", "channel"}


# -- in the core


class Core:
    def __init__(self, store: Store, chat: Chat) -> None:
        self.store, self.chat = store, chat
        self.clock = Clock()
        chat.rate_limiter = RateLimiter(self.clock)
        self.stored = 0

    def begin(self, limit: int) -> RunningAnswer:
        return self.chat.answer(
            Ask(
                person=1,
                channel="1",
                platform="discord",
                persona=Persona("assistant", "en", "Be brief.", "Hello."),
                question=self.question,
                caps=[Cap("person", ("person", "1"), limit)],
            )
        )

    async def ask(self, limit: int = 1) -> Answered | Failed:
        return await self.end(self.begin(limit))

    async def end(self, answer: RunningAnswer) -> Answered | Failed:
        *_, end = [event async for event in answer]
        assert isinstance(end, Answered | Failed)
        return end

    async def question(self) -> StoredMessage:
        self.stored += 1
        conversation = await self.store.conversation("discord", str(self.stored), persona="assistant")
        return await self.store.add_message(conversation, "user", "hello")


@pytest.fixture
async def fake() -> AsyncIterator[FakeEngine]:
    async with FakeEngine() as fake:
        yield fake


@pytest.fixture
async def core(tmp_path: Path, fake: FakeEngine) -> AsyncIterator[Core]:
    store = await Store.open(tmp_path)
    engine = await open_engine(tmp_path, url=fake.url)
    yield Core(store, Chat(store, engine))
    await engine.close()
    await store.close()


async def test_a_question_without_room_is_refused_and_not_stored(core: Core):
    assert isinstance(await core.ask(), Answered)
    assert await core.ask() == Failed(EN.hourly_person.format(limit=1, minutes=60))
    assert core.stored == 1
    core.clock.now += HOUR + 1
    assert isinstance(await core.ask(), Answered)


async def test_an_answer_that_fails_does_not_count(core: Core, fake: FakeEngine):
    fake.fail(400, message="no")
    assert isinstance(await core.ask(), Failed)
    fake.drop("half ", after=1)
    broken = await core.ask()
    assert isinstance(broken, Answered)
    assert broken.finish_reason == "error"
    assert isinstance(await core.ask(), Answered)
    assert isinstance(await core.ask(), Failed)


async def test_an_answer_that_waits_counts_already(core: Core, fake: FakeEngine):
    hold = asyncio.Event()
    fake.answer("slow", hold=hold)
    first, second, third = (core.begin(2) for _ in range(3))
    assert isinstance(await core.end(third), Failed)
    hold.set()
    assert isinstance(await core.end(first), Answered)
    assert isinstance(await core.end(second), Answered)
