"""The tables and the pictures of `tests.bench.costs`."""

import statistics
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from data.drawing import SMALL, figure, png

GIB = 2**30
NAMES = {"trl": "TRL's defaults", "best": "TRL's best settings", "parley": "Parley"}
COLOURS = {"trl": "tab:grey", "best": "tab:olive", "parley": "tab:blue"}


@dataclass(frozen=True, slots=True)
class Line:
    """A straight line through points: `slope` and `intercept` in their units, `r2` the share that it explains."""

    slope: float
    intercept: float
    r2: float

    def __str__(self) -> str:
        return f"slope {self.slope:.4g}, intercept {self.intercept:.4g}, R² {self.r2:.4f}"


def fit(x: list[float], y: list[float]) -> Line | None:
    """The line of least squares; None for fewer than three points, which cannot show whether it is straight."""
    if len(set(x)) < 3:
        return None
    slope, intercept = np.polyfit(x, y, 1)
    left = np.sum((np.array(y) - slope * np.array(x) - intercept) ** 2)
    spread = np.sum((np.array(y) - np.mean(y)) ** 2)
    return Line(float(slope), float(intercept), float(1 - left / spread) if spread else 1.0)


def medians(curve: dict[str, Any], way: str = "parley") -> dict[str, list[float]]:
    """Each figure's median over the repeats, one for each point on the axis, sorted."""
    runs = [one for one in curve["runs"] if one["way"] == way]
    places = sorted({one["at"] for one in runs})
    figures = [name for name in runs[0] if name not in ("way", "loss")]
    return {name: [statistics.median(r[name] for r in runs if r["at"] == at) for at in places] for name in figures}


def ways(curve: dict[str, Any]) -> list[str]:
    """The ways that were measured, in the order of `NAMES`."""
    return [way for way in NAMES if any(one["way"] == way for one in curve["runs"])]


def picture(curve: str) -> str:
    """The file name of a curve's picture."""
    return f"costs-{curve}.png"


def title(name: str, curve: dict[str, Any]) -> str:
    """What was measured, and on what."""
    first = curve["runs"][0]
    what = {
        "rows": f"One epoch of DPO, reference pass included, prompts of {first.get('prompt_tokens', 0):.0f} tokens",
        "history": f"One epoch of DPO on {first.get('rows')} rows, reference pass included",
        "adapters": "The embedded engine, one process for each release",
    }[name]
    return f"{what}\n{curve['base']}, {curve['machine']}"


def show(console: Console, name: str, curve: dict[str, Any]) -> None:
    """A curve's medians as a table, the lines through them, and the command to repeat it."""
    found = {way: medians(curve, way) for way in ways(curve)}
    repeats = len(curve["runs"]) // sum(len(one["at"]) for one in found.values())
    lines: dict[str, Line | None] = {}
    ours = found.get("parley") or next(iter(found.values()))
    if name == "rows":
        table = Table("rows", "seconds", "seconds a row", "peak GiB")
        for rows, seconds, memory in zip(ours["rows"], ours["seconds"], ours["memory"], strict=True):
            table.add_row(f"{rows:g}", f"{seconds:.1f}", f"{seconds / rows:.2f}", f"{memory / GIB:.1f}")
        lines["seconds by rows"] = fit(ours["rows"], ours["seconds"])
    elif name == "history":
        ratios = "trl" in found and "parley" in found
        columns = [f"{NAMES[way]}: {what}" for way in found for what in ("seconds a row", "peak GiB")]
        table = Table("prompt tokens", *columns, *(["TRL / Parley"] if ratios else []))
        a_row = {way: _a_row(one) for way, one in found.items()}
        for place, tokens in enumerate(ours["prompt_tokens"]):
            cells = [(f"{a_row[way][place]:.2f}", f"{found[way]['memory'][place] / GIB:.1f}") for way in found]
            ratio = [f"{a_row['trl'][place] / a_row['parley'][place]:.1f}x"] if ratios else []
            table.add_row(f"{tokens:.0f}", *(cell for pair in cells for cell in pair), *ratio)
        lines = {
            f"{NAMES[way]}, seconds a row by tokens": fit(found[way]["prompt_tokens"], a_row[way]) for way in found
        }
    else:
        table = Table(
            "adapters served", "tokens a second, one answers", "tokens a second, all answer", "GiB together"
        )
        for at, alone, together, memory in zip(
            *(ours[k] for k in ("at", "alone", "together", "memory")), strict=True
        ):
            table.add_row(f"{at:g}", f"{alone:.1f}", f"{together:.1f}", f"{memory / GIB:.2f}")
        served = [(at, memory / GIB) for at, memory in zip(ours["at"], ours["memory"], strict=True) if at]
        lines["GiB by adapters, from 1 on"] = fit(*map(list, zip(*served, strict=True))) if served else None
    console.print(f"{title(name, curve)}; medians of {repeats}", soft_wrap=True)
    console.print(table)
    for what, line in lines.items():
        console.print(f"{what}: {line}" if line else f"{what}: too few points for a line")
    console.print(f"Again: {curve['command']}", soft_wrap=True)


