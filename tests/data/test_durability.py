"""Kills and concurrent processes: every acknowledged write stays, and nobody gets an error."""

import contextlib
import os
import random
import signal
import sqlite3
import threading
from pathlib import Path

import pytest

from data.database import NAME
from tests.data.talk import script

WRITER = """
import asyncio, pathlib, sys, time
from data.store import NewGeneration, NewRating, Store
name, seconds = sys.argv[2], float(sys.argv[3])
async def main():
    store = await Store.open(pathlib.Path(sys.argv[1]))
    person = await store.person("terminal", name)
    conversation = await store.conversation("terminal", name, persona="tutor")
    said = await store.add_message(conversation, "user", "hello", author=person)
    answer = await store.add_generation(NewGeneration(
        conversation=conversation, parent=said.message, context=(said.version,), system_prompt="s",
        rendered_sha256="0" * 64, text="hi", release=0, sampling={}, seed=0, finish_reason="stop", prompt_tokens=None,
        completion_tokens=None, first_token_seconds=None, platform="terminal"))
    print("ready", flush=True)
    end = time.monotonic() + seconds
    turn = 0
    while time.monotonic() < end:
        source = f"{name}-{turn}"
        await store.rate(NewRating(source_id=source, rater=person, kind="correction", generation=answer.generation,
                                   text=f"correction {source} " + "x" * (turn % 3000), platform="terminal"))
        print(source, flush=True)
        if len(sys.argv) > 4:  # a reader among the writers, like a round
            assert await store.vote(answer.generation, person) is None
            await store.database.copy(pathlib.Path(sys.argv[1]) / f"copy-{name}.db")
        turn += 1
    await store.close()
asyncio.run(main())
"""


def stored(database: Path) -> dict[str, str]:
    with contextlib.closing(sqlite3.connect(database)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
        query = "SELECT source_id, text FROM ratings JOIN message_versions ON message_versions.id = text_version_id"
        return dict(connection.execute(query).fetchall())


@pytest.mark.process
@pytest.mark.parametrize("round_", range(2))
def test_every_acknowledged_rating_survives_a_kill(house: Path, round_: int) -> None:
    process = script(house, "-c", WRITER, str(house), "ada", "60")
    assert process.stdout.readline() == "ready\n", process.communicate()
    wait = random.SystemRandom().uniform(0.05, 0.6)
    threading.Timer(wait, os.kill, (process.pid, signal.SIGKILL)).start()
    acknowledged = process.stdout.read().split("\n")  # `communicate` would lose the lines that came with "ready"
    process.wait()
    whole = [line for line in acknowledged[:-1] if line]  # the last line may be cut
    assert process.returncode == -9
    assert whole, "killed before the first write"
    found = stored(house / NAME)
    assert set(whole) <= set(found)
    assert len(found) <= len(whole) + 1  # at most the one that was under way
    assert all(text.startswith(f"correction {source} ") for source, text in found.items())


@pytest.mark.process
def test_bot_and_round_write_and_read_at_once(house: Path) -> None:
    processes = [
        script(house, "-c", WRITER, str(house), "bot", "1"),
        script(house, "-c", WRITER, str(house), "round", "1", "copies"),
    ]
    ends = [process.communicate() for process in processes]
    assert [(process.returncode, end[1]) for process, end in zip(processes, ends, strict=True)] == [(0, "")] * 2
    lines = [line for out, _ in ends for line in out.split() if line != "ready"]
    assert set(lines) == set(stored(house / NAME))
    assert {line.partition("-")[0] for line in lines} == {"bot", "round"}
    assert "round-0" in stored(house / "copy-round.db")
