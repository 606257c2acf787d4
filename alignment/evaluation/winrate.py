"""Win rates: how often a candidate's answer beats the champion's, how sure that is, and what length does to it.

A tie counts half. Intervals are percentile bootstraps over prompts: several outcomes of one prompt are drawn
together, because they are not independent.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from alignment.evaluation.gate import RESAMPLES, Interval

Array = NDArray[np.float64]

# The pull of both coefficients to zero. It keeps them finite when one model wins everything, and shares the credit
# between quality and length where the data cannot tell them apart (every answer of one model is the longer one).
RIDGE = 0.1
# Fits of the length regression; its interval is looked at, not decided on, so fewer than the win rate's will do.
LENGTH_RESAMPLES = 1000
_STEPS = 100
_CELLS = 1_000_000  # of one block of draws: 8 MB


@dataclass(frozen=True, slots=True)
class Outcome:
    """One comparison of two answers to a prompt.

    `score` is 1 when the candidate's is better, 0 when the champion's is, 0.5 for a tie. Outcomes of one `prompt` are
    drawn together in the bootstrap, and so are those of one `rater` where people compared. Lengths are in characters.
    """

    prompt: str
    score: float
    candidate_chars: int
    champion_chars: int
    rater: str = ""


@dataclass(frozen=True, slots=True)
class WinRate:
    """The candidate's share of wins with its 95 % interval, raw and at equal length, and the counts.

    `prompts` is how many different prompts the outcomes belong to.
    """

    interval: Interval
    length_controlled: Interval
    wins: int
    ties: int
    losses: int
    prompts: int


def win_rate(outcomes: Sequence[Outcome], *, seed: int = 0) -> WinRate:
    """The win rate of the candidate over at least one outcome. Swapping the two models gives one minus it."""
    scores = [outcome.score for outcome in outcomes]
    groups = [outcome.prompt for outcome in outcomes]
    lengths = [outcome.candidate_chars - outcome.champion_chars for outcome in outcomes]
    interval = interval_over(scores, groups, seed=seed)
    raters = [outcome.rater for outcome in outcomes]
    if len(set(raters)) > 1:
        # Twenty comparisons of two people are the taste of two people: the wider interval is the honest one.
        by_rater = interval_by_few(scores, raters)
        interval = max(interval, by_rater, key=lambda found: found.high - found.low)
    return WinRate(
        interval=interval,
        length_controlled=length_controlled(scores, lengths, groups, seed=seed),
        wins=sum(score > 0.5 for score in scores),
        ties=sum(score == 0.5 for score in scores),
        losses=sum(score < 0.5 for score in scores),
        prompts=len(set(groups)),
    )


def interval_over(
    values: Sequence[float], groups: Sequence[str], *, level: float = 0.95, seed: int = 0, resamples: int = RESAMPLES
) -> Interval:
    """The mean of values with a percentile interval of the bootstrap that draws whole groups (Davison and Hinkley,
    "Bootstrap Methods and their Application", 1997, section 3.8)."""
    sample = np.asarray(values, dtype=np.float64)
    if not sample.size:
        raise ValueError("an interval needs at least one value")
    index, count = _numbered(groups)
    sums = np.bincount(index, weights=sample, minlength=count)
    sizes = np.bincount(index, minlength=count)
    means = np.concatenate([(drawn @ sums) / (drawn @ sizes) for drawn in _draws(count, resamples, seed)])
    low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2])
    return Interval(float(sample.mean()), float(low), float(high))


def interval_by_few(values: Sequence[float], groups: Sequence[str], *, level: float = 0.95) -> Interval:
    """The mean of values with an interval that holds when their groups are few, two at least.

    The cluster-robust variance of a mean with Student's t, of one degree of freedom less than there are groups
    (Cameron and Miller, "A Practitioner's Guide to Cluster-Robust Inference", 2015, section VI). A bootstrap of three
    groups has but ten outcomes, and ends far too near to the mean.
    """
    from scipy.stats import t

    sample = np.asarray(values, dtype=np.float64)
    index, count = _numbered(groups)
    mean = float(sample.mean())
    residuals = np.bincount(index, weights=sample - mean, minlength=count)
    error = math.sqrt(count / (count - 1) * float((residuals**2).sum())) / sample.size
    reach = float(t.ppf((1 + level) / 2, count - 1)) * error
    return Interval(mean, max(0.0, mean - reach), min(1.0, mean + reach))


def length_controlled(
    scores: Sequence[float], lengths: Sequence[float], groups: Sequence[str], *, level: float = 0.95, seed: int = 0
) -> Interval:
    """The win rate that would be seen if both answers were equally long.

    A logistic regression of the outcome on the difference in length, evaluated at no difference, as in
    length-controlled AlpacaEval (Dubois et al., "Length-Controlled AlpacaEval", 2024): the difference is divided by
    its standard deviation and squashed by tanh. Theirs also knows how hard each question is; ours has no such table.
    """
    target = np.asarray(scores, dtype=np.float64)
    difference = np.asarray(lengths, dtype=np.float64)
    spread = difference.std()
    # All differences equal: nothing tells length from quality, so the term can only be their common sign.
    feature = np.tanh(difference / spread) if spread > 0 else np.sign(difference)
    index, count = _numbered(groups)
    mean = _at_equal_length(target, feature, np.ones((1, target.size)))[0]
    drawn = [_at_equal_length(target, feature, w[:, index]) for w in _draws(count, LENGTH_RESAMPLES, seed)]
    low, high = np.quantile(np.concatenate(drawn), [(1 - level) / 2, (1 + level) / 2])
    return Interval(float(mean), float(low), float(high))


def _numbered(groups: Sequence[str]) -> tuple[NDArray[np.int64], int]:
    numbers = {name: number for number, name in enumerate(dict.fromkeys(groups))}
    return np.array([numbers[name] for name in groups], dtype=np.int64), len(numbers)


def _draws(count: int, resamples: int, seed: int) -> Iterator[Array]:
    """How often each of `count` groups is drawn: blocks of rows, a row for each resample."""
    generator = np.random.default_rng(seed)
    block = max(1, _CELLS // count)
    for start in range(0, resamples, block):
        rows = min(block, resamples - start)
        drawn = generator.integers(0, count, size=(rows, count)) + np.arange(rows)[:, None] * count
        yield np.bincount(drawn.ravel(), minlength=rows * count).reshape(rows, count).astype(np.float64)


def _at_equal_length(target: Array, feature: Array, weights: Array) -> Array:
    """The fitted probability at feature 0, one for each row of `weights` (fits x outcomes).

    Newton's method on all fits at once, on the ridge logistic loss of an intercept and a slope.
    """
    intercept = np.zeros(weights.shape[0])
    slope = np.zeros(weights.shape[0])
    for _ in range(_STEPS):
        fitted = _sigmoid(intercept[:, None] + slope[:, None] * feature)
        wrong = weights * (fitted - target)
        curve = weights * fitted * (1 - fitted)
        down, across = wrong.sum(1) + RIDGE * intercept, wrong @ feature + RIDGE * slope
        a, b, c = curve.sum(1) + RIDGE, curve @ feature, curve @ feature**2 + RIDGE
        determinant = a * c - b * b  # above RIDGE squared, so never zero
        first, second = (c * down - b * across) / determinant, (a * across - b * down) / determinant
        # A full step can overshoot where the curve is flat; the loss is convex, so short ones arrive.
        scale = np.minimum(1.0, 1.0 / np.maximum(np.hypot(first, second), 1e-12))
        intercept, slope = intercept - scale * first, slope - scale * second
        if np.hypot(first, second).max() < 1e-10:
            break
    result: Array = _sigmoid(intercept)
    return result


def _sigmoid(logits: Array) -> Array:
    squashed: Array = 0.5 * (1 + np.tanh(logits / 2))
    return squashed
