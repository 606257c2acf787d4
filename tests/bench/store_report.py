"""The table and the picture of `tests.bench.store`."""

import itertools
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from data.drawing import SMALL, figure, png

PICTURE = "store-size.png"
# What each measurement's figures are called, and the bar in milliseconds that each has to stay below.
TIMES = {"median_ms": "ms, median", "longest_ms": "ms, longest", "seconds": "s", "again_seconds": "s, again"}
OTHERS = {
    "cpu_ms": "ms of processor",
    "stall_ms": "ms, loop held",
    "busy_ms": "ms, loop busy",
    "again_stall_ms": "ms, loop held, again",
    "again_busy_ms": "ms, loop busy, again",
    "cpu_s": "s of processor",
    "child_cpu_s": "s of processor, beside",
    "child_mib": "peak MiB, beside",
    "peak_mib": "peak MiB",
}
WRITES = ("vote", "deletion", "edit")
COMMANDS = ("stats", "teach", "trial")
BAR = 50.0  # milliseconds


def show(console: Console, found: Mapping[str, Any]) -> None:
    """Every figure by size, with the ratio of each to the one before, and the command to repeat it."""
    runs: Sequence[Mapping[str, Any]] = found["runs"]
    sizes = sorted({run["size"] for run in runs})
    table = Table("measured", "figure", *(f"{size:,}" for size in sizes), "ratios")
    for name in dict.fromkeys(run["measure"] for run in runs):
        mine = {run["size"]: run for run in runs if run["measure"] == name}
        for key, label in {**TIMES, **OTHERS}.items():
            if key == "peak_mib" and name != "rows":
                continue
            values = [mine.get(size, {}).get(key) for size in sizes]
            failed = [mine.get(size, {}).get("failed") for size in sizes]
            if any(value is not None for value in values):
                cells = [_cell(value, why) for value, why in zip(values, failed, strict=True)]
                table.add_row(name, label, *cells, _ratios(values))
    console.print(f"{found['machine']}", soft_wrap=True)
    console.print(table)
    console.print(f"Again: {found['command']}", soft_wrap=True)


def _cell(value: float | None, why: str | None) -> str:
    return why or "-" if value is None else f"{value:.3g}" if value < 100 else f"{value:.0f}"


def _ratios(values: Sequence[float | None]) -> str:
    pairs = itertools.pairwise(values)
    return ", ".join(f"{after / before:.2g}x" if before and after else "-" for before, after in pairs)


def plot(found: Mapping[str, Any], path: Path) -> None:
    """Draw writes, the event loop's longest wait, and the rows of a round, each by size."""
    made, panels = figure(12, 3.8, 1, 3)
    made.suptitle(f"The store by its size: ratings, and as many imported rows\n{found['machine']}", fontsize=10)
    writes, loop, rows = panels
    for name in WRITES:
        _line(writes, found, name, "median_ms", f"{name}, by the clock")
        _line(writes, found, name, "cpu_ms", f"{name}, processor", style="x--")
    for name in COMMANDS:
        _line(loop, found, name, "busy_ms", {"trial": "the trial's state"}.get(name, f"/{name}"))
    for axes in (writes, loop):
        axes.axhline(BAR, color="tab:red", linestyle=":", label="the bar")
    _line(rows, found, "rows", "seconds", "rows for a round")
    for name in ("trial", "distance", "stats", "forget", "purge"):
        _line(rows, found, name, "seconds", name)
    labels = ("milliseconds", "milliseconds, the event loop's longest work", "seconds")
    for axes, label in zip(panels, labels, strict=True):
        axes.set(xscale="log", yscale="log", xlabel="ratings, and imported rows", ylabel=label)
        axes.legend(fontsize=SMALL)
    path.write_bytes(png(made))


def _line(axes: Any, found: Mapping[str, Any], measure: str, key: str, label: str, style: str = "o-") -> None:
    points = sorted(
        (run["size"], run[key]) for run in found["runs"] if run["measure"] == measure and run.get(key) is not None
    )
    if points:
        axes.plot(*zip(*points, strict=True), style, label=label, markersize=4)
