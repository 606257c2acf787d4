"""How much feedback is new since a round, counted in a real store."""

import shutil
import sqlite3
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

import data.fresh
from data.bulk import reading
from data.fresh import fresh, newest, newest_at, seen_now, seen_of
from data.imports import import_rows
from data.row import Row
from data.seen import Seen
from data.standings import Deed, set_standing
from data.store import Store
from tests.data.talk import Talk


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    found = await Store.open(tmp_path / "home")
    yield found
    await found.close()


def count(store: Store, seen: Seen | None = None, *, permission: bool = False, trial: bool = False) -> int:
    return fresh(store.database.path.parent, seen or Seen(), permission=permission, trial=trial)


def mark(store: Store, *, permission: bool = False) -> Seen:
    return seen_now(store.database.path.parent, permission=permission)


async def decide(store: Store, person: int, deed: Deed) -> None:
    async with store.database.write() as session:
        assert await set_standing(session, person, deed)


def test_a_home_without_a_database_has_nothing(tmp_path: Path) -> None:
    assert fresh(tmp_path, Seen(), permission=True, trial=True) == 0
    assert newest(tmp_path) == newest_at(tmp_path, "2026-01-01T00:00:00+00:00") == Seen()
    assert list(tmp_path.iterdir()) == []


def test_a_database_without_tables_yet_has_nothing(tmp_path: Path) -> None:
    (tmp_path / "parley.db").touch()
    assert fresh(tmp_path, Seen(), permission=True, trial=True) == 0
    assert newest(tmp_path) == Seen()


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
    assert count(store) == 0  # the new yes does not cover what was said before
    (two,) = await talk.ask(ada, "another question", "two")
    await talk.rate(ada, "vote", two, value="up")
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
    assert newest_at(home, between) == seen != newest(home)
    assert newest_at(home, "2020-01-01T00:00:00+00:00") == Seen()


async def rated(store: Store, *questions: str, name: str = "ada") -> int:
    talk = await Talk.begin(store)
    person = await talk.person(name)
    for question in questions:
        (answer,) = await talk.ask(person, question, "one")
        await talk.rate(person, "vote", answer, value="up")
    return person


async def test_a_restored_backup_that_grew_past_the_mark_hides_nothing_new(tmp_path: Path) -> None:
    store = await Store.open(tmp_path / "home")
    await rated(store, "a", "b")
    await store.close()
    shutil.copytree(tmp_path / "home", tmp_path / "backup")
    store = await Store.open(tmp_path / "home")
    await rated(store, "c", "d")
    seen = mark(store)
    assert seen_of(tmp_path / "home", seen) == seen
    await store.close()
    store = await Store.open(tmp_path / "backup")
    assert seen_of(tmp_path / "backup", seen).ratings == 2
    await rated(store, "e", "f", "g")  # the numbers 3 and 4 mean other ratings now
    now = seen_of(tmp_path / "backup", seen)
    assert (now.ratings, count(store, now)) == (2, 3)
    assert (count(store, seen), seen_of(tmp_path / "backup", now)) == (1, now)
    await store.close()


async def test_numbers_that_are_given_again_after_somebody_was_forgotten_are_new(store: Store) -> None:
    await rated(store, "a", "b")
    eve = await rated(store, "c", "d", name="eve")
    seen = mark(store)
    await store.eraser.forget(eve)
    await rated(store, "e", "f", "g")
    now = seen_of(store.database.path.parent, seen)
    assert (now.ratings, count(store, now)) == (2, 3)


async def test_what_was_held_back_is_cut_where_the_database_ends(store: Store) -> None:
    await rated(store, "a", "b")
    seen = Seen(ratings=60, held_ratings=((2, 3), (50, 55)), rows=9, held_rows=((9, 9),))
    now = seen_of(store.database.path.parent, seen)
    assert (now.ratings, now.held_ratings, now.rows, now.held_rows) == (2, ((2, 2),), 0, ())


