"""A head fitted to features of pairs: logistic regression on differences, with a penalty that held-out pairs choose.

The model is that of Bradley and Terry ("Rank analysis of incomplete block designs", 1952) with a score that is linear
in the features, so the loss has one minimum, and no seed, order or learning rate decides where training ends.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

# How strongly weights may be held back: the penalty is l2 / 2 * |weights|^2, for differences of length 1 on average.
PENALTIES = tuple(float(10.0**power) for power in np.arange(-3.0, 1.6, 0.5))
FOLDS = 5
_STEPS, _ENOUGH = 50, 1e-10

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Fitted:
    """Weights of shape (features,), the penalty that was chosen, and the mean held-out loss at it, in nats a pair.

    Above log 2 = 0.693 the features say nothing about these pairs. None where all pairs have one prompt, so that none
    can be held out; the penalty is the strongest one then.
    """

    weights: Floats
    l2: float
    loss: float | None


def fit(
    differences: ArrayLike,
    groups: Sequence[str],
    *,
    margins: ArrayLike | None = None,
    counts: ArrayLike | None = None,
) -> Fitted:
    """Fit weights w so that sigmoid(w . d - margin) is likely for the differences d, shape (pairs, features).

    `differences` are the chosen answer's features minus the rejected one's; `groups` names each pair's prompt,
    because pairs of one prompt are held out together; `counts` says how much each pair counts. The order of pairs
    does not matter. Raises `ValueError` without pairs.
    """
    rows = np.asarray(differences, dtype=np.float64)
    if not len(rows):
        raise ValueError("a head needs at least one pair")
    margin = np.zeros(len(rows)) if margins is None else np.asarray(margins, dtype=np.float64)
    count = np.ones(len(rows)) if counts is None else np.asarray(counts, dtype=np.float64)
    scale = float(np.sqrt(np.average((rows**2).sum(axis=1), weights=count))) or 1.0
    # The penalty keeps the weights within what the pairs span, so no more numbers than pairs are solved for.
    left, sizes, directions = np.linalg.svd(rows / scale, full_matrices=False)
    kept = sizes > 1e-9 * max(float(sizes[0]), 1e-30)
    inner, directions = left[:, kept] * sizes[kept], directions[kept]
    fold = _folds(groups)
    losses = np.zeros(len(PENALTIES))
    for held_out in range(int(fold.max()) + 1 if fold.max() else 0):
        inside, outside = fold == held_out, fold != held_out
        start = np.zeros(inner.shape[1])
        for place, l2 in reversed(list(enumerate(PENALTIES))):  # from the most held back, each from the one before
            start = _solve(inner[outside], margin[outside], count[outside], l2, start)
            losses[place] += float(count[inside] @ _losses(inner[inside] @ start - margin[inside]))
    losses /= count.sum()
    best = int(losses.argmin()) if fold.max() else len(PENALTIES) - 1
    found = _solve(inner, margin, count, PENALTIES[best], np.zeros(inner.shape[1]))
    return Fitted(directions.T @ found / scale, PENALTIES[best], float(losses[best]) if fold.max() else None)


def _folds(groups: Sequence[str]) -> NDArray[np.int64]:
    """Which part each pair is held out with: by the order of the groups' names, so not by the order of the pairs."""
    names = sorted(set(groups))
    place = {name: number % min(FOLDS, len(names)) for number, name in enumerate(names)}
    return np.array([place[name] for name in groups], dtype=np.int64)


def _losses(margins: Floats) -> Floats:
    return np.asarray(np.logaddexp(0.0, -margins), dtype=np.float64)


def _solve(rows: Floats, margin: Floats, count: Floats, l2: float, start: Floats) -> Floats:
    """Newton's method with halved steps; the loss is convex."""
    share = count / count.sum()
    weights = start

    def loss(at: Floats) -> float:
        return float(share @ _losses(rows @ at - margin)) + l2 / 2 * float(at @ at)

    now = loss(weights)
    for _ in range(_STEPS):
        wrong = 0.5 * (1 - np.tanh((rows @ weights - margin) / 2))  # the probability that the rejected answer wins
        slope = l2 * weights - rows.T @ (share * wrong)
        curve = (rows.T * (share * wrong * (1 - wrong))) @ rows + l2 * np.eye(rows.shape[1])
        step = np.linalg.solve(curve, slope)
        length = 1.0
        while (after := loss(weights - length * step)) > now and length > 1e-6:
            length /= 2
        weights = weights - length * step
        if now - after < _ENOUGH:
            break
        now = after
    return weights
