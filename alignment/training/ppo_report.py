"""PPO's learning curve as a picture."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

_PANELS = (
    ("reward", "reward", "tab:blue"),
    ("kl", "KL per answer, nats", "tab:orange"),
    ("explained_variance", "explained variance", "tab:green"),
)


def plot_curve(metrics: Sequence[dict[str, Any]], path: Path, title: str) -> None:
    """Draw reward, KL and the critic's explained variance over the steps into a private PNG file.

    `metrics` are the lines of `metrics.jsonl`. Held-out readings of reward and KL are dots; where held-out
    preferences were watched, a fourth panel has their mean margin.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    panels = list(_PANELS)
    if any("watch_margin" in entry for entry in metrics):
        panels.append(("watch_margin", "held-out margin, nats a token", "tab:red"))
    figure = Figure(figsize=(7, 2 * len(panels) + 0.5), layout="tight")
    FigureCanvasAgg(figure)
    for number, (name, label, colour) in enumerate(panels):
        axes = figure.add_subplot(len(panels), 1, number + 1)
        points = [(entry["step"], entry[name]) for entry in metrics if entry.get(name) is not None]
        held_out = [(entry["step"], entry[f"eval_{name}"]) for entry in metrics if f"eval_{name}" in entry]
        if points:
            axes.plot(*zip(*points, strict=True), color=colour)
        if held_out:
            axes.plot(*zip(*held_out, strict=True), "o", color="black", label="held out")
            axes.legend()
        axes.set(ylabel=label, xlabel="step" if number + 1 == len(panels) else "")
        axes.grid(alpha=0.3)
        if number == 0:
            axes.set_title(title)
    figure.savefig(path, dpi=120)
    path.chmod(0o600)
