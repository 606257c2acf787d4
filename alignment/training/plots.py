"""The pictures in a run folder and in a round's report, as PNG. None of them shows people's texts."""

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from data.drawing import SMALL, figure, png
from data.home import write_atomic

Metrics = Sequence[Mapping[str, Any]]  # the lines of `metrics.jsonl`

# What PPO logs and a person wants to see: the title and its possible names.
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
# What semi-online DPO logs of the answers that it draws, beside its loss.
DRAWN_CURVES: dict[str, tuple[str, ...]] = {
    "loss": ("loss",),
    "reward of the drawn answers": ("reward",),
    "prompts whose answers make a pair (share)": ("pairs",),
    "reward of the chosen answers": ("reward_chosen",),
    "reward of the rejected answers": ("reward_rejected",),
    "answer length (tokens)": ("length",),
}
_PANELS_IN_A_ROW = 3


def plot_loss(metrics: Metrics, path: Path, title: str) -> None:
    """Write a private picture of the loss; empty if nothing was logged."""
    write_atomic(path, _losses(metrics, title))


def losses(metrics: Metrics, title: str) -> bytes | None:
    """Training and held-out loss over the steps; None when nothing was logged."""
    return _losses(metrics, title) if series(metrics, "loss") or series(metrics, "eval_loss") else None


def _losses(metrics: Metrics, title: str) -> bytes:
    made, (axes,) = figure(7, 4)
    if train := series(metrics, "loss"):
        steps, values = zip(*train, strict=True)
        axes.plot(steps, values, color="tab:blue", alpha=0.3, label="training")
        axes.plot(steps, _running_mean(values), color="tab:blue", label="training, running mean")
    if held_out := series(metrics, "eval_loss"):
        axes.plot(*zip(*held_out, strict=True), "o-", color="tab:orange", markersize=4, label="held out")
    axes.set(title=title, xlabel="step", ylabel="loss")
    if train or held_out:
        axes.legend(fontsize=SMALL)
    return png(made)


def plot_curve(metrics: Metrics, path: Path, title: str, curves: Mapping[str, tuple[str, ...]] = PPO_CURVES) -> None:
    """Write a private picture of what PPO logged, or of other `curves`; empty if nothing was logged."""
    write_atomic(path, _panels(metrics, _logged(metrics, curves), title))


def ppo(metrics: Metrics) -> bytes | None:
    """What PPO logged, one panel for each figure, dots for held-out prompts; None when it logged nothing."""
    found = _logged(metrics, PPO_CURVES)
    return _panels(metrics, found, "") if found else None


def drawn(metrics: Metrics) -> bytes | None:
    """What semi-online DPO logged, one panel for each figure; None when no pairs were drawn."""
    return _panels(metrics, _logged(metrics, DRAWN_CURVES), "") if series(metrics, "pairs") else None


def _logged(metrics: Metrics, curves: Mapping[str, tuple[str, ...]]) -> list[tuple[str, str]]:
    """Title and name of each of the figures that was logged."""
    found = ((title, next(filter(partial(series, metrics), names), "")) for title, names in curves.items())
    return [(title, name) for title, name in found if name]


