"""How much feedback is new, counted in a real store."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from alignment.watching.feedback import Mark, fresh, newest, newest_at
from data.imports import import_rows
from data.row import Row
from data.store import Store
from tests.data.talk import Talk


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    found = await Store.open(tmp_path / "home")
    yield found
    await found.close()


def count(store: Store, seen: Mark | None = None, *, permission: bool = False, trial: bool = False) -> int:
    return fresh(store.database.path.parent, seen or Mark(), permission=permission, trial=trial)


def mark(store: Store) -> Mark:
    return newest(store.database.path.parent)


def test_a_home_without_a_database_has_nothing(tmp_path: Path) -> None:
    assert fresh(tmp_path, Mark(), permission=True, trial=True) == 0
    assert newest(tmp_path) == newest_at(tmp_path, "2026-01-01T00:00:00+00:00") == Mark()
    assert list(tmp_path.iterdir()) == []


def test_a_database_without_tables_yet_has_nothing(tmp_path: Path) -> None:
    (tmp_path / "parley.db").touch()
    assert fresh(tmp_path, Mark(), permission=True, trial=True) == 0
    assert newest(tmp_path) == Mark()


async def test_ratings_that_teach_count_once(store: Store) -> None:
    talk = await Talk.begin(store)
    ada = await talk.person()
    one, two = await talk.ask(ada, "a question", "one", "two")
    await talk.rate(ada, "vote", one, value="up")
    await talk.rate(ada, "vote", one, value="down")  # another click, the same opinion of one answer
    await talk.rate(ada, "comparison", one, other=two, value="a")
    await talk.rate(ada, "correction", two, text="right")
    await talk.rate(ada, "report", two)
    assert count(store) == 3


async def test_only_what_came_after_the_mark_is_new(store: Store) -> None:
    talk = await Talk.begin(store)
    ada = await talk.person()
    one, two = await talk.ask(ada, "a question", "one", "two")
    await talk.rate(ada, "vote", one, value="up")
    seen = mark(store)
    assert count(store, seen) == 0
    await talk.rate(ada, "vote", two, value="up")
    assert count(store, seen) == 1


async def test_people_who_took_their_consent_back_do_not_count(store: Store) -> None:
    talk = await Talk.begin(store)
    ada = await talk.person()
    (one,) = await talk.ask(ada, "a question", "one")
    await talk.rate(ada, "vote", one, value="up")
    await store.set_consent(ada, False)
    assert count(store) == 0
    await store.set_consent(ada, True)
    assert count(store) == 1


async def test_discord_counts_with_the_permission_and_its_comparisons_in_a_trial(store: Store) -> None:
    talk = await Talk.begin(store, "discord", "1")
    ada = await talk.person()
    one, two = await talk.ask(ada, "a question", "one", "two")
    await talk.rate(ada, "vote", one, value="up")
    await talk.rate(ada, "comparison", one, other=two, value="a")
    assert count(store) == 0
    assert count(store, trial=True) == 1
    assert count(store, permission=True) == 2


async def test_imported_rows_count_with_consent(store: Store) -> None:
    data = {"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]}
    told = {"messages": [{"role": "user", "content": "c"}, {"role": "assistant", "content": "d"}]}
    await import_rows(store, [Row("demonstration", data, {"id": "one"})])
    assert count(store) == 1
    seen = mark(store)
    await import_rows(store, [Row("demonstration", told, {"id": "2", "platform": "discord", "consent": True})])
    assert (count(store, seen), count(store, seen, permission=True)) == (0, 1)


async def test_a_mark_at_a_time_is_what_was_there_then(store: Store) -> None:
    talk = await Talk.begin(store)
    ada = await talk.person()
    one, two = await talk.ask(ada, "a question", "one", "two")
    await talk.rate(ada, "vote", one, value="up")
    between = datetime.now(UTC).isoformat()  # as a round's manifest holds it
    seen = mark(store)
    await talk.rate(ada, "vote", two, value="up")
    home = store.database.path.parent
    assert newest_at(home, between) == seen != mark(store)
    assert newest_at(home, "2020-01-01T00:00:00+00:00") == Mark()