def _a_row(found: dict[str, list[float]]) -> list[float]:
    return [seconds / rows for seconds, rows in zip(found["seconds"], found["rows"], strict=True)]


def plot(name: str, curve: dict[str, Any], path: Path) -> None:
    """Draw a curve's medians over its single runs into a PNG file."""
    made, panels = figure(6.5, 4) if name == "rows" else figure(11, 4, 1, 2)
    made.suptitle(title(name, curve), fontsize=10)
    if name == "rows":
        _rows(panels[0], curve)
    elif name == "history":
        for way in ways(curve):
            style = {"color": COLOURS[way], "label": NAMES[way]}
            _draw(panels[0], curve, way, "prompt_tokens", lambda one: one["seconds"] / one["rows"], **style)
            _draw(panels[1], curve, way, "prompt_tokens", lambda one: one["memory"] / GIB, **style)
        panels[0].set(xlabel="prompt, tokens (mean of the rows)", ylabel="seconds a row")
        panels[1].set(xlabel="prompt, tokens (mean of the rows)", ylabel="peak memory, GiB")
    else:
        _draw(panels[0], curve, "parley", "at", lambda one: one["alone"], color="tab:blue", label="one answers")
        together = {"color": "tab:purple", "label": "all answer, together"}
        _draw(panels[0], curve, "parley", "at", lambda one: one["together"], **together)
        _draw(panels[1], curve, "parley", "at", lambda one: one["memory"] / GIB, color="tab:blue")
        panels[0].set(xlabel="adapters served (0: the base alone)", ylabel="tokens a second")
        panels[1].set(xlabel="adapters served (0: the base alone)", ylabel="memory of all processes, GiB")
        for axes in panels:
            axes.set_xticks(sorted({one["at"] for one in curve["runs"]}))
    for axes in panels:
        axes.set_ylim(bottom=0)
        if axes.get_legend_handles_labels()[0]:
            axes.legend(fontsize=SMALL)
    path.write_bytes(png(made))


def _rows(axes: Any, curve: dict[str, Any]) -> None:
    _draw(axes, curve, "parley", "rows", lambda one: one["seconds"], color="tab:blue", label="median", style="o")
    found = medians(curve)
    if line := fit(found["rows"], found["seconds"]):
        ends = [0.0, max(found["rows"])]
        label = f"{line.slope:.3g} s a row, and {line.intercept:.2g} s (R² {line.r2:.4f})"
        axes.plot(ends, [line.intercept + line.slope * x for x in ends], "--", color="tab:orange", label=label)
    axes.set(xlabel="rows (preferences)", ylabel="seconds", xlim=(0, None))


def _draw(
    axes: Any, curve: dict[str, Any], way: str, x: str, y: Any, *, color: str, label: str = "", style: str = "o-"
) -> None:
    """The medians as a line, each run as a small mark."""
    runs = [one for one in curve["runs"] if one["way"] == way]
    places: dict[float, list[float]] = {}
    for one in runs:
        places.setdefault(one[x], []).append(y(one))
    axes.plot([one[x] for one in runs], [y(one) for one in runs], "x", color=color, alpha=0.4, markersize=4)
    found = sorted((at, statistics.median(values)) for at, values in places.items())
    axes.plot(*zip(*found, strict=True), style, color=color, label=label or None, markersize=5)
