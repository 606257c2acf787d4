"""The gate: may a candidate become the champion? A pure decision from figures that were measured before.

It promotes only when the evidence that the candidate wins more than one half is as strong as its share of the error
budget asks (`data.error_budget`), when the people behind the votes agree (`alignment.evaluation.people`), and when no
suite fell. How often it errs is simulated by `python -m tests.bench.gate`.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from alignment.evaluation.anytime import more_votes
from alignment.evaluation.people import DIFFER, OTHERS, REST_VOTES, Finding
from alignment.intervals import LEVEL, bootstrap
from data.error_budget import BUDGET, Stake
from data.gate_verdicts import Interval
from data.releases import MINIMUM_PROMPTS

# The voices' interval may be wrong with this part of the decision's error: it is looked at often, too.
VOICES_PART = 1 / 2
# How sure it must be (one-sided) that a suite fell by more than its margin. With the sizes of the product's suites,
# fewer than 3 % of equal models are refused by any of them, and a fall of four margins is seen in more than 80 %.
SURE = 0.93


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
    """A suite's mean change from champion to candidate with its 95 % interval, and whether that is too bad.

    `power` is how surely a fall of four margins would have been seen, given how much these items differ.
    """

    name: str
    title: str
    unit: str
    margin: float
    change: Interval
    worse: bool
    power: float | None = None


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the gate decided, and the sentences that say why.

    `interval` is the win rate's at `level`, None without evidence. `suites` has the change on each suite that could
    be compared. `people`: nothing measured could decide, so people must. `undecided`: nothing speaks against the
    candidate and too little for it, so more comparisons may decide. `error` is what this decision may spend.
    """

    promote: bool
    interval: Interval | None
    reasons: tuple[str, ...]
    level: float = LEVEL
    suites: tuple[SuiteChange, ...] = ()
    people: bool = False
    undecided: bool = False
    error: float | None = None


FIRST = Stake()


def decide(
    finding: Finding | None,
    source: str,
    suites: Sequence[SuitePair],
    *,
    stake: Stake = FIRST,
    live: bool = False,
    also: Sequence[str] = (),
) -> Verdict:
    """Promote when the votes pass all conditions at the error that the candidate may spend, and no suite fell.

    `finding` is what the votes of `source` show, None when nothing that was measured may decide; `live` says that
    people compared the two models' own answers. `stake` is the candidate's share of the error budget. `also` are the
    reasons of other checks that refuse it, such as a group of people that it serves worse.
    """
    changes, problems = _compare(suites)
    against = [*problems, *(_fall(change) for change in changes if change.worse), *also]
    budget = _budget(stake)
    if finding is None:
        reason = (
            "Nothing that was measured may say which model is better, so people must decide. Collect comparisons of "
            "the two, or promote by hand."
        )
        return Verdict(False, None, (reason, *against), suites=tuple(changes), people=True, undecided=not against)
    if not all(map(math.isfinite, (finding.capital, finding.lead, finding.spread))):
        reason = (
            f"The win rate by {source} is not a finite number; the candidate's training went wrong. Look at its loss "
            "curves, lower the learning rate and train again."
        )
        return Verdict(False, None, (reason, *against), suites=tuple(changes))
    error = stake.live if live else stake.held_out
    interval = interval_of(finding)
    lacking = _lacking(finding, source, error)
    if lacking or against:
        reasons = (*lacking, *against, *([budget] if finding.prompts >= MINIMUM_PROMPTS else []))
        undecided = not against and interval.high > 0.5
        shown = interval if finding.prompts >= MINIMUM_PROMPTS else None
        return Verdict(False, shown, reasons, suites=tuple(changes), undecided=undecided, error=error)
    good = f"{_figures(finding, source)}. {_odds(finding, error)}"
    held = f"On none of {len(changes)} suites did it fall." if changes else "No suite was run."
    return Verdict(True, interval, (good, held, budget), suites=tuple(changes), error=error)


def interval_of(finding: Finding) -> Interval:
    """The win rate, one voice a person, with its 95 % interval."""
    return Interval(finding.mean, *finding.ends((1 - LEVEL) / 2))


