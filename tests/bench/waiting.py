"""How long torch's threads should look for work before they sleep: training alone, beside an engine, beside load.

    python -m tests.bench.waiting                                        # about 40 minutes on two idle cores
    python -m tests.bench.waiting --stages dpo --repeats 1 --places alone engine
    python -m tests.bench.waiting --out docs                             # waiting.json
    python -m tests.bench.waiting --products 8                           # 24 s, beside whatever else is running

torch's threads are OpenMP's (libgomp). One that waits for the others looks `GOMP_SPINCOUNT` times whether they are
done, then it sleeps: 300,000 times by default, 3,000 in Parley, never with 0, which is `OMP_WAIT_POLICY=passive`.
The same training (`tests.bench.training`, Parley's part) runs with each, in turn, in a process of its own: `alone`;
beside an `engine` that answers four conversations without pause; and beside `load`, as many busy threads as there are
cores. Seconds are those of `train()`; CPU seconds count all its threads; tokens a second are what the engine answered
meanwhile. The table holds medians.

`--products SECONDS` only multiplies matrices of a small batch for so long with each, as often as `--repeats` says.
"""

import argparse
import asyncio
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from data.errors import run
from tests.bench import training
from tests.bench.ran_on import ran_on
from tests.bench.servers import ROOT, SYSTEM, Process, exchanges, start

COUNTS = ("300000", "3000", "0")
PLACES = ("alone", "engine", "load")
CONVERSATIONS, ANSWER = 4, 128
LONGEST = 1800.0  # seconds that one training may take


async def trained(stage: str, kind: str, limit: int, count: str) -> dict[str, float]:
    """Seconds and CPU seconds of one training with a spin count."""
    words = ["-m", "tests.bench.training", "--one", stage, "parley", kind, "--limit", str(limit)]
    environment = {name: value for name, value in os.environ.items() if name != "OMP_WAIT_POLICY"}
    pipe = asyncio.subprocess.PIPE
    child = await asyncio.create_subprocess_exec(
        sys.executable, *words, cwd=ROOT, env=environment | {"GOMP_SPINCOUNT": count}, stdout=pipe, stderr=pipe
    )
    try:
        output, errors = await asyncio.wait_for(child.communicate(), LONGEST)
    finally:
        if child.returncode is None:
            child.kill()
            await child.wait()
    if child.returncode:
        raise SystemExit(f"{' '.join(words)} stopped:\n{errors.decode(errors='replace')[-2000:]}")
    found = json.loads(output.splitlines()[-1])
    return {"seconds": found["seconds"], "cpu": found["cpu"]}


@asynccontextmanager
async def busy(place: str) -> AsyncIterator[list[int]]:
    """The other work; its answers' tokens are added to the list, which stays empty without an engine."""
    answered: list[int] = []
    if place == "load":
        loop = "while True: sum(range(10000))"
        others = [Process([sys.executable, "-c", loop]) for _ in range(len(os.sched_getaffinity(0)))]
        try:
            yield answered
        finally:
            for other in others:
                other.end()
    elif place == "engine":
        server = await start("parley", "float32", sys.executable, CONVERSATIONS)
        asking = [asyncio.create_task(_ask(server, at, answered)) for at in range(CONVERSATIONS)]
        try:
            yield answered
        finally:
            for task in asking:
                task.cancel()
            await asyncio.gather(*asking, return_exceptions=True)
            await server.close()
    else:
        yield answered


async def _ask(server: Any, at: int, answered: list[int]) -> None:
    """Ask without pause."""
    asked = exchanges()
    while True:
        (reply,) = await server.ask([[SYSTEM, asked[at % len(asked)][0]]], ANSWER)
        answered.append(reply.tokens)
        at += CONVERSATIONS


