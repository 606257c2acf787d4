"""How good is a reward model? Figures on pairs that it never trained on, a table of them, a picture.

A pair is one held-out preference: two scores, and the two answers' lengths. The margin is the chosen answer's score
minus the rejected one's; the model says that the chosen one is better with the probability sigmoid(margin), the model
of Bradley and Terry, "Rank analysis of incomplete block designs", 1952.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from rich.table import Table

from alignment.intervals import bootstrap
from data.drawing import figure, png
from data.gate_verdicts import Interval
from data.home import write_atomic

# Below this many held-out pairs (or prompts that they are on) the interval of an accuracy is wider than 0.4: it is
# shown, and nothing is concluded from it.
FEW_HELD_OUT = 20
BINS = 5
# The range in which a temperature is searched. A model that is never wrong would have 0, a random one infinity.
TEMPERATURES = (0.05, 20.0)

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Bin:
    """Pairs whose predicted winner has a probability in one range: how likely it was, and how often it was right."""

    low: float
    high: float
    pairs: int
    predicted: float
    observed: float


@dataclass(frozen=True, slots=True)
class Calibration:
    """Whether predicted probabilities match observed frequencies.

    `error` is the expected calibration error, from 0 to 1; margins divided by `temperature` make these pairs
    likeliest (above 1: the model is too sure). None where there is no pair to fit it on.
    """

    bins: tuple[Bin, ...]
    error: float
    temperature: float
    log_loss: float


@dataclass(frozen=True, slots=True)
class Lengths:
    """The accuracy of length alone: `rule` ("longer" or "shorter" wins), and how often it is right."""

    rule: str
    accuracy: float


@dataclass(frozen=True, slots=True)
class Ties:
    """Pairs without a winner: margins should be small. `share` is their mean |margin| over the held-out pairs'."""

    pairs: int
    mean_margin: float
    share: float | None


@dataclass(frozen=True, slots=True)
class Figures:
    """A reward model on held-out pairs. A tie (of scores, of lengths) counts half in an accuracy.

    `beyond_length` is its accuracy minus that of length, pair by pair; `prompts` how many different prompts the pairs
    have, over which both intervals are taken.
    """

    pairs: int
    prompts: int
    accuracy: Interval
    lengths: Lengths
    beyond_length: Interval
    mean_margin: float
    calibration: Calibration
    ties: Ties | None = None

    def facts(self) -> dict[str, Any]:
        """The figures for JSON, rounded."""
        return dict(_rounded(asdict(self)))


def measure(
    chosen: Sequence[float],
    rejected: Sequence[float],
    lengths: Sequence[tuple[int, int]],
    *,
    rule: str,
    prompts: Sequence[str] | None = None,
    ties: Sequence[float] | None = None,
    seed: int = 0,
) -> Figures:
    """The figures of a reward model on pairs: scores, lengths (chosen, rejected) in characters, margins of ties.

    `rule` is which length wins, see `length_rule`. `prompts` says which pairs share a prompt, by any names;
    without it none do. There is at least one pair.
    """
    margins = np.asarray(chosen, dtype=np.float64) - np.asarray(rejected, dtype=np.float64)
    sizes = np.asarray(lengths, dtype=np.float64).reshape(-1, 2)
    size_gap = sizes[:, 0] - sizes[:, 1]
    typical = float(np.abs(margins).mean())
    right, by_length = wins(margins), wins(size_gap if rule == "longer" else -size_gap)
    groups = [str(number) for number in range(len(margins))] if prompts is None else list(prompts)
    found = None
    if ties is not None and len(ties):
        mean = float(np.abs(np.asarray(ties, dtype=np.float64)).mean())
        found = Ties(len(ties), mean, mean / typical if typical else None)
    return Figures(
        len(margins),
        len(set(groups)),
        bootstrap(right, groups, seed=seed, span=(0.0, 1.0)),
        Lengths(rule, float(by_length.mean())),
        bootstrap(right - by_length, groups, seed=seed, span=(-1.0, 1.0)),
        float(margins.mean()),
        calibrate(margins),
        found,
    )


def length_rule(lengths: Sequence[tuple[int, int]]) -> str:
    """The rule of a judge that sees only lengths: whether longer or shorter answers won in training pairs."""
    gaps = np.asarray([chosen - rejected for chosen, rejected in lengths], dtype=np.float64)
    return "longer" if not len(gaps) or wins(gaps).mean() >= 0.5 else "shorter"


def wins(gaps: ArrayLike) -> Floats:
    """1 where a gap is positive, 0 where it is negative, one half at zero."""
    return (np.sign(np.asarray(gaps, dtype=np.float64)) + 1) / 2


def calibrate(margins: ArrayLike) -> Calibration:
    """The reliability of sigmoid(margin), and the temperature that corrects it.

    Guo et al., "On Calibration of Modern Neural Networks", 2017. The order of a pair's answers is arbitrary, so the
    predicted winner is used: its probability is at least one half.
    """
    gaps = np.asarray(margins, dtype=np.float64)
    sure, right = _sigmoid(np.abs(gaps)), wins(gaps)
    edges = np.linspace(0.5, 1.0, BINS + 1)
    place = np.clip(np.digitize(sure, edges[1:-1]), 0, BINS - 1)
    bins, error = [], 0.0
    for number in range(BINS):
        inside = place == number
        count = int(inside.sum())
        predicted, observed = (float(part[inside].mean()) if count else 0.0 for part in (sure, right))
        bins.append(Bin(float(edges[number]), float(edges[number + 1]), count, predicted, observed))
        error += abs(predicted - observed) * count / len(gaps)
    return Calibration(tuple(bins), error, fit_temperature(gaps), log_loss(gaps))