def _panels(metrics: Metrics, found: Sequence[tuple[str, str]], title: str) -> bytes:
    rows = max(1, -(-len(found) // _PANELS_IN_A_ROW))
    made, panels = figure(11, 2.4 * rows + 0.4, rows, _PANELS_IN_A_ROW)
    made.suptitle(title)
    for axes, (label, name) in zip(panels, found, strict=False):
        axes.plot(*zip(*series(metrics, name), strict=True), "-", color="tab:purple")
        if held_out := series(metrics, f"eval_{name}"):
            axes.plot(*zip(*held_out, strict=True), "o", color="black", label="held out")
            axes.legend(fontsize=SMALL)
        axes.set_title(label, fontsize=9)
    for axes in panels[len(found) :]:
        axes.set_visible(False)
    return png(made)


def win_rates(sources: Sequence[Mapping[str, Any]], decisive: str | None) -> bytes | None:
    """The candidate's win rate by each source with its 95 % interval, raw and at equal length."""
    shown = [source for source in sources if source.get("win")]
    if not shown:
        return None
    made, (axes,) = figure(7, 1.2 + 0.7 * len(shown))
    for place, source in enumerate(reversed(shown)):
        for shift, kind, colour in ((0.1, "interval", "tab:blue"), (-0.15, "length_controlled", "tab:grey")):
            found = source["win"][kind]
            axes.errorbar(
                [found["mean"]],
                [place + shift],
                xerr=_sides(found),
                fmt="o" if source["counts"] else "x",
                color=colour,
                capsize=4,
                label={"interval": "raw", "length_controlled": "at equal length"}[kind] if not place else None,
            )
    names = [source["name"] + (" (decides)" if source["name"] == decisive else "") for source in reversed(shown)]
    axes.set_yticks(range(len(shown)), names)
    axes.axvline(0.5, color="black", linestyle=":")
    axes.set(xlim=(-0.02, 1.02), ylim=(-0.6, len(shown) - 0.4), xlabel="win rate against the champion (95 %)")
    axes.legend(fontsize=SMALL)
    return png(made)


def suites(changes: Sequence[Mapping[str, Any]]) -> bytes | None:
    """The candidate's change on each suite, in margins of that suite, with its paired 95 % interval."""
    shown = [change for change in changes if change["margin"] > 0]
    if not shown:
        return None
    made, (axes,) = figure(7, 1.2 + 0.4 * len(shown))
    for place, change in enumerate(reversed(shown)):
        found, margin = change["change"], change["margin"]
        colour = "tab:red" if change["worse"] else "tab:green"
        axes.errorbar([found["mean"] / margin], [place], xerr=_sides(found, margin), fmt="o", color=colour, capsize=4)
    axes.set_yticks(range(len(shown)), [change["title"] for change in reversed(shown)])
    axes.axvline(-1, color="tab:red", linestyle=":")
    axes.axvline(0, color="black", linewidth=0.8)
    axes.set(xlabel="change from the champion, in margins (wholly left of the red line: refused)")
    return png(made)


def groups(found: Sequence[Mapping[str, Any]], names: Sequence[str], lowest: float) -> bytes | None:
    """The candidate's win rate by group of people as bars with 95 % intervals; None without groups.

    `names` are the groups' in the same order. A group is served worse when it is surely below `lowest`.
    """
    if not found:
        return None
    made, (axes,) = figure(7, 1.2 + 0.4 * len(found))
    for place, group in enumerate(found):
        colour = "tab:red" if group["worse"] else "tab:blue"
        axes.barh([place], [group["win"]["mean"]], xerr=_sides(group["win"]), color=colour, alpha=0.7, capsize=4)
    axes.set_yticks(range(len(found)), names, parse_math=False)  # a persona's name may have dollar signs
    axes.invert_yaxis()
    axes.axvline(0.5, color="black", linestyle=":")
    axes.axvline(lowest, color="tab:red", linestyle=":")
    axes.set(xlim=(0, 1), xlabel="win rate (95 %); red: surely below the red line")
    return png(made)


def rows(counts: Mapping[str, Mapping[str, int]], dropped: Mapping[str, Mapping[str, int]]) -> bytes | None:
    """How many rows there are by kind and fold, and how many may not be used."""
    kinds = [
        kind for kind in {**counts, **dropped} if sum({**counts.get(kind, {}), **dropped.get(kind, {})}.values())
    ]
    if not kinds:
        return None
    made, (axes,) = figure(7, 1.2 + 0.5 * len(kinds))
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
    axes.legend(fontsize=SMALL, ncols=5, loc="lower center", bbox_to_anchor=(0.5, 1.0))
    return png(made)


def series(metrics: Metrics, name: str) -> list[tuple[int, float]]:
    """(step, value) of one figure, where it was logged as a number."""
    return [
        (int(entry["step"]), float(entry[name]))
        for entry in metrics
        if isinstance(entry.get(name), int | float) and "step" in entry
    ]


def _sides(found: Mapping[str, float], unit: float = 1.0) -> list[list[float]]:
    """How far an interval reaches below and above its mean, as `errorbar` takes it."""
    return [[max(0.0, found["mean"] - found["low"]) / unit], [max(0.0, found["high"] - found["mean"]) / unit]]


def _running_mean(values: Sequence[float], share: float = 0.2) -> list[float]:
    means: list[float] = []
    for value in values:
        means.append(value if not means else (1 - share) * means[-1] + share * value)
    return means
