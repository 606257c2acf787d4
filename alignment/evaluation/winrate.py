"""Win rates: how often a candidate's answer beats the champion's, how sure that is, and what length does to it.

A tie counts half. Intervals are percentile bootstraps over prompts: several comparisons of one prompt are drawn
together, because they are not independent. An interval has width even where one model wins everything.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from alignment.intervals import LEVEL, Array, bootstrap, interval_by_few, numbered, percentiles, widened
from data.gate_verdicts import Interval

# The pull of both coefficients to zero. It keeps them finite when one model wins everything, and shares the credit
# between quality and length where the data cannot tell them apart (every answer of one model is the longer one).
RIDGE = 0.1
# Resamples of the length regression: its interval only informs, so it needs fewer than the win rate's.
LENGTH_RESAMPLES = 1000
_STEPS = 100


@dataclass(frozen=True, slots=True)
class Comparison:
    """One comparison of the candidate's answer to a prompt with the champion's.

    `score` is 1 when the candidate's is better, 0 when the champion's is, 0.5 for a tie. Comparisons of one `prompt`
    are drawn together in the bootstrap, and so are those of one `rater` where people compared. Lengths are in
    characters. `groups` says where the rater spoke, by kind: the `language` and the `persona`, as far as known.
    """

    prompt: str
    score: float
    candidate_chars: int
    champion_chars: int
    rater: str = ""
    groups: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class WinRate:
    """The candidate's share of wins with its 95 % interval, raw and at equal length, and the counts.

    `prompts` is how many different prompts the comparisons belong to.
    """

    interval: Interval
    length_controlled: Interval
    wins: int
    ties: int
    losses: int
    prompts: int


def win_rate(comparisons: Sequence[Comparison], *, seed: int = 0) -> WinRate:
    """The win rate of the candidate over one comparison at least. Swapping the models gives one minus this."""
    scores = [each.score for each in comparisons]
    groups = [each.prompt for each in comparisons]
    lengths = [each.candidate_chars - each.champion_chars for each in comparisons]
    interval = bootstrap(scores, groups, seed=seed, span=(0.0, 1.0))
    raters = [each.rater for each in comparisons]
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


def length_controlled(
    scores: Sequence[float], lengths: Sequence[float], groups: Sequence[str], *, level: float = LEVEL, seed: int = 0
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
    index, count = numbered(groups)

    def fitted(drawn: NDArray[np.int64]) -> Array:
        # How often each group was drawn, a row for each resample, is the weight of its comparisons.
        rows = drawn + np.arange(len(drawn))[:, None] * count
        times = np.bincount(rows.ravel(), minlength=drawn.size).reshape(drawn.shape)
        return _at_equal_length(target, feature, times[:, index].astype(np.float64))

    mean = _at_equal_length(target, feature, np.ones((1, target.size)))[0]
    low, high = percentiles(count, fitted, level=level, seed=seed, resamples=LENGTH_RESAMPLES)
    return widened(Interval(float(mean), low, high), count, (0.0, 1.0), level=level)


def _at_equal_length(target: Array, feature: Array, weights: Array) -> Array:
    """The fitted probability at feature 0, one for each row of `weights` (fits x comparisons).

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
