"""How many ratings of a day count, and which servers teach the shared model."""

from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data.candidates import NOT_HERE, OUTSIDE, OVER_QUOTA
from data.datasets import Collected
from data.errors import BadInput
from data.imports import collect_rows
from data.limits import Limits, Spent, limits_set, over_quota
from data.servers import _say_who_teaches, log
from data.store import Store
from tests.data.talk import Talk

DAY = datetime(2026, 11, 1, tzinfo=UTC)
SPENT = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 2), st.integers(0, 2 * 86_399)), max_size=60)


def spent(*ratings: tuple[str, str | None, float]) -> list[Spent]:
    """Ratings as (rater, server, seconds after midnight), named by their place in the list."""
    return [
        Spent(at, rater, server, DAY + timedelta(seconds=when)) for at, (rater, server, when) in enumerate(ratings)
    ]


async def rows(store: Store) -> Collected:
    return await collect_rows(store, discord_permission="letter")


def test_the_oldest_ratings_of_a_person_count_and_a_new_day_begins_anew() -> None:
    ratings = spent(("a", None, 30), ("a", None, 10), ("a", None, 20), ("b", None, 40), ("a", None, 86_400))
    assert over_quota(ratings, Limits(per_person=2)) == {0}
    assert over_quota(ratings, Limits(per_person=1)) == {0, 2}
    assert over_quota(ratings, Limits(per_person=1), exempt=["a"]) == set()
    assert over_quota(ratings, Limits(0, 0, 0)) == set()


def test_nobody_uses_up_the_quota_of_a_server_or_of_a_day() -> None:
    flood = [("flood", "1", float(at)) for at in range(100)]
    late = [("ada", "1", 500.0), ("bob", "1", 501.0), ("eve", "2", 502.0)]
    over = over_quota(spent(*flood, *late), Limits(0, 10, 0))
    assert over == set(range(8, 100))  # the people who came late have their first ratings of the day
    assert over_quota(spent(*flood, *late), Limits(0, 0, 10)) == set(range(7, 100))


@settings(deadline=None)
@given(SPENT, st.integers(0, 8), st.integers(0, 8), st.integers(0, 8))
def test_no_quota_is_ever_exceeded(
    found: list[tuple[int, int, int]], per_person: int, per_server: int, per_day: int
) -> None:
    ratings = spent(*((str(rater), str(server) if server else None, when) for rater, server, when in found))
    over = over_quota(ratings, Limits(per_person, per_server, per_day))
    left = [one for one in ratings if one.name not in over]
    for limit, keys in (
        (per_person, [(one.at.date(), one.rater) for one in left]),
        (per_server, [(one.at.date(), one.server) for one in left if one.server]),
        (per_day, [one.at.date() for one in left]),
    ):
        assert not limit or max(Counter(keys).values(), default=0) <= limit


def test_settings_that_are_no_numbers_and_no_ids_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    assert limits_set() == Limits()
    monkeypatch.setenv("PARLEY_TEACHING_SERVERS", "12, 34")
    monkeypatch.setenv("PARLEY_RATINGS_PER_DAY", "0")
    assert limits_set() == Limits(per_day=0, servers=("12", "34"))
    monkeypatch.setenv("PARLEY_TEACHING_SERVERS", "my server")
    with pytest.raises(BadInput, match="PARLEY_TEACHING_SERVERS: 'my' is not a server's id"):
        limits_set()
    monkeypatch.delenv("PARLEY_TEACHING_SERVERS")
    monkeypatch.setenv("PARLEY_RATINGS_PER_PERSON", "-3")
    with pytest.raises(BadInput, match="PARLEY_RATINGS_PER_PERSON: '-3' cannot be used: use a whole number"):
        limits_set()


async def test_votes_comparisons_and_corrections_share_a_quota(talk: Talk, monkeypatch: pytest.MonkeyPatch) -> None:
    ada, bob = await talk.person("ada"), await talk.person("bob")
    one, two = await talk.ask(ada, "a question", "one", "two")
    (three,) = await talk.ask(ada, "something else", "three")
    await talk.rate(ada, "comparison", one, other=two, value="a")
    await talk.rate(ada, "vote", three, value="up")
    await talk.rate(ada, "correction", three, text="better")
    await talk.rate(bob, "vote", three, value="up")
    monkeypatch.setenv("PARLEY_RATINGS_PER_PERSON", "2")
    found = await rows(talk.store)
    assert found.dropped["demonstration"] == {OVER_QUOTA: 1}
    assert found.dropped["preference"] == {OVER_QUOTA: 1}
    assert (len(found.of("labelled")), len(found.of("preference"))) == (1, 1)
    monkeypatch.setenv("PARLEY_RATINGS_PER_PERSON", "3")
    assert len((await rows(talk.store)).of("demonstration")) == 1


async def rated_on(store: Store, server: str | None, key: str, name: str = "ada", *, teach: bool = True) -> Talk:
    """Somebody asks and votes on a server of Discord, or in a direct conversation."""
    more = {} if server is None else {"server": await store.server("discord", server)}
    if server is not None:
        await store.set_may_teach("discord", server, teach)
    talk = await Talk.begin(store, "discord", key=key, **more)
    person = await talk.person(name)
    (answer,) = await talk.ask(person, f"a question in {key}", f"an answer in {key}")
    await talk.rate(person, "vote", answer, value="up")
    return talk


async def test_without_a_list_only_the_first_server_teaches_and_the_log_says_so(
    store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    _say_who_teaches.cache_clear()  # another test may have made it speak in this process
    await store.server("discord", "9")  # it was there before, and nobody talked there
    await rated_on(store, "1", "first")
    await rated_on(store, "2", "second", "bob")
    with caplog.at_level("WARNING", log.name):
        found = await rows(store)
    assert [row.data["completion"][0]["content"] for row in found.of("labelled")] == ["an answer in first"]
    assert found.dropped["labelled"] == {OUTSIDE: 1}
    assert "of 2 servers only the first one, 1, teaches the shared model" in caplog.text


async def test_the_operator_lists_the_servers_that_teach(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    for server in ("1", "2", "3"):
        await rated_on(store, server, f"place {server}", f"person {server}", teach=server != "3")
    monkeypatch.setenv("PARLEY_TEACHING_SERVERS", "2,3")
    found = await rows(store)
    assert [row.data["completion"][0]["content"] for row in found.of("labelled")] == ["an answer in place 2"]
    assert found.dropped["labelled"] == {OUTSIDE: 1, NOT_HERE: 1}  # a manager's no counts as before


@pytest.mark.played
async def test_a_direct_conversation_teaches_when_its_people_are_known_on_a_teaching_server(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    await rated_on(store, None, "ada alone")
    assert len((await rows(store)).of("labelled")) == 1  # nobody has talked on any server
    await rated_on(store, "1", "first")
    await rated_on(store, "2", "second", "bob")
    await rated_on(store, None, "bob alone", "bob")
    terminal = await Talk.begin(store)
    (answer,) = await terminal.ask(await terminal.person("eve"), "at the terminal", "here")
    await terminal.rate(await terminal.person("eve"), "vote", answer, value="up")
    found = {row.data["completion"][0]["content"] for row in (await rows(store)).of("labelled")}
    assert found == {"an answer in first", "an answer in ada alone", "here"}
    monkeypatch.setenv("PARLEY_TEACHING_SERVERS", "2")
    found = {row.data["completion"][0]["content"] for row in (await rows(store)).of("labelled")}
    assert found == {"an answer in second", "an answer in bob alone", "here"}