async def test_what_came_through_discord_is_new_once_the_permission_is_there(store: Store) -> None:
    talk, here = await Talk.begin(store, "discord", "1"), await Talk.begin(store)
    ada, ben = await talk.person(), await here.person("ben")
    for number in range(3):
        one, two = await talk.ask(ada, f"question {number}", "one", "two")
        await talk.rate(ada, "vote", one, value="up")
        await talk.rate(ada, "comparison", one, other=two, value="a")
        (answer,) = await here.ask(ben, f"another {number}", "one")
        await here.rate(ben, "vote", answer, value="up")
    told = {"messages": [{"role": "user", "content": "c"}, {"role": "assistant", "content": "d"}]}
    await import_rows(store, [Row("demonstration", told, {"id": "2", "platform": "discord", "consent": True})])
    seen = mark(store)
    assert replace(seen, ratings_at=None, rows_at=None) == Seen(
        ratings=9, rows=1, held_ratings=((1, 2), (4, 5), (7, 8)), held_rows=((1, 1),)
    )
    assert count(store, seen) == count(store, seen, trial=True) == 0  # a round looked at the trial's comparisons
    assert count(store, seen, permission=True) == 7
    assert count(store, mark(store, permission=True), permission=True) == 0


async def test_a_server_that_may_teach_by_now_brings_its_ratings(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("1", "2"):
        talk = await Talk.begin(store, "discord", name, server=await store.server("discord", name))
        ada = await talk.person(f"ada {name}")
        (answer,) = await talk.ask(ada, "a question", "one")
        await talk.rate(ada, "vote", answer, value="up")
    seen = mark(store, permission=True)
    assert count(store, seen, permission=True) == 0
    await store.set_may_teach("discord", "1", True)
    assert count(store, seen, permission=True) == 1
    await store.set_may_teach("discord", "2", True)
    assert count(store, seen, permission=True) == 1  # without a list the first server teaches
    monkeypatch.setenv("PARLEY_TEACHING_SERVERS", "1, 2")
    assert count(store, seen, permission=True) == 2


async def test_a_quota_that_was_raised_frees_what_was_over_it(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PARLEY_RATINGS_PER_PERSON", "3")
    talk = await Talk.begin(store)
    ada = await talk.person()
    for number in range(5):
        (answer,) = await talk.ask(ada, f"question {number}", "one")
        await talk.rate(ada, "vote", answer, value="up")
    seen = mark(store)
    assert seen.held_ratings == ((4, 5),)
    assert (count(store), count(store, seen)) == (3, 0)
    monkeypatch.setenv("PARLEY_RATINGS_PER_PERSON", "4")
    assert count(store, seen) == 1
    await decide(store, ada, "vouch")
    assert count(store, seen) == 2


async def test_people_whose_ratings_an_operator_took_out_do_not_count_until_they_do_again(store: Store) -> None:
    talk = await Talk.begin(store)
    ada = await talk.person()
    (one,) = await talk.ask(ada, "a question", "one")
    await talk.rate(ada, "vote", one, value="up")
    await decide(store, ada, "void")
    seen = mark(store)
    assert count(store) == count(store, seen) == 0
    await decide(store, ada, "unvoid")
    assert count(store, seen) == 1


async def test_no_text_is_read_to_count(store: Store) -> None:
    talk = await Talk.begin(store)
    ada = await talk.person()
    (one,) = await talk.ask(ada, "a question", "one")
    await talk.rate(ada, "correction", one, text="right")
    read = []

    def watch(action: int, table: str | None, column: str | None, *_: object) -> int:
        read.append((action, table, column))
        return sqlite3.SQLITE_OK

    path = store.database.path
    with reading(path) as connection:
        connection.set_authorizer(watch)
        values = {"among": "[[0, 9]]", "days": None, "permission": 1, "teaching": "[]"}
        connection.execute(data.fresh._RATINGS, values).fetchall()
    assert {table for _, table, _ in read if table} >= {"ratings", "generations", "consents"}
    assert "message_versions" not in {table for _, table, _ in read}