def products(seconds: float) -> dict[str, float]:
    """Products of a batch with a layer of the base's size, a second and a CPU second."""
    import torch

    x, weight, done = torch.randn(512, 576), torch.randn(576, 576), 0
    began, cpu = time.perf_counter(), time.process_time()
    while time.perf_counter() < began + seconds:
        y = x @ weight
        torch.nn.functional.silu(y).mul_(y)  # between two products, as in a model
        done += 1
    return {
        "second": done / (time.perf_counter() - began),
        "cpu_second": done / (time.process_time() - cpu),
    }


def compare_products(seconds: float, repeats: int) -> None:
    """Print each run's products, in a process of its own."""
    command = [sys.executable, "-m", "tests.bench.waiting", "--one", "--products", str(seconds)]
    kept = {name: value for name, value in os.environ.items() if name != "OMP_WAIT_POLICY"}
    for _ in range(repeats):
        for count in COUNTS:
            environment = kept | {"GOMP_SPINCOUNT": count}
            done = subprocess.run(
                command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True, timeout=LONGEST
            )
            found = json.loads(done.stdout.splitlines()[-1])
            print(
                f"GOMP_SPINCOUNT={count:7} {found['second']:7.1f} products a second, "
                f"{found['cpu_second']:7.1f} a CPU second; load {os.getloadavg()[0]:.0f}",
                flush=True,
            )


async def measure(place: str, stage: str, kind: str, limit: int, repeats: int) -> dict[str, dict[str, float]]:
    """Medians for each spin count."""
    found: dict[str, list[dict[str, float]]] = {count: [] for count in COUNTS}
    loop = asyncio.get_running_loop()
    async with busy(place) as answered:
        for _ in range(repeats):
            for count in COUNTS:
                began, before = loop.time(), sum(answered)
                figures = await trained(stage, kind, limit, count)
                figures["served"] = (sum(answered) - before) / (loop.time() - began)
                found[count].append(figures)
    return {
        count: {name: statistics.median(one[name] for one in runs) for name in runs[0]}
        for count, runs in found.items()
    }


def show(console: Console, lines: list[dict[str, Any]]) -> None:
    """The table; a ratio above 1 means that this spin count is faster than libgomp's own."""
    table = Table(title=f"Seconds (CPU seconds; tokens a second of the engine). On {ran_on()}.")
    for column in ("stage", "rows", "place", *COUNTS, *(f"{COUNTS[0]} / {count}" for count in COUNTS[1:])):
        table.add_column(column)
    for line in lines:
        figures = line["figures"]
        cells = [
            f"{each['seconds']:.1f} ({each['cpu']:.1f}" + (f"; {each['served']:.0f})" if each["served"] else ")")
            for each in figures.values()
        ]
        ratios = [f"{figures[COUNTS[0]]['seconds'] / figures[count]['seconds']:.2f}" for count in COUNTS[1:]]
        table.add_row(line["stage"], line["rows"], line["place"], *cells, *ratios)
    console.print(table)


def main() -> int:
    """Read the command line and measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--stages", nargs="+", choices=training.STAGES, default=["sft", "dpo"])
    parser.add_argument("--rows", choices=list(training.KINDS), default="short")
    parser.add_argument("--limit", type=int, default=16, help="rows")
    parser.add_argument("--places", nargs="+", choices=PLACES, default=list(PLACES))
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--out", type=Path, help="a folder for the figures")
    parser.add_argument("--products", type=float, metavar="SECONDS", help="multiply only, for so long")
    parser.add_argument("--one", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.products:
        if options.one:
            print(json.dumps(products(options.products)))
        else:
            compare_products(options.products, options.repeats)
        return 0
    console, lines = Console(width=150), []
    for place in options.places:
        for stage in options.stages:
            figures = asyncio.run(measure(place, stage, options.rows, options.limit, options.repeats))
            lines.append({"stage": stage, "rows": options.rows, "place": place, "figures": figures})
            show(console, lines[-1:])
    show(console, lines)
    if options.out:
        options.out.mkdir(parents=True, exist_ok=True)
        found = {"ran_on": ran_on(), "lines": lines}
        (options.out / "waiting.json").write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    run(main)
