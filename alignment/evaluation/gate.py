"""The gate: may a candidate become the champion? A pure decision from figures that were measured before.

It promotes only when the lower end of the win rate's interval is above one half and no suite's paired interval lies
wholly below minus its margin. How often it errs is simulated by `python -m tests.bench.gate`.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from alignment.intervals import LEVEL, bootstrap
from data.gate_verdicts import Interval
from data.releases import MINIMUM_PROMPTS


@dataclass(frozen=True, slots=True)
class SuitePair:
    """A suite's values for both models, one an item in the same order; higher is better.

    `margin` is how much worse, on average and in the unit of the values, a candidate may be.
    """

    name: str
    title: str
    unit: str
    margin: float
    champion: tuple[float, ...]
    candidate: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class SuiteChange:
    """A suite's mean change from champion to candidate with its 95 % interval, and whether that is too bad."""

    name: str
    title: str
    unit: str
    margin: float
    change: Interval
    worse: bool


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the gate decided, and the sentences that say why.

    `interval` is the win rate's at `level`, None without evidence. `suites` has the change on each suite that could
    be compared. `people`: nothing measured could decide, so people must. `undecided`: nothing speaks against the
    candidate and too little for it, so more comparisons may decide.
    """

    promote: bool
    interval: Interval | None
    reasons: tuple[str, ...]
    level: float = LEVEL
    suites: tuple[SuiteChange, ...] = ()
    people: bool = False
    undecided: bool = False


def level_for(tried: int) -> float:
    """The win rate's level when `tried` other candidates were refused against the same champion.

    Each try is one more chance for luck, so the error that 95 % leaves, 5 %, is divided by the number of the try (as
    Bonferroni's correction would for that many at once). The first candidate is judged at 95 %.
    """
    return 1 - (1 - LEVEL) / (tried + 1)


def at_level(interval: Interval, level: float) -> Interval:
    """A 95 % interval, stretched to another level as a normal one would be, each side by itself, within 0 and 1."""
    factor = NormalDist().inv_cdf((1 + level) / 2) / NormalDist().inv_cdf((1 + LEVEL) / 2)
    low = interval.mean - factor * (interval.mean - interval.low)
    high = interval.mean + factor * (interval.high - interval.mean)
    return Interval(interval.mean, max(0.0, low), min(1.0, high))


def decide(
    win: Interval | None,
    source: str,
    suites: Sequence[SuitePair],
    *,
    prompts: int | None = None,
    tried: int = 0,
) -> Verdict:
    """Promote when the win rate's lower end is above one half and no suite fell beyond its margin.

    `win` is the candidate's win rate against the champion with its 95 % interval, None when nothing that was measured
    may decide; `source` names the evidence; `prompts` is how many prompts were compared, where it is known; `tried`
    is how many candidates the same champion has seen off before this one (see `level_for`).
    """
    level = level_for(tried)
    changes, problems = _compare(suites)
    refusals, interval, good = [], None, ""
    if win is None:
        refusals.append(
            "Nothing that was measured may say which model is better, so people must decide. Collect comparisons of "
            "the two, or promote by hand."
        )
    elif not all(map(math.isfinite, (win.mean, win.low, win.high))):
        refusals.append(
            f"The win rate by {source} is not a finite number; the candidate's training went wrong. Look at its loss "
            "curves, lower the learning rate and train again."
        )
    elif prompts is not None and prompts < MINIMUM_PROMPTS:
        refusals.append(
            f"Only {prompts} held-out prompts were compared by {source}; the gate needs at least {MINIMUM_PROMPTS} "
            "to decide. Collect more conversations, comparisons and corrections."
        )
    else:
        interval = at_level(win, level)
        figures = _win_sentence(interval, source, prompts, level, tried)
        if interval.low > 0.5:
            good = f"{figures}: the lower end is above one half."
        else:
            refusals.append(
                f"{figures}: the lower end is not above one half, so the candidate may be no better. More held-out "
                "prompts would narrow the interval."
            )
    against = problems + [_fall(change) for change in changes if change.worse]
    refusals += against
    if refusals:
        maybe = win is None or (all(map(math.isfinite, (win.mean, win.low, win.high))) and win.high > 0.5)
        undecided = maybe and not against
        reasons = tuple(refusals)
        return Verdict(False, interval, reasons, level, tuple(changes), people=win is None, undecided=undecided)
    held = f"On none of {len(changes)} suites did it fall beyond the margin." if changes else "No suite was run."
    return Verdict(True, interval, (good, held), level, tuple(changes))


def _compare(suites: Sequence[SuitePair]) -> tuple[list[SuiteChange], list[str]]:
    changes, problems = [], []
    for suite in suites:
        champion, candidate = np.asarray(suite.champion), np.asarray(suite.candidate)
        if champion.shape != candidate.shape or not champion.size:
            problems.append(
                f"The suite {suite.title} has {champion.size} values of the champion and {candidate.size} of the "
                "candidate; it needs the same items for both. Run the evaluation again, or leave the suite out."
            )
            continue
        if not (np.isfinite(champion).all() and np.isfinite(candidate).all()):
            problems.append(
                f"On the suite {suite.title} a value is not a finite number; a model is broken. Look at the "
                "candidate's loss curves, lower the learning rate and train again."
            )
            continue
        change = bootstrap(candidate - champion)
        worse = change.high < -suite.margin
        changes.append(SuiteChange(suite.name, suite.title, suite.unit, suite.margin, change, worse))
    return changes, problems


def _win_sentence(interval: Interval, source: str, prompts: int | None, level: float, tried: int) -> str:
    compared = f" on {prompts} prompts" if prompts is not None else ""
    which = f", the level for try {tried + 1} against this champion" if tried else ""
    return (
        f"Judged by {source}{compared}, the candidate wins {_percent(interval.mean)} against the champion "
        f"({_percent(level)} interval {_percent(interval.low)} to {_percent(interval.high)}{which})"
    )


def _fall(change: SuiteChange) -> str:
    found = change.change
    return (
        f"On the suite {change.title} the candidate is worse by {-found.mean:.3g} {change.unit} (95 % interval of "
        f"the change {found.low:+.3g} to {found.high:+.3g}), all of it beyond the margin of {change.margin:g}. "
        "Look at what it was trained on, or train it more gently."
    )


def _percent(share: float) -> str:
    return f"{100 * share:.1f}".removesuffix(".0") + " %"
