"""How the API carries many people at once on a fake engine: first bytes, ratings, and memory.

    python -m tests.bench.api --people 200 --streams 10000

Starts `python -m bot --platform web` as a process of its own; the people and the fake engine are in this one. First
each person asks some questions, streams the answers and votes on them, and pauses in between as people do who read.
Then all ask at the same moment. Then many streams run in some lanes, and the process's memory is read as they go. At
the end the votes in the store are counted. The engine waits for a fixed time before its first piece, and that time is
taken off the waits; what the people and the engine compute on the same cores is not.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import re
import statistics
import sys
import tempfile
import time
from pathlib import Path

import httpx2

from data.api_keys import CHAT, FEEDBACK, ApiKey
from data.consent import CONSENT_VERSION
from data.counts import count_ratings
from data.store import Store
from tests.fakes.engine import FakeEngine, Script

DELAY = 0.05  # seconds of the engine before each of an answer's pieces
PIECES = 20
LANES = 16


class SlowEngine(FakeEngine):
    """An engine whose every answer takes a second."""

    def _next_script(self) -> Script:
        return Script(tuple(f"word{at} " for at in range(PIECES)), delay=DELAY)


class QuickEngine(FakeEngine):
    """An engine that answers at once."""


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--people", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=5, help="questions of each person")
    parser.add_argument("--pause", type=float, default=20.0, help="seconds between two questions, at most")
    parser.add_argument("--streams", type=int, default=10000, help="for the memory")
    parser.add_argument("--out", type=Path, help="write the figures as JSON")
    return parser.parse_args()


async def key(home: Path) -> str:
    store = await Store.open(home)
    rights = {"rights": (CHAT, FEEDBACK), "consent_text": CONSENT_VERSION}
    secret = await store.api_keys.add(ApiKey(name="bench", platform="bench", **rights))
    await store.close()
    return secret


async def start(home: Path, engine: str, people: int) -> tuple[asyncio.subprocess.Process, str]:
    env = {name: value for name, value in os.environ.items() if not name.startswith(("PARLEY_", "DISCORD_"))}
    more = {"PARLEY_SLOTS": str(people), "PARLEY_QUEUE": "4096", "PARLEY_WEB_PORT": "0"}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bot", "--platform", "web"),
        env={**env, "PARLEY_HOME": str(home), "PARLEY_ENGINE_URL": engine, **more},
        stderr=asyncio.subprocess.PIPE,
    )
    assert process.stderr is not None
    while line := (await process.stderr.readline()).decode():
        if found := re.search(r"the page is at (\S+)", line):
            asyncio.get_running_loop().create_task(process.stderr.read())
            return process, f"{found[1]}/v1"
    raise AssertionError("the process ended")


async def ask(client: httpx2.AsyncClient, address: str, user: str, text: str) -> tuple[float, str]:
    """The seconds until the first piece of an answer, and its id."""
    body = {"model": "parley", "messages": [{"role": "user", "content": text}], "user": user, "stream": True}
    began, first, name = time.perf_counter(), 0.0, ""
    async with client.stream("POST", f"{address}/chat/completions", json={**body, "consent": True}) as answer:
        assert answer.status_code == 200, await answer.aread()
        async for line in answer.aiter_lines():
            if not first and '"content":"' in line and '"content":""' not in line:
                first, name = time.perf_counter() - began, json.loads(line.removeprefix("data: "))["id"]
    return first, name


async def person(client: httpx2.AsyncClient, address: str, user: str, rounds: int, pause: float) -> list[float]:
    """One person's waits; each answer is voted for, and each vote must be acknowledged."""
    waits = []
    for number in range(rounds):
        await asyncio.sleep(random.uniform(0, pause))
        wait, name = await ask(client, address, user, f"question {number} of {user}")
        waits.append(wait)
        vote = {"completion_id": name, "kind": "vote", "value": "up", "user": user}
        kept = await client.post(f"{address}/feedback", json=vote)
        assert kept.status_code == 200, kept.text
    return waits


async def many(client: httpx2.AsyncClient, address: str, people: int, rounds: int, pause: float) -> list[float]:
    waits = await asyncio.gather(*(person(client, address, f"p{at}", rounds, pause) for at in range(people)))
    return [wait for some in waits for wait in some]


def memory(process: asyncio.subprocess.Process) -> float:
    """The memory that a process uses now, in MiB."""
    for line in Path(f"/proc/{process.pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    raise AssertionError("no such process")


def computed(process: asyncio.subprocess.Process) -> float:
    """The seconds that a process has computed; other processes do not count."""
    fields = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


async def streams(
    client: httpx2.AsyncClient, address: str, number: int, process: asyncio.subprocess.Process
) -> dict[int, float]:
    """The memory after so many streams."""
    found: dict[int, float] = {}
    done = 0

    async def lane(name: int) -> None:
        nonlocal done
        while done < number:
            done += 1
            at = done
            await ask(client, address, f"lane{name}", f"stream {at}")
            if at % (number // 10) == 0:
                found[at] = round(memory(process), 1)

    await asyncio.gather(*map(lane, range(LANES)))
    return found


def told(waits: list[float]) -> dict[str, float]:
    beyond = sorted((wait - DELAY) * 1000 for wait in waits)
    at = [beyond[int(len(beyond) * share)] for share in (0.9, 0.99)]
    return {"median_ms": round(statistics.median(beyond), 1), "p90_ms": round(at[0], 1), "p99_ms": round(at[1], 1)}


async def measured(options: argparse.Namespace) -> dict[str, object]:
    figures: dict[str, object] = {"people": options.people, "rounds": options.rounds, "pause_s": options.pause}
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder) / "home"
        limits = httpx2.Limits(max_connections=options.people + 50)
        headers = {"Authorization": f"Bearer {await key(home)}"}
        async with httpx2.AsyncClient(headers=headers, timeout=300, limits=limits) as client:
            async with SlowEngine() as engine:
                process, address = await start(home, engine.url, options.people)
                await many(client, address, 10, 1, 0)  # everything is loaded
                busy = computed(process)
                figures["first_byte_beyond_engine"] = told(
                    await many(client, address, options.people, options.rounds, options.pause)
                )
                asked = options.people * options.rounds
                figures["cpu_ms_an_answer_with_its_vote"] = round((computed(process) - busy) / asked * 1000, 2)
                at_once = await many(client, address, options.people, 1, 0)
                figures["all_at_the_same_moment"] = told(at_once)
                process.terminate()
                await process.wait()
            acknowledged = 20 + options.people * (options.rounds + 1)
            async with QuickEngine() as quick:
                process, address = await start(home, quick.url, options.people)
                await many(client, address, 10, 1, 0)
                began, busy = time.perf_counter(), computed(process)
                figures["memory_mib_after_streams"] = await streams(client, address, options.streams, process)
                figures["streams_per_second"] = round(options.streams / (time.perf_counter() - began), 1)
                figures["cpu_ms_a_stream"] = round((computed(process) - busy) / options.streams * 1000, 2)
                process.terminate()
                await process.wait()
        store = await Store.open(home)
        async with store.database.read() as session:
            kept = (await count_ratings(session, None)).ratings["up"]
        await store.close()
        figures["votes_acknowledged"], figures["votes_in_the_store"] = acknowledged, kept
    return figures


def main() -> None:
    options = arguments()
    figures = asyncio.run(measured(options))
    print(json.dumps(figures, indent=1))
    if options.out:
        options.out.write_text(json.dumps(figures, indent=1) + "\n")


if __name__ == "__main__":
    main()
