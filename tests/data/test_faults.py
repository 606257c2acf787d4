"""Faults done for real: processes that are killed in the middle, a clock that goes back, several processes at once.

Kills in a rating are in test_durability.py, those while a release is built in test_releases.py, those in a round in
tests/alignment/rounds/test_interrupted.py.
"""

import asyncio
import contextlib
import os
import random
import signal
import sqlite3
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from data import consent, schema
from data.check import check_home
from data.database import NAME
from data.imports import collect_rows
from data.migrations import migrate, revision_of
from data.releases import Releases
from data.restore import verify
from data.store import Store
from tests.data.backed_up import lived_in, texts
from tests.data.talk import Talk, script
from tests.data.test_durability import WRITER

pytestmark = pytest.mark.process

OLDER = (Path(__file__).parent / "older_home.sql").read_text(encoding="utf-8")
_CHANCE = random.SystemRandom()


def kill_after(house: Path, seconds: float, *command: str) -> str:
    """Start a Python that prints a line when it begins, and kill it some time later; returns what else it printed."""
    process = script(house, *command)
    assert process.stdout is not None
    assert process.stdout.readline(), process.communicate()
    time.sleep(seconds)
    os.kill(process.pid, signal.SIGKILL)
    said, _ = process.communicate()
    return said


MIGRATE = """
import pathlib, sys, time
from alembic.operations import Operations
from data.migrations import migrate
print("begins", flush=True)
real = Operations.execute
for name in ("add_column", "create_table", "batch_alter_table", "create_index", "execute"):
    def slow(self, *arguments, _real=getattr(Operations, name), **named):
        time.sleep(0.05)
        return _real(self, *arguments, **named)
    setattr(Operations, name, slow)
migrate(pathlib.Path(sys.argv[1]))
"""