def fit_temperature(margins: ArrayLike) -> float:
    """The T within `TEMPERATURES` that makes sigmoid(margin / T) likeliest; the log loss has one minimum in 1 / T."""
    gaps = np.asarray(margins, dtype=np.float64)
    low, high = (1 / TEMPERATURES[1], 1 / TEMPERATURES[0])
    for _ in range(60):
        middle = (low + high) / 2
        # The derivative of the mean of -log sigmoid(b m) by b; it grows with b.
        slope = float((-gaps * _sigmoid(-gaps * middle)).mean())
        low, high = (middle, high) if slope < 0 else (low, middle)
    return 2 / (low + high)


def log_loss(margins: ArrayLike) -> float:
    """The mean of -log sigmoid(margin) in nats: log 2 for a random model."""
    return float(np.logaddexp(0.0, -np.asarray(margins, dtype=np.float64)).mean())


def table(figures: Figures) -> Table:
    """The figures for a screen."""
    shown = Table("held-out pairs", f"{figures.pairs} of {figures.prompts} prompts", box=None)
    accuracy, calibration = figures.accuracy, figures.calibration
    shown.add_row("accuracy", f"{accuracy.mean:.3f} (95 %: {accuracy.low:.3f} to {accuracy.high:.3f})")
    shown.add_row(f"length alone ({figures.lengths.rule} wins)", f"{figures.lengths.accuracy:.3f}")
    beyond = figures.beyond_length
    shown.add_row("  beyond it", f"{beyond.mean:+.3f} (95 %: {beyond.low:+.3f} to {beyond.high:+.3f})")
    shown.add_row("mean margin", f"{figures.mean_margin:+.3f}")
    shown.add_row("log loss (0.693: chance)", f"{calibration.log_loss:.3f}")
    shown.add_row("calibration error", f"{calibration.error:.3f}")
    shown.add_row("temperature (above 1: too sure)", f"{calibration.temperature:.2f}")
    for one in calibration.bins:
        if one.pairs:
            name = f"  sure by {one.low:.1f} to {one.high:.1f}"
            shown.add_row(name, f"{one.predicted:.2f} predicted, {one.observed:.2f} observed, {one.pairs} pairs")
    if figures.ties:
        share = f", {figures.ties.share:.2f} of a pair's" if figures.ties.share is not None else ""
        shown.add_row(f"{figures.ties.pairs} ties, mean |margin|", f"{figures.ties.mean_margin:.3f}{share}")
    return shown


def worth(found: Figures) -> str:
    """What a reward model's figures say about it, in a sentence. Too few pairs say nothing."""
    if min(found.pairs, found.prompts) < FEW_HELD_OUT:
        return (
            f"It may know nothing: {found.pairs} held-out pairs on {found.prompts} prompts are too few to tell, and "
            f"it takes {FEW_HELD_OUT}. Collect more comparisons before it judges anything."
        )
    if found.accuracy.low <= 0.5:
        return (
            f"It may be no better than chance: the interval of its accuracy begins at {found.accuracy.low:.3f}, not "
            "above one half. Train on more pairs before it judges anything."
        )
    if found.beyond_length.low <= 0:
        return (
            "It may be no better than answer length: the interval of its accuracy beyond length begins "
            f"at {found.beyond_length.low:+.3f}. On these pairs it cannot be told apart from a ruler."
        )
    return "It is better than chance and better than answer length, by both intervals."


def plot_rewards(
    chosen: Sequence[float], rejected: Sequence[float], figures: Figures, path: Path, title: str
) -> None:
    """Draw how the scores of chosen and rejected answers are spread, and the reliability, into a private PNG file."""
    made, (left, right) = figure(10, 4, 1, 2)
    edges = np.histogram_bin_edges([*chosen, *rejected], bins=min(30, max(5, len(chosen) // 4))).tolist()
    for scores, name, colour in ((rejected, "rejected", "tab:red"), (chosen, "chosen", "tab:green")):
        left.hist(list(scores), bins=edges, alpha=0.5, label=name, color=colour)
        left.axvline(float(np.mean(scores)), color=colour, linestyle="--")
    left.set(title=title, xlabel="score (dashed: mean)", ylabel="held-out answers")
    left.legend()
    bins = [one for one in figures.calibration.bins if one.pairs]
    right.plot([0.5, 1], [0.5, 1], color="grey", linestyle=":")
    right.plot([one.predicted for one in bins], [one.observed for one in bins], "o-", color="tab:blue")
    for one in bins:
        right.annotate(str(one.pairs), (one.predicted, one.observed), textcoords="offset points", xytext=(4, 6))
    right.set(
        title=f"{figures.pairs} pairs, calibration error {figures.calibration.error:.3f}",
        xlabel="how sure of its winner",
        ylabel="how often right",
        xlim=(0.48, 1.02),
        ylim=(-0.02, 1.05),
    )
    write_atomic(path, png(made))


def _sigmoid(values: Floats) -> Floats:
    return np.asarray(0.5 * (1 + np.tanh(values / 2)), dtype=np.float64)


def _rounded(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _rounded(part) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [_rounded(part) for part in value]
    return round(value, 6) if isinstance(value, float) else value
