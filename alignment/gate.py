"""The gate: may a candidate become the champion? A pure decision from figures that were measured before.

This is the first, simple gate. It asks one question: do held-out preferences of people speak for the candidate,
beyond what chance explains? Win rates, suites and judges come with the complete evaluation.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

MINIMUM_PAIRS = 8
RESAMPLES = 10_000


@dataclass(frozen=True, slots=True)
class Interval:
    """A mean and its bootstrap interval, in the unit of the values."""

    mean: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the gate decided, and the sentences that say why."""

    promote: bool
    interval: Interval | None
    reasons: tuple[str, ...]


def bootstrap(values: Sequence[float], *, level: float = 0.95, seed: int = 0) -> Interval:
    """The percentile bootstrap interval of a mean (Efron, "Bootstrap methods", 1979), the same for the same seed.

    `values` holds at least one number. The interval of one value, or of equal ones, is that value.
    """
    sample = np.asarray(values, dtype=np.float64)
    if not sample.size:
        raise ValueError("an interval needs at least one value")
    draws = np.random.default_rng(seed).integers(0, sample.size, size=(RESAMPLES, sample.size))
    low, high = np.quantile(sample[draws].mean(axis=1), [(1 - level) / 2, (1 + level) / 2])
    return Interval(float(sample.mean()), float(low), float(high))


def decide(gains: Sequence[float]) -> Verdict:
    """Promote when the lower end of the 95 % interval of the mean gain is above zero.

    A gain is, for one held-out preference, how much more the candidate prefers the chosen answer to the rejected one
    than the champion does: a difference of log-probabilities in nats.
    """
    if len(gains) < MINIMUM_PAIRS:
        return Verdict(
            False,
            None,
            (
                f"There are only {len(gains)} held-out preferences; the gate needs at least {MINIMUM_PAIRS} to "
                "decide. Collect more comparisons and corrections.",
            ),
        )
    if not np.isfinite(np.asarray(gains, dtype=np.float64)).all():
        return Verdict(False, None, ("The candidate's log-probabilities are not finite; its training went wrong.",))
    interval = bootstrap(gains)
    figures = f"{interval.mean:+.2f} nats a pair, 95 % interval {interval.low:+.2f} to {interval.high:+.2f}"
    if interval.low > 0:
        return Verdict(True, interval, (f"On {len(gains)} held-out preferences the candidate gains {figures}.",))
    return Verdict(
        False,
        interval,
        (
            f"On {len(gains)} held-out preferences the candidate's gain over the champion is {figures}: the lower "
            "end is not above zero, so it may be no better.",
        ),
    )