def _lacking(finding: Finding, source: str, error: float) -> list[str]:
    """Why the votes alone do not promote; nothing when they do."""
    if finding.prompts < MINIMUM_PROMPTS:
        return [
            f"Only {finding.prompts} held-out prompts were compared by {source}; the gate needs at least "
            f"{MINIMUM_PROMPTS} to decide. Collect more conversations, comparisons and corrections."
        ]
    figures, found = _figures(finding, source), []
    if finding.capital < -math.log(error):
        found.append(f"{figures}. {_odds(finding, error)} {_more(finding, error)}")
    if finding.aside and (finding.others < OTHERS or finding.rest_votes < REST_VOTES):
        found.append(
            f"Three people together may not decide: without the {finding.aside} most in favour, {finding.others} "
            f"others with {finding.rest_votes} votes remain, and it takes {OTHERS} with {REST_VOTES}. People whom "
            "you know count in full after `python -m data raters vouch NAME`."
        )
    elif finding.rest <= 0:
        found.append("Without the three people most in favour, the others do not prefer the candidate.")
    elif finding.aside and finding.differ >= DIFFER and finding.rest_capital < -math.log(error):
        found.append(
            "People differ more than chance explains, so the others must be sure without the three most in favour: "
            f"their votes say 1 in {_times(finding.rest_capital)}, and it takes 1 in {1 / error:.0f}."
        )
    low = finding.ends(VOICES_PART * error)[0]
    if low <= 0.5:
        found.append(
            f"With one voice a person, the win rate may be as low as {_percent(low)}, at the error that this "
            "candidate may spend: the voices are too few, or too different."
        )
    if found and not found[0].startswith(figures):
        found[0] = f"{figures}. {found[0]}"
    return found


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
        difference = candidate - champion
        change = bootstrap(difference)
        worse = bootstrap(difference, level=2 * SURE - 1).high < -suite.margin
        power = power_of(suite)
        changes.append(SuiteChange(suite.name, suite.title, suite.unit, suite.margin, change, worse, power))
    return changes, problems


def power_of(suite: SuitePair, margins: float = 4.0) -> float:
    """The probability that a fall by this many margins is seen on these items, by the normal approximation.

    Where items are right or wrong, a fall turns some of them, which adds to the noise that was measured.
    """
    champion, candidate = np.asarray(suite.champion), np.asarray(suite.candidate)
    noise, fall = float((candidate - champion).var()), margins * suite.margin
    if np.isin((champion, candidate), (0.0, 1.0)).all():
        noise += max(0.0, fall - fall**2)
    error = math.sqrt(noise / champion.size)
    beyond = fall - suite.margin
    normal = NormalDist()
    return normal.cdf(beyond / error - normal.inv_cdf(SURE)) if error else 1.0


def _figures(finding: Finding, source: str) -> str:
    interval = interval_of(finding)
    of = f" of {finding.people} people" if finding.people else ""
    helped = f", with a judge counted in at a weight of {finding.judge:.2f}" if finding.judge else ""
    return (
        f"Judged by {source} in {finding.comparisons} comparisons{of} on {finding.prompts} prompts{helped}, the "
        f"candidate wins {_percent(interval.mean)} against the champion (95 % interval {_percent(interval.low)} to "
        f"{_percent(interval.high)})"
    )


def _odds(finding: Finding, error: float) -> str:
    return (
        f"A candidate that is no better looks this good at most once in {_times(finding.capital)} trials, however "
        f"often one looks; it takes once in {1 / error:.0f}."
    )


def _times(capital: float) -> str:
    return f"{math.exp(min(max(capital, 0.0), 20.0)):.3g}"


def _more(finding: Finding, error: float) -> str:
    more = more_votes(finding.capital, finding.rate, error)
    if more is None or finding.mean <= 0.5:
        return "At the present rate, more votes would not change that."
    return f"At the present rate, about {more} more votes on new prompts would do."


def _budget(stake: Stake) -> str:
    return (
        f"Error spent on this candidate {_percent(stake.error)}, on refused ones before it {_percent(stake.spent)}, "
        f"of {_percent(BUDGET)} for all."
    )


def _fall(change: SuiteChange) -> str:
    found = change.change
    return (
        f"On the suite {change.title} the candidate is worse by {-found.mean:.3g} {change.unit} (95 % interval of "
        f"the change {found.low:+.3g} to {found.high:+.3g}), surely beyond the margin of {change.margin:g}. "
        "Look at what it was trained on, or train it more gently."
    )


def _percent(share: float) -> str:
    percent = 100 * share
    return (f"{percent:.1f}".removesuffix(".0") if percent >= 1 or not percent else f"{percent:.2g}") + " %"