@pytest.mark.parametrize("seconds", [0.1, 0.25, 0.45])
def test_a_kill_in_a_migration_leaves_the_schema_from_before_or_after(house: Path, seconds: float) -> None:
    house.mkdir()
    database = house / NAME
    with contextlib.closing(sqlite3.connect(database)) as connection:
        connection.executescript(OLDER)
    before = revision_of(database)
    kill_after(house, seconds, "-c", MIGRATE, str(database))
    with contextlib.closing(sqlite3.connect(database)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    found = revision_of(database)
    migrate(database)
    assert found in (before, revision_of(database))
    assert revision_of(database) != before


PROMOTE = """
import itertools, pathlib, sys
from data.releases import Releases
releases = Releases(pathlib.Path(sys.argv[1]))
print("begins", flush=True)
for turn in itertools.count():
    releases.promote(turn % 3)
    if turn % 4 == 3:
        releases.rollback()
"""


def test_kills_in_promotions_leave_a_champion_that_serves(house: Path) -> None:
    asyncio.run(lived_in(house))
    for _ in range(4):
        kill_after(house, _CHANCE.uniform(0.01, 0.15), "-c", PROMOTE, str(house))
        releases = Releases(house)
        assert releases.champion() in (0, 1, 2)
        releases.promote(1)
        releases.promote(2)
        assert releases.rollback() == 1
    assert not [finding for finding in check_home(house) if finding.damage and "releases" in finding.sentence]


EXPORT = """
import pathlib, sys, time
from alignment.serving.artefact import staged
with staged(pathlib.Path(sys.argv[1])) as temporary:
    temporary.write_bytes(b"GGUF, half of it")
    print("begins", flush=True)
    time.sleep(60)
"""


def test_a_kill_in_an_export_leaves_nothing_that_could_be_served(house: Path, tmp_path: Path) -> None:
    out = tmp_path / "adapter.gguf"
    kill_after(house, 0, "-c", EXPORT, str(out))
    assert not out.exists()
    second = EXPORT.replace("time.sleep(60)", "pass")
    assert script(house, "-c", second, str(out)).wait() == 0
    assert [path.name for path in tmp_path.iterdir() if "gguf" in path.name] == ["adapter.gguf"]


BACKUP = """
import pathlib, sys, time
from data import backup
real = backup.BackupWriter.add
def slow(self, name, source):
    print(name, flush=True)
    time.sleep(0.05)
    real(self, name, source)
backup.BackupWriter.add = slow
backup.write_backup(pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]), None)
"""


def test_a_kill_in_a_backup_leaves_no_file_and_the_next_one_clears_up(house: Path, tmp_path: Path) -> None:
    asyncio.run(lived_in(house))
    out = tmp_path / "b.tar"
    kill_after(house, 0.2, "-c", BACKUP, str(house), str(out))
    assert not out.exists()
    assert list(tmp_path.glob(".b.tar.*.unfinished"))
    assert script(house, "-m", "data", "backup", str(out)).wait() == 0
    assert verify(out, None).files
    assert not list(tmp_path.glob(".b.tar.*"))


RESTORE = """
import pathlib, sys, time
from data import restore
real = restore.verify
def slow(*arguments):
    found = real(*arguments)
    print("verified", flush=True)
    time.sleep(60)
restore.verify = slow
restore.restore(pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]), None, replace=True)
"""


def test_a_kill_in_a_restore_leaves_the_home_from_before(house: Path, tmp_path: Path) -> None:
    asyncio.run(lived_in(house))
    assert script(house, "-m", "data", "backup", str(tmp_path / "b.tar")).wait() == 0
    before = texts(house)
    kill_after(house, 0, "-c", RESTORE, str(house), str(tmp_path / "b.tar"))
    assert texts(house) == before
    assert not [finding for finding in check_home(house) if finding.damage]
    done = script(house, "-m", "data", "restore", "--replace", str(tmp_path / "b.tar"))
    assert done.wait() == 0, done.communicate()
    assert texts(house) == before


def test_two_bots_and_a_round_write_and_read_while_a_backup_is_made(house: Path, tmp_path: Path) -> None:
    writers = [
        script(house, "-c", WRITER, str(house), "first", "3"),
        script(house, "-c", WRITER, str(house), "second", "3"),
        script(house, "-c", WRITER, str(house), "round", "3", "copies"),
    ]
    for each in writers:
        assert each.stdout is not None
        assert each.stdout.readline() == "ready\n", each.communicate()
    saved = script(house, "-m", "data", "backup", str(tmp_path / "b.tar"))
    assert saved.wait() == 0, saved.communicate()
    # Not `communicate`: it would lose the lines that came with "ready".
    ends = [(each.stdout.read(), each.stderr.read()) for each in writers]  # type: ignore[union-attr]  # both are pipes
    assert [(each.wait(), errors) for each, (_, errors) in zip(writers, ends, strict=True)] == [(0, "")] * 3
    written = {line for out, _ in ends for line in out.split()}
    with contextlib.closing(sqlite3.connect(house / NAME)) as connection:
        assert {source for (source,) in connection.execute("SELECT source_id FROM ratings")} == written
    (tmp_path / "new").mkdir()
    verify(tmp_path / "b.tar", None, tmp_path / "new")
    with contextlib.closing(sqlite3.connect(tmp_path / "new" / NAME)) as connection:
        saved_ratings = {source for (source,) in connection.execute("SELECT source_id FROM ratings")}
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
    assert saved_ratings <= written


ROUND = """
import pathlib, sys, time
from alignment.rounds.manifest import RoundFolder
with RoundFolder.open(pathlib.Path(sys.argv[1]) / "rounds") as folder:
    print(folder.number, flush=True)
    time.sleep(60)
"""


def test_a_second_round_is_refused_while_the_first_runs_and_goes_on_after_its_kill(house: Path) -> None:
    first = script(house, "-c", ROUND, str(house))
    assert first.stdout is not None
    assert first.stdout.readline() == "1\n", first.communicate()
    second = script(house, "-c", ROUND, str(house))
    _, errors = second.communicate()
    assert second.returncode == 1
    assert "Another round is running" in errors
    os.kill(first.pid, signal.SIGKILL)
    first.communicate()
    third = script(house, "-c", ROUND, str(house))
    assert third.stdout is not None
    assert third.stdout.readline() == "1\n"  # the same round, not a new one
    third.kill()
    third.communicate()


class _Clock:
    """A clock that the test sets."""

    def __init__(self) -> None:
        self.at = datetime(2026, 11, 30, 12, tzinfo=UTC)

    def __call__(self) -> datetime:
        self.at += timedelta(seconds=1)
        return self.at


async def test_a_clock_that_goes_back_an_hour_changes_no_order_and_no_consent(
    house: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = _Clock()
    for table in (schema.Consent, schema.MessageVersion, schema.Rating, schema.MessageRow, schema.Generation):
        for name in ("at", "created_at"):
            if name in table.__table__.columns:
                monkeypatch.setattr(table.__table__.columns[name].default, "arg", lambda _context: clock())
    store = await Store.open(house)
    talk = await Talk.begin(store)
    ada = await talk.person("ada")
    (answer,) = await talk.ask(ada, "a question", "an answer")
    await talk.rate(ada, "vote", answer, value="up")
    clock.at -= timedelta(hours=1)
    await talk.rate(ada, "vote", answer, value="down")
    assert await store.vote(answer.generation, ada) == "down"  # the last one counts, whatever the clock says
    await store.set_consent(ada, False)
    assert not await store.agrees(ada)
    assert not (await collect_rows(store, discord_permission=None)).rows  # a no covers everything
    async with store.database.read() as session:
        assert not (await consent.consents_since(session)).get(ada)
    await store.close()


async def test_what_was_said_before_a_yes_is_not_covered_although_the_clock_went_back(
    house: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = await Store.open(house)
    talk = await Talk.begin(store)
    ada = await talk.person("ada", agrees=None)
    (answer,) = await talk.ask(ada, "said before the yes", "an answer")
    hour_ago = datetime.now(UTC) - timedelta(hours=1)
    monkeypatch.setattr(consent, "now", lambda: hour_ago)
    await store.set_consent(ada, True)
    monkeypatch.undo()
    await talk.rate(ada, "correction", answer, text="a correction after the yes")
    found = await collect_rows(store, discord_permission=None)
    assert not found.rows
    assert found.dropped
    await store.close()
