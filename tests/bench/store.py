"""Measures how the store bears many ratings and imported rows: writes, commands, the trial's state, rows for a round.

    python -m tests.bench.store --out docs --plot docs                    # 10^4, 10^5 and 10^6; an hour on two cores
    python -m tests.bench.store --sizes 10000 100000 --measures vote deletion edit --out out/store
    python -m tests.bench.store --redraw --out docs --plot docs           # table and picture of earlier figures

Each home is filled by `tests.bench.store_fill` with as many ratings as imported rows, in a folder of `--homes`, and
is used again if it is there. Each measurement runs in a process of its own, `--limit` seconds at the longest:

    vote, deletion, edit   median and longest of 30, in milliseconds, through the functions that the bot calls
    stats, again           `/stats` on Discord, the first time and once more: seconds, and the longest time for which
                           the event loop did nothing else ("stall"; "busy" counts its own work only, without that of
                           other processes), in milliseconds
    teach                  what `/teach` looks up
    trial                  how the release on trial stands, computed beside the loop
    distance               the same, and how far it is to each verdict, which takes all rows
    purge, forget          the daily erasure, and one person's `/forget`
    channel                a deleted channel
    rows                   all rows for a round: seconds, and the process's peak memory

Figures go to `store.json` in `--out`, with the command and the machine.
"""

import argparse
import asyncio
import gc
import json
import os
import resource
import shlex
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from rich.console import Console

from data.errors import BadInput, run
from data.figures import figures_beside
from data.store import Store
from tests.bench import store_report
from tests.bench.ran_on import processor
from tests.bench.store_fill import PLATFORM, SERVER, Size, fill

REPEATS = 30
TICK = 0.002
PERMISSION = "a bench"
Figures = dict[str, Any]


class Stall:
    """The longest time for which the event loop did nothing else, while the block ran.

    `worst` is by the clock, `busy` by the processor's time of the loop's own thread: on a machine that does other
    things too, the first holds their time as well.
    """

    async def __aenter__(self) -> "Stall":
        self._over, self.worst, self.busy = False, 0.0, 0.0
        self._task = asyncio.create_task(self._tick())
        await asyncio.sleep(5 * TICK)
        self.worst = self.busy = 0.0
        return self

    async def __aexit__(self, *_: object) -> None:
        await asyncio.sleep(2 * TICK)
        self._over = True
        await self._task

    async def _tick(self) -> None:
        while not self._over:
            began, worked = time.perf_counter(), time.thread_time()
            await asyncio.sleep(TICK)
            self.worst = max(self.worst, time.perf_counter() - began - TICK)
            self.busy = max(self.busy, time.thread_time() - worked)

    @property
    def figures(self) -> Figures:
        """Both, in milliseconds."""
        return {"stall_ms": 1000 * self.worst, "busy_ms": 1000 * self.busy}


async def _times(action: Callable[[int], Awaitable[Any]]) -> Figures:
    """Do something several times, one after the other."""
    times = []
    worked = time.process_time()
    async with Stall() as stall:
        for number in range(REPEATS):
            began = time.perf_counter()
            await action(number)
            times.append(1000 * (time.perf_counter() - began))
    cpu = 1000 * (time.process_time() - worked) / REPEATS
    return {"median_ms": statistics.median(times), "longest_ms": max(times), "cpu_ms": cpu, **stall.figures}


async def _once(action: Callable[[], Awaitable[Any]]) -> Figures:
    """Do something once."""
    async with Stall() as stall:
        began = time.perf_counter()
        await action()
        seconds = time.perf_counter() - began
    return {"seconds": seconds, **stall.figures}


