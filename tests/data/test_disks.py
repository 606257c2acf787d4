"""A full disk, one that can only be read, a database that somebody holds: a sentence, and nothing is lost.

The disks are real ones in memory, mounted in a namespace of their own. Where the system does not allow that, the
tests say so and are skipped.
"""

import contextlib
import errno
import functools
import os
import shlex
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy import text

from data import database
from data.database import NAME
from data.errors import in_words, run
from data.store import Store
from data.store_errors import BUSY, StoreError
from tests.data.talk import ROOT, Talk

CHAT = """
import asyncio, os, pathlib, sys
from bot.conversation import Chat
from bot.engine.open import open_engine
from bot.settings import Settings
from bot.terminal.chat import Terminal
from bot.texts import EN
from data.store import Store
from tests.bot.terminal.world import Paper, ScriptedLines
from tests.fakes.engine import FakeEngine

home = pathlib.Path(sys.argv[1])
ballast = home.parent / "ballast"

def fill():
    with ballast.open("ab", buffering=0) as file:
        try:
            while True:
                file.write(b"x" * 512)
        except OSError:
            pass

class Lines(ScriptedLines):
    async def read(self, prompt=""):
        line = await super().read(prompt)
        if line == "FILL":
            fill()
        elif line == "EMPTY":
            ballast.unlink()
        else:
            return line
        return await self.read(prompt)

async def main():
    store = await Store.open(home)
    async with FakeEngine() as fake:
        engine = await open_engine(home, url=fake.url)
        chat, paper = Chat(store, engine), Paper()
        full = ["FILL", *["a question on a full disk"] * 4, "/down"]
        typed = Lines(["first question", "/consent yes", "y", "y", "second question", "/up", *full, "EMPTY",
                       "a question with room again", "/up"])
        await Terminal(store, chat, Settings(_env_file=None), EN, typed, paper).run()
        await chat.close()
        await engine.close()
    await store.close()
    store = await Store.open(home)
    from sqlalchemy import text
    async with store.database.read() as session:
        said = (await session.scalars(text("SELECT text FROM message_versions WHERE text LIKE '%question%'"))).all()
        votes = (await session.scalars(text("SELECT value FROM ratings"))).all()
        assert (await session.scalar(text("PRAGMA integrity_check"))) == "ok"
    await store.close()
    assert {"first question", "second question", "a question with room again"} <= set(said), said
    assert votes.count("up") == 2, votes
    print(paper.text)
asyncio.run(main())
"""


@functools.cache
def mountable() -> bool:
    """Whether a disk in memory may be mounted here."""
    trial = ["unshare", "-rm", "sh", "-c", "mount -t tmpfs -o size=64k none /mnt"]
    try:
        return subprocess.run(trial, capture_output=True, check=False, timeout=240).returncode == 0
    except OSError:
        return False


