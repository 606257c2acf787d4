"""The model of Dawid and Skene for yes or no: which items are good, and how often each rater is right.

From "Maximum Likelihood Estimation of Observer Error-Rates Using the EM Algorithm" (1979), step by step as the
package `crowd-kit` computes it; a test compares the two. Importing that package takes seconds, and filling its
tables takes as long as everything else that rows need from ratings.
"""

import numpy as np

from data.labels import Floats, Labels

ROUNDS, TOLERANCE = 50, 1e-5
_LEAST = 1e-10  # no probability is smaller

Errors = tuple[Floats, Floats]


def goodness(labels: Labels, right: Floats, wrong: Floats) -> Floats:
    """The probability that each item is good, at the optimum nearest to the start.

    The start: `right` is each rater's share of good items called good, `wrong` that of bad ones called bad.
    """
    if labels.value.all() or not labels.value.any():
        return np.full(labels.items, float(labels.value.any()))
    good = labels.by_item(labels.value.astype(np.float64)) / labels.sizes()
    # For each entry: how often its rater says this of good items (`says`), and of bad ones (`errs`).
    yes = labels.value
    says = np.where(yes, right[labels.rater], 1 - right[labels.rater])
    errs = np.where(yes, 1 - wrong[labels.rater], wrong[labels.rater])
    said = np.log(np.maximum(says, _LEAST)), np.log(np.maximum(errs, _LEAST))
    share, last = float(good.mean()), -np.inf
    for _ in range(ROUNDS):
        good = _expected(labels, said, share)
        share = float(good.mean())
        said = _learnt(labels, good)
        likelihood = _likelihood(labels, said, good, share) / len(labels.item)
        if likelihood - last < TOLERANCE:
            break
        last = likelihood
    return np.maximum(good, _LEAST)


def _expected(labels: Labels, said: Errors, share: float) -> Floats:
    """The probability that each item is good, given how raters err and which share of all items is good."""
    good, bad = (
        labels.by_item(each) + np.log(max(part, _LEAST)) for each, part in zip(said, (share, 1 - share), strict=True)
    )
    # The logistic function, in a form that does not overflow.
    found: Floats = 0.5 * (1 + np.tanh((good - bad) / 2))
    return found


def _learnt(labels: Labels, good: Floats) -> Errors:
    """For each entry: the logarithm of how often its rater says this of good items, and of bad ones."""
    found = []
    for truth in (good[labels.item], 1 - good[labels.item]):
        yes, no = (
            np.where(labels.by_rater(said) > 0, np.maximum(labels.by_rater(truth * said), _LEAST), 0.0)
            for said in (labels.value.astype(np.float64), (~labels.value).astype(np.float64))
        )
        share = np.where(labels.value, yes[labels.rater], no[labels.rater]) / (yes + no)[labels.rater]
        found.append(np.log(share))
    return found[0], found[1]


def _likelihood(labels: Labels, said: Errors, good: Floats, share: float) -> float:
    """The lower bound of the evidence, which no iteration lowers."""
    truths = np.maximum(np.stack([good, 1 - good]), _LEAST)
    priors = np.log(np.maximum([share, 1 - share], _LEAST))
    expected = sum(
        float((truth[labels.item] * (each + prior)).sum())
        for truth, each, prior in zip((good, 1 - good), said, priors, strict=True)
    )
    return expected - float((truths * np.log(truths)).sum())
