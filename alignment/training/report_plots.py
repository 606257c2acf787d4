"""The pictures of a round's report, as PNG bytes. No words of people's are in them."""

import io
from collections.abc import Mapping, Sequence
from typing import Any

# What PPO logs and a person wants to see: title and the names that it may have.
PPO_CURVES: dict[str, tuple[str, ...]] = {
    "reward": ("reward",),
    "KL to the reference (nats an answer)": ("kl",),
    "price of the KL": ("kl_coef",),
    "entropy (nats a token)": ("entropy",),
    "value: explained variance": ("explained_variance",),
    "answer length (tokens)": ("length", "completions/mean_length"),
    "clipped (share)": ("clip_fraction", "clip_ratio/region_mean"),
    "held-out margin (nats a token)": ("watch_margin",),
}


def losses(metrics: Sequence[Mapping[str, Any]], title: str) -> bytes | None:
    """Training and held-out loss over the steps; None when nothing was logged."""
    curves = [("training", series(metrics, "loss"), "-"), ("held out", series(metrics, "eval_loss"), "o-")]
    curves = [(name, points, style) for name, points, style in curves if points]
    if not curves:
        return None
    figure, axes = _figure(6, 3.2)
    for name, points, style in curves:
        axes.plot(*zip(*points, strict=True), style, label=name, markersize=4)
    axes.set(title=title, xlabel="step", ylabel="loss")
    axes.legend()
    return _png(figure)


def ppo(metrics: Sequence[Mapping[str, Any]]) -> bytes | None:
    """What PPO logged, a panel each; None when it logged none of it."""
    found = []
    for title, names in PPO_CURVES.items():
        points = next((points for name in names if (points := series(metrics, name))), None)
        if points:
            found.append((title, points))
    if not found:
        return None
    rows = (len(found) + 2) // 3
    figure, panels = _figure(11, 2.4 * rows, rows, 3)
    panels = list(panels.flat)
    for axes, (title, points) in zip(panels, found, strict=False):
        axes.plot(*zip(*points, strict=True), "-", color="tab:purple")
        axes.set_title(title, fontsize=9)
        axes.grid(alpha=0.3)
    for axes in panels[len(found) :]:
        axes.set_visible(False)
    return _png(figure)


def win_rates(sources: Sequence[Mapping[str, Any]], decisive: str | None) -> bytes | None:
    """The candidate's win rate by each source with its 95 % interval, raw and at equal length."""
    shown = [source for source in sources if source.get("win")]
    if not shown:
        return None
    figure, axes = _figure(7, 1.2 + 0.7 * len(shown))
    for place, source in enumerate(reversed(shown)):
        for shift, kind, colour in ((0.1, "interval", "tab:blue"), (-0.15, "length_controlled", "tab:grey")):
            found = source["win"][kind]
            sides = [[max(0.0, found["mean"] - found["low"])], [max(0.0, found["high"] - found["mean"])]]
            axes.errorbar(
                [found["mean"]],
                [place + shift],
                xerr=sides,
                fmt="o" if source["counts"] else "x",
                color=colour,
                capsize=4,
                label={"interval": "raw", "length_controlled": "at equal length"}[kind] if not place else None,
            )
    names = [source["name"] + (" (decides)" if source["name"] == decisive else "") for source in reversed(shown)]
    axes.set_yticks(range(len(shown)), names)
    axes.axvline(0.5, color="black", linestyle=":")
    axes.set(xlim=(-0.02, 1.02), ylim=(-0.6, len(shown) - 0.4), xlabel="win rate against the champion (95 %)")
    axes.legend(fontsize=8)
    return _png(figure)


def suites(changes: Sequence[Mapping[str, Any]]) -> bytes | None:
    """The candidate's change on each suite, in margins of that suite, with its paired 95 % interval."""
    shown = [change for change in changes if change["margin"] > 0]
    if not shown:
        return None
    figure, axes = _figure(7, 1.2 + 0.4 * len(shown))
    for place, change in enumerate(reversed(shown)):
        found, margin = change["change"], change["margin"]
        sides = [
            [max(0.0, found["mean"] - found["low"]) / margin],
            [max(0.0, found["high"] - found["mean"]) / margin],
        ]
        colour = "tab:red" if change["worse"] else "tab:green"
        axes.errorbar([found["mean"] / margin], [place], xerr=sides, fmt="o", color=colour, capsize=4)
    axes.set_yticks(range(len(shown)), [change["title"] for change in reversed(shown)])
    axes.axvline(-1, color="tab:red", linestyle=":")
    axes.axvline(0, color="black", linewidth=0.8)
    axes.set(xlabel="change from the champion, in margins (wholly left of the red line: refused)")
    return _png(figure)


def rows(counts: Mapping[str, Mapping[str, int]], dropped: Mapping[str, Mapping[str, int]]) -> bytes | None:
    """How many rows there are by kind and fold, and how many may not be used."""
    kinds = [
        kind for kind in {**counts, **dropped} if sum({**counts.get(kind, {}), **dropped.get(kind, {})}.values())
    ]
    if not kinds:
        return None
    figure, axes = _figure(7, 1.2 + 0.5 * len(kinds))
    folds = ("train", "judge_train", "judge", "gate")
    left = dict.fromkeys(kinds, 0)
    colours = ("tab:blue", "tab:cyan", "tab:olive", "tab:orange", "lightgrey")
    for fold, colour in zip((*folds, "held back"), colours, strict=True):
        lengths = [
            sum(dropped.get(kind, {}).values()) if fold == "held back" else counts.get(kind, {}).get(fold, 0)
            for kind in kinds
        ]
        axes.barh(kinds, lengths, left=[left[kind] for kind in kinds], color=colour, label=fold)
        left = {kind: left[kind] + length for kind, length in zip(kinds, lengths, strict=True)}
    axes.invert_yaxis()
    axes.set(xlabel="rows")
    axes.legend(fontsize=8, ncols=5, loc="lower center", bbox_to_anchor=(0.5, 1.0))
    return _png(figure)


def series(metrics: Sequence[Mapping[str, Any]], name: str) -> list[tuple[int, float]]:
    """(step, value) of one figure, where it was logged as a number."""
    return [
        (int(entry["step"]), float(entry[name]))
        for entry in metrics
        if isinstance(entry.get(name), int | float) and "step" in entry
    ]


def _figure(width: float, height: float, rows: int = 1, columns: int = 1) -> tuple[Any, Any]:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="tight")
    FigureCanvasAgg(figure)
    axes = figure.subplots(rows, columns, squeeze=rows * columns == 1)
    if rows * columns == 1:
        axes.grid(alpha=0.3)
    return figure, axes


def _png(figure: Any) -> bytes:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=110)
    return buffer.getvalue()