def on_a_disk(at: Path, size: str, command: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    """Run a shell command with a small disk of its own mounted at a folder."""
    if not mountable():
        pytest.skip("this system does not let us mount a disk in memory (unshare -rm, mount -t tmpfs)")
    at.mkdir(exist_ok=True)
    script = f"mount -t tmpfs -o size={size},mode=700 none {shlex.quote(str(at))} && {command}"
    surroundings = {**os.environ, "PYTHONPATH": str(ROOT), "PARLEY_HOME": str(at / "home"), **environment}
    return subprocess.run(
        ["unshare", "-rm", "sh", "-c", script],
        cwd=ROOT,
        env=surroundings,
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
    )


def python(*arguments: str | Path) -> str:
    return shlex.join([sys.executable, *map(str, arguments)])


FILL = "cat /dev/zero > {at}/ballast 2>/dev/null; "


@pytest.mark.process
def test_a_full_disk_in_the_middle_of_a_chat_is_named_and_nothing_acknowledged_is_lost(tmp_path: Path) -> None:
    at = tmp_path / "disk"
    result = on_a_disk(at, "2m", python("-c", CHAT, at / "home"))
    assert result.returncode == 0, result.stderr
    assert result.stdout.count("The disk that I write to is full") >= 2
    assert "the disk is full. Make room and try again" in result.stderr  # the log says where
    assert "Traceback" not in result.stderr


@pytest.mark.process
@pytest.mark.parametrize("command", [("data", "stats"), ("data", "import", "data/seed/tutor/preferences.en.jsonl")])
def test_a_full_disk_at_the_start_is_named(tmp_path: Path, command: tuple[str, ...]) -> None:
    at = tmp_path / "disk"
    result = on_a_disk(at, "400k", FILL.format(at=at) + python("-m", *command))
    assert result.returncode == 2
    assert "full" in result.stderr
    assert "Traceback" not in result.stderr


MAKE_HOME = """
import asyncio, pathlib, sys
from tests.data.backed_up import lived_in
asyncio.run(lived_in(pathlib.Path(sys.argv[1])))
"""


@pytest.mark.process
def test_a_backup_onto_a_full_disk_leaves_nothing(tmp_path: Path) -> None:
    at, home = tmp_path / "disk", tmp_path / "home"
    made = python("-c", MAKE_HOME, home)
    command = f"{made} && ({python('-m', 'data', 'backup', at / 'b.tar')}; echo $?; ls -A {at})"
    result = on_a_disk(at, "200k", command, PARLEY_HOME=str(home))
    assert result.stdout.split() == ["2"]
    assert "the disk is full" in result.stderr.lower()
    assert "Traceback" not in result.stderr


@pytest.mark.process
def test_a_restore_onto_a_full_disk_leaves_nothing(tmp_path: Path) -> None:
    at, home, out = tmp_path / "disk", tmp_path / "home", tmp_path / "b.tar"
    save = f"PARLEY_HOME={home} {python('-m', 'data', 'backup', out)} >/dev/null"
    restore = f"({python('-m', 'data', 'restore', out)}; echo $?; ls -A {at})"
    result = on_a_disk(at, "200k", f"{python('-c', MAKE_HOME, home)} && {save} && {restore}")
    assert result.stdout.split() == ["2"]
    assert "the disk is full" in result.stderr.lower()
    assert "Traceback" not in result.stderr


@pytest.mark.process
def test_a_home_on_a_disk_that_can_only_be_read_is_named(tmp_path: Path) -> None:
    at = tmp_path / "disk"
    rows = tmp_path / "rows.jsonl"
    rows.write_text('{"prompt": [{"role": "user", "content": "a question"}]}\n')
    stats = python("-m", "data", "stats")
    begun = python("-m", "data", "import", rows)
    result = on_a_disk(at, "4m", f"{begun} >/dev/null && mount -o remount,ro {at} && {stats}")
    assert result.returncode == 2
    assert "can only be read" in result.stderr
    assert "Traceback" not in result.stderr


async def test_a_database_that_another_process_holds_is_named(house: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "PATIENCE", 0.1)
    store = await Store.open(house)
    talk = await Talk.begin(store)
    with contextlib.closing(sqlite3.connect(house / NAME)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreError, match="Another process has kept") as caught:
            await talk.say(None, "hello")
        assert caught.value.kind == BUSY
        assert await store.message("terminal", "1") is None  # reading goes on
    await talk.say(None, "hello")
    await store.close()


async def test_a_statement_that_is_wrong_is_not_taken_for_a_bad_disk(store: Store) -> None:
    await store.person("terminal", "ada")

    async def twice() -> None:
        async with store.database.write() as session:
            await session.execute(text("INSERT INTO people SELECT * FROM people"))

    with pytest.raises(Exception, match="UNIQUE") as caught:
        await twice()
    assert not isinstance(caught.value, StoreError)


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), "The disk is full."),
        (OSError(errno.ENOSPC, "No space left on device", "/x/y"), "/x/y: the disk is full."),
        (OSError(errno.EROFS, "Read-only file system", "/x/y"), "/x/y: the disk can only be read."),
        (OSError(errno.EDQUOT, "Disk quota exceeded"), "The disk is full."),
    ],
)
def test_errors_of_the_disk_are_sentences(
    error: OSError, said: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail() -> None:
        raise error

    with pytest.raises(SystemExit) as end:
        run(fail)
    assert end.value.code == 2
    assert capsys.readouterr().err.startswith(f"parley: {said}")


def test_an_error_that_is_not_the_disks_stays_one() -> None:
    assert in_words(ConnectionRefusedError(errno.ECONNREFUSED, "Connection refused")) is None