async def vote(store: Store, home: Path) -> Figures:
    """People vote on answers spread over the home."""
    from bot.ratings import Ratings

    ratings = Ratings(store)
    person = await store.person(PLATFORM, f"voter{time.time()}")
    await store.set_consent(person, True)
    every = max(1, await _newest(store, "generations") // (REPEATS + 1))

    async def one(number: int) -> None:
        source = f"vote{person}.{number}"
        await ratings.vote(person, (number + 1) * every, "up", platform=PLATFORM, source_id=source)

    return await _times(one)


async def edit(store: Store, home: Path) -> Figures:
    """People edit messages spread over the home."""
    chosen = await _messages(store, 1)

    async def one(number: int) -> None:
        await store.edit_message(PLATFORM, chosen[number], f"something else {time.time()}")

    return await _times(one)


async def deletion(store: Store, home: Path) -> Figures:
    """People delete messages spread over the home."""
    chosen = await _messages(store, 2)

    async def one(number: int) -> None:
        assert await store.eraser.erase_message(PLATFORM, chosen[number])

    return await _times(one)


async def stats(store: Store, home: Path) -> Figures:
    """A member asks for `/stats` for the first time, and once more."""
    # Here and above, so that the memory of the rows is that of a process without a bot.
    from bot.discord.commands.stats import Stats
    from bot.texts import EN

    command = Stats(store, home, PERMISSION)
    interaction: Any = SimpleNamespace(guild_id=int(SERVER), followup=SimpleNamespace(send=_nothing))
    first = await _once(lambda: command.tell(interaction, EN))
    again = await _once(lambda: command.tell(interaction, EN))
    return {**first, **{f"again_{name}": figure for name, figure in again.items()}}


async def teach(store: Store, home: Path) -> Figures:
    """A member asks for `/teach`."""
    return await _times(lambda _: store.may_teach(PLATFORM, SERVER))


async def trial(store: Store, home: Path) -> Figures:
    """How the release on trial stands: computed beside the loop."""
    return await _beside(home, whole=False)


async def distance(store: Store, home: Path) -> Figures:
    """The same, and how far it is to each verdict."""
    return await _beside(home, whole=True)


async def _beside(home: Path, *, whole: bool) -> Figures:
    found = await _once(lambda: figures_beside(home, PERMISSION, whole=whole))
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return {**found, "child_cpu_s": used.ru_utime + used.ru_stime, "child_mib": used.ru_maxrss / 1024}


async def purge(store: Store, home: Path) -> Figures:
    """The daily erasure, of what nobody agreed to and is older than thirty days."""
    return await _once(lambda: store.eraser.purge(datetime.now(UTC) - timedelta(days=30)))


async def forget(store: Store, home: Path) -> Figures:
    """A person has everything of theirs erased."""
    person = await store.person_named("p7")
    return await _once(lambda: store.eraser.forget(person))


async def channel(store: Store, home: Path) -> Figures:
    """A channel is deleted."""
    return await _once(lambda: store.eraser.erase_channel(PLATFORM, "channel9"))


async def rows(store: Store, home: Path) -> Figures:
    """All rows for a round, folds included."""
    from data.imports import collect_rows

    worked = time.process_time()
    found = await _once(lambda: collect_rows(store, discord_permission=PERMISSION))
    return {**found, "cpu_s": time.process_time() - worked}


_ALL = (vote, edit, deletion, teach, stats, trial, distance, channel, forget, purge, rows)
MEASURES = {each.__name__: each for each in _ALL}


async def _nothing(*_: object, **__: object) -> None:
    return None


async def _newest(store: Store, table: str) -> int:
    async with store.database.read() as session:
        connection = await session.connection()
        return int((await connection.exec_driver_sql(f"SELECT max(id) FROM {table}")).scalar_one())


async def _messages(store: Store, offset: int) -> list[str]:
    """The platform's ids of people's messages with a text, spread over the home."""
    query = """
        SELECT platform_id FROM platform_messages JOIN messages ON messages.id = message_id WHERE messages.id IN (
            SELECT min(messages.id) FROM messages
            JOIN message_versions ON message_versions.message_id = messages.id AND message_versions.text IS NOT NULL
            WHERE role = 'user' AND messages.id % 2 = ? GROUP BY messages.id * ? / (SELECT max(id) + 1 FROM messages)
        )
    """
    async with store.database.read() as session:
        connection = await session.connection()
        found = (await connection.exec_driver_sql(query, (offset % 2, REPEATS))).scalars().all()
    return list(found)


async def _measured(name: str, home: Path) -> Figures:
    store = await Store.open(home)
    try:
        return await MEASURES[name](store, home)
    finally:
        await store.close()


def measure(name: str, home: Path) -> Figures:
    """One measurement in this process."""
    gc.freeze()  # as the bot does
    found = asyncio.run(_measured(name, home))
    return {**found, "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}


def in_a_process(name: str, home: Path, limit: float) -> Figures:
    """One measurement in a process of its own; how it ended where it gave no figures."""
    command = [sys.executable, "-m", "tests.bench.store", "--one", name, "--homes", str(home)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=limit, check=False)
    except subprocess.TimeoutExpired:
        return {"failed": f"over {limit:.0f} s"}
    if done.returncode:
        return {"failed": done.stderr.strip().splitlines()[-1][:200] if done.stderr.strip() else "no reason given"}
    found: Figures = json.loads(done.stdout.strip().splitlines()[-1])
    return found


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=int, nargs="+", default=[10**4, 10**5, 10**6])
    parser.add_argument("--measures", nargs="+", default=list(MEASURES), choices=list(MEASURES))
    parser.add_argument("--homes", type=Path, default=Path(tempfile.gettempdir()) / "parley-store")
    parser.add_argument("--out", type=Path)
    parser.add_argument("--plot", type=Path)
    parser.add_argument("--limit", type=float, default=1200.0, help="seconds for one measurement")
    parser.add_argument("--redraw", action="store_true", help="only show the figures in --out")
    parser.add_argument("--one", choices=list(MEASURES), help=argparse.SUPPRESS)
    return parser.parse_args()


def _main() -> int:
    options = _arguments()
    if options.one:
        print(json.dumps(measure(options.one, options.homes)))
        return 0
    console = Console()
    path = options.out / "store.json" if options.out else None
    if options.redraw:
        if path is None or not path.is_file():
            raise BadInput("--redraw needs --out with a store.json of an earlier run.")
        found = json.loads(path.read_text(encoding="utf-8"))
    else:
        found = {"machine": _machine(), "command": _command(), "runs": []}
        for size in options.sizes:
            home = options.homes / str(size)
            with console.status(f"filling a home with {size} ratings and {size} imported rows"):
                fill(home, Size(size, size))
            for name in options.measures:
                one = in_a_process(name, home, options.limit)
                console.print(f"{size:>8} {name:10} {one}", soft_wrap=True)
                found["runs"].append({"size": size, "measure": name, **one})
    if path is not None and not options.redraw:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    store_report.show(console, found)
    if options.plot:
        store_report.plot(found, options.plot / store_report.PICTURE)
    return 0


def _machine() -> str:
    return f"{processor(os.cpu_count() or 1)}, SQLite {sqlite3.sqlite_version}"


def _command() -> str:
    return shlex.join(["python", "-m", "tests.bench.store", *sys.argv[1:]])


if __name__ == "__main__":
    raise SystemExit(run(_main))
