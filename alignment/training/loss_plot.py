"""The loss as a picture."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any


def plot_loss(metrics: Sequence[dict[str, Any]], path: Path, title: str) -> None:
    """Draw training loss (and its running mean) and held-out loss over the steps into a PNG file."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 4), layout="tight")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    train = [(entry["step"], entry["loss"]) for entry in metrics if "loss" in entry]
    held_out = [(entry["step"], entry["eval_loss"]) for entry in metrics if "eval_loss" in entry]
    if train:
        steps, losses = zip(*train, strict=True)
        axes.plot(steps, losses, color="tab:blue", alpha=0.3, label="training")
        axes.plot(steps, _running_mean(losses), color="tab:blue", label="training, running mean")
    if held_out:
        axes.plot(*zip(*held_out, strict=True), "o-", color="tab:orange", label="held out")
    axes.set(title=title, xlabel="step", ylabel="loss")
    axes.grid(alpha=0.3)
    if train or held_out:
        axes.legend()
    figure.savefig(path, dpi=120)
    path.chmod(0o600)


def _running_mean(values: Sequence[float], share: float = 0.2) -> list[float]:
    means: list[float] = []
    for value in values:
        means.append(value if not means else (1 - share) * means[-1] + share * value)
    return means
