"""Evidence that may be looked at after every vote: a betting e-process for "the candidate wins more than one half".

Somebody begins with 1 and bets a share of it on the candidate before each vote, at fair odds. If the candidate wins
one half at most, the expected capital never grows, so it ever reaches 1/error with a probability of `error` at most,
however often one looks (Ville's inequality). The bets are a mixture of four fixed shares, because nobody knows the
win rate beforehand: Waudby-Smith and Ramdas, "Estimating means of bounded random variables by betting" (2024), with
the mixture of Howard, Ramdas, McAuliffe and Sekhon, "Time-uniform, nonparametric, nonasymptotic confidence sequences"
(2021).

Where a judge's verdicts are known for more pairs than people voted on, they reduce the noise of the votes:
prediction-powered inference (Angelopoulos et al., 2023) with power tuning (Angelopoulos, Duchi and Zrnic, "PPI++",
2023). The expectation of what is subtracted is 0, so the guarantee stays.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

# Shares of the capital that are bet, and how much of the first capital is bet in that way. A share of 0.2 grows
# fastest at a win rate of 60 %, one of 0.5 at 75 %.
BETS = np.array([0.1, 0.2, 0.3, 0.5])
PRIOR = np.array([0.1, 0.5, 0.25, 0.15])
# How many imagined votes the judge's known accuracy counts for when its weight is chosen.
_IMAGINED = 20.0
_MOST = 0.8  # the largest weight of a judge
_STAKED = 0.9  # a bet loses this share of the capital at most


@dataclass(frozen=True, slots=True)
class Adjusted:
    """Votes in the order in which they count, as leads: 1 for the candidate, -1 for the champion, 0 for a tie.

    With a judge a lead is the vote minus what the judge's verdict on the same pair explains, so it may lie outside
    -1 to 1; `least` is the smallest value that it could have taken. `weights` is the judge's weight at each vote.
    """

    leads: Array
    least: Array
    weights: Array

    def of(self, chosen: NDArray[np.bool_]) -> "Adjusted":
        """Some of the votes, in the same order."""
        return Adjusted(self.leads[chosen], self.least[chosen], self.weights[chosen])


def plain(scores: Array) -> Adjusted:
    """Votes by themselves; `scores` are 1, 0.5 for a tie, or 0."""
    return Adjusted(2 * scores - 1, np.full(scores.shape, -1.0), np.zeros(scores.shape))


def adjusted(scores: Array, verdicts: Array, expected: Array, accuracy: float) -> Adjusted:
    """Votes minus what a judge explains of them.

    `verdicts` are the judge's scores of the same pairs (nan where it has none), and `expected` is the mean of its
    verdicts over all pairs that could have been voted on at that moment. `accuracy` is how often it agreed with
    people elsewhere. The judge's weight at each vote is fitted to the votes before it, never to the vote itself.
    """
    votes = scores - 0.5
    surprise = np.where(np.isnan(verdicts), 0.0, verdicts - expected)
    known = max(0.0, 2 * accuracy - 1)
    together = _before(votes * surprise) - _before(votes) * _before(surprise) / np.maximum(1, np.arange(votes.size))
    alone = _before(surprise**2)
    weights = np.clip((together + _IMAGINED * 0.25 * known) / (alone + _IMAGINED * 0.25), 0.0, _MOST)
    expected = np.where(np.isnan(expected), 0.5, expected)
    return Adjusted(2 * (votes - weights * surprise), -1 - 2 * weights * (1 - expected), weights)


def log_capital(found: Adjusted) -> Array:
    """The logarithm of the capital after each vote, in nats; its first value stands for no vote at all."""
    ways = np.concatenate([np.zeros((BETS.size, 1)), np.cumsum(_growth(found), axis=1)], axis=1)
    capital: Array = np.logaddexp.reduce(ways + np.log(PRIOR)[:, None], axis=0)
    return capital


def rate(found: Adjusted) -> float:
    """How much the capital grew a vote, in nats, by the share that did best."""
    return float(_growth(found).mean(axis=1).max()) if found.leads.size else 0.0


def more_votes(capital: float, rate: float, error: float) -> int | None:
    """How many more votes it takes at this rate until the capital is 1/error; None if the capital does not grow."""
    if rate <= 0:
        return None
    return max(0, math.ceil((-math.log(error) - capital) / rate))


def _growth(found: Adjusted) -> Array:
    """The logarithm of each bet's result, of shape (bets, votes)."""
    # A judge that explains a part of the noise allows larger bets, as far as no bet can lose everything.
    bets = np.minimum(BETS[:, None] / (1 - found.weights**2), _STAKED / np.maximum(1.0, -found.least))
    grown: Array = np.log1p(bets * found.leads)
    return grown


def _before(values: Array) -> Array:
    """The sum of all values before each."""
    return np.concatenate([[0.0], np.cumsum(values)[:-1]]) if values.size else values
