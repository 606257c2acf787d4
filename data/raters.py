"""How much each rater counts: a weight between 0 and 1, with the reason as a sentence. Pure functions.

Where enough answers have several raters in common, the model of Dawid and Skene ("Maximum Likelihood Estimation of
Observer Error-Rates Using the EM Algorithm", 1979), as `crowd-kit` implements it, estimates which answers are good
and how often each rater is right. With fewer, agreement with the others decides, and gently: a few people may be
wrong together, so agreement lowers a weight but silences nobody. A rater with nothing in common with others counts in
full.

The measure is informedness (Youden, "Index for rating diagnostic tests", 1950): the share of good answers called
good, plus the share of bad answers called bad, minus one. It is 1 for raters who are always right, 0 for raters who
always say the same or roll dice, and below 0 for raters who vote upside down.

No model can tell a conspiring majority of raters from an honest one.
"""

import math
import warnings
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from importlib.util import find_spec
from itertools import islice

from data.bearing_out import confirmed
from data.company import ENOUGH, OTHERS, Labels, company

FLOOR = 0.1  # a rater with a smaller weight is not heard at all
GENTLE = 0.3  # the smallest weight that agreement alone gives

BURST, BURST_SECONDS = 10, 10  # nobody reads more than BURST answers within BURST_SECONDS
COMMON_RATERS = 3  # the raters that an answer needs to be in the model
COMMON_ANSWERS = 20  # the answers with COMMON_RATERS raters that the model needs
MODEL_RATERS = 6  # the raters of those answers that the model needs

_PRIOR = 3.0  # imagined answers of each kind (good, bad) that are added to a rater's own ...
_RIGHT = 0.9  # ... and the share of them that the rater gets right
_UNKNOWN = 0.7  # the model starts from this share right for raters about whom agreement says nothing
_ROUNDS = 3  # how often agreement is computed, each time with the trust of the time before
_NARROW = 0.1  # a majority smaller than this share does not count as one
_FULL = 0.4  # the informedness that gives full weight; taste differs, so nobody needs to be perfect


@dataclass(frozen=True, slots=True)
class ItemLabel:
    """One rating as a yes or no: of one answer (is it good?) or of a pair (is the first in a fixed order better?)."""

    rater: str
    item: str
    value: bool
    at: datetime


@dataclass(frozen=True, slots=True)
class Reliability:
    """How much one rater counts. `shared` is the number of their items that other people rated as well.

    `confirmed` is how many of their ratings other people bear out (see `data.bearing_out`), less those that other
    people contradict; it is 0 unless the rater is borne out. `vouched` says that an operator vouches for them.
    """

    weight: float
    ratings: int
    shared: int
    reason: str
    confirmed: int = 0
    vouched: bool = False

    @property
    def borne_out(self) -> bool:
        """Whether other people bear this rater out."""
        return self.confirmed > 0


@dataclass(frozen=True, slots=True)
class Panel:
    """All raters by name, and a sentence about the method that weighed them.

    `refused` says why an imported row that names its rater does not count, by the source id under which it is stored.
    """

    raters: Mapping[str, Reliability]
    method: str
    refused: Mapping[str, str] = field(default_factory=dict)

    def weight(self, rater: str) -> float:
        """A rater's weight: 1 when nothing is known about them, 0 when they are too unreliable to be heard."""
        known = self.raters.get(rater)
        if known is None:
            return 1.0
        return known.weight if known.weight >= FLOOR else 0.0


def weigh(given: Iterable[ItemLabel], people: Collection[str] = (), vouched: Collection[str] = ()) -> Panel:
    """Weigh the raters of these labels. Only a rater's newest label of an item counts, once.

    `people` are all who rated in any way, corrections among them: the heads of whom a majority is more than half.
    `vouched` are those for whom an operator vouches. They count in full.
    """
    labels: dict[str, dict[str, bool]] = defaultdict(dict)
    times: dict[str, list[datetime]] = defaultdict(list)
    for label in sorted(given, key=lambda label: label.at):
        labels[label.item][label.rater] = label.value
        times[label.rater].append(label.at)
    model, method = _modelled(labels)
    agreed = _agreed(labels)
    raters = {}
    for rater in sorted(times):
        mine = [item for item, said in labels.items() if rater in said]
        plain = Reliability(1.0, len(mine), sum(len(labels[item]) > 1 for item in mine), "")
        if rater in model:
            found = _by_informedness(plain, model[rater], lowest=0.0)
        elif rater in agreed:
            found = _by_informedness(plain, sum(agreed[rater]) - 1, lowest=GENTLE)
        else:
            found = replace(plain, reason="too little in common with others to say: counts in full")
        raters[rater] = _without_bursts(found, times[rater])
    for name in vouched:
        plain = raters.get(name, Reliability(1.0, 0, 0, ""))
        raters[name] = replace(plain, weight=1.0, vouched=True, reason="an operator vouches for them")
    heads = {*people, *raters}
    for name, count in confirmed(labels, {n: r.weight for n, r in raters.items()}, heads, vouched).items():
        raters[name] = replace(raters[name], confirmed=count)
    return Panel(raters, method)


def _by_informedness(plain: Reliability, informedness: float, *, lowest: float) -> Reliability:
    weight = min(1.0, max(lowest, informedness / _FULL))
    if informedness < -0.2:
        reason = "votes against the others"
    elif weight < 0.5:
        reason = "tells good from bad hardly better than chance"
    else:
        reason = "agrees with the others" if weight == 1.0 else "agrees with the others more than chance would"
    return replace(plain, weight=weight, reason=reason)


def _without_bursts(found: Reliability, times: Sequence[datetime]) -> Reliability:
    """Let the ratings within `BURST_SECONDS` count as no more than somebody can read in that time."""
    window = timedelta(seconds=BURST_SECONDS)
    crowd = [0] * len(times)
    first = 0
    for last, at in enumerate(times):
        while at - times[first] > window:
            first += 1
        for i in range(first, last + 1):
            crowd[i] = max(crowd[i], last - first + 1)
    rushed = sum(count > BURST for count in crowd)
    if not rushed:
        return found
    factor = sum(min(1.0, BURST / count) for count in crowd) / len(crowd)
    reason = f"{found.reason}; {rushed} of {len(times)} ratings came within seconds"
    return replace(found, weight=found.weight * factor, reason=reason)


# -- the model ------------------------------------------------------------------------------------------------------


def _modelled(labels: Labels) -> tuple[dict[str, float], str]:
    """The model's informedness of raters with enough answers in common, and a sentence about the method."""
    common = {item: said for item, said in labels.items() if len(said) >= COMMON_RATERS}
    counts: dict[str, int] = defaultdict(int)
    for said in common.values():
        for rater in said:
            counts[rater] += 1
    known = {rater for rater, count in counts.items() if count >= ENOUGH}
    if len(common) < COMMON_ANSWERS or len(known) < MODEL_RATERS:
        return {}, "Too few answers have several raters in common for a model: agreement and caps decide."
    if find_spec("crowdkit") is None:
        return (
            {},
            "The package crowd-kit is not installed, so agreement and caps decide; install crowd-kit for its model.",
        )
    truth = _dawid_skene(common)
    skills = _skills(common, dict.fromkeys(counts, truth))
    # A rater is judged by the others' labels, not by an estimate that includes their own.
    without = _left_out(common, skills, truth, sorted(known))
    found = {rater: tpr + tnr - 1 for rater, (tpr, tnr) in _skills(common, without).items()}
    return found, f"Dawid and Skene's model of {len(counts)} raters on {len(common)} answers that they share."


def _dawid_skene(labels: Labels) -> dict[str, float]:
    """The model's probability that each item is good."""
    import pandas  # type: ignore[import-untyped]  # it has no types
    from crowdkit.aggregation.classification.dawid_skene import DawidSkene

    rows = [(item, rater, int(value)) for item, said in labels.items() for rater, value in said.items()]
    frame = pandas.DataFrame(rows, columns=["task", "worker", "label"])
    # The model finds the nearest optimum, so its start matters: a count of heads would believe a brigade that is the
    # majority wherever it shows up.
    agreed = _agreed(labels)
    errors: dict[tuple[str, int], tuple[float, float]] = {}
    for rater in {rater for said in labels.values() for rater in said}:
        tpr, tnr = agreed.get(rater, (_UNKNOWN, _UNKNOWN))
        errors[rater, 0], errors[rater, 1] = (tnr, 1 - tpr), (1 - tnr, tpr)
    start = pandas.DataFrame(list(errors.values()), columns=[0, 1])
    start.index = pandas.MultiIndex.from_tuples(errors, names=["worker", "label"])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of pandas, about what crowd-kit calls
        model = DawidSkene(n_iter=50, initial_error_strategy="assign")
        probabilities = model.fit_predict_proba(frame, initial_error=start)
    good = dict.fromkeys(labels, 0.0)
    if 1 in probabilities:
        good.update({str(item): float(value) for item, value in probabilities[1].items()})
    # The model explains the labels equally well with all of them turned round, and finds whichever is nearer. The
    # right one is where more people are better than chance than worse; people who go together count less, and nobody
    # counts for more than one by being very sure.
    other = {item: 1 - value for item, value in good.items()}
    voices = _voices(labels)

    def trusted(truth: Mapping[str, float]) -> float:
        skills = _skills(labels, dict.fromkeys(voices, truth))
        return sum(
            voices[rater] * max(-1.0, min(1.0, (tpr + tnr - 1) / _FULL)) for rater, (tpr, tnr) in skills.items()
        )

    return max((good, other), key=trusted)


def _voices(labels: Labels) -> dict[str, float]:
    """How many voices each rater has: 1 for a rater who goes alone, 1/n for each of n who always rate the same items.

    This follows Dong, Berti-Equille and Srivastava ("Integrating Conflicting Data: The Role of Source Dependence",
    2009): copies add nothing. What counts is rating the same items, not agreeing, since honest raters agree.
    """
    alone = {rater: 1.0 for said in labels.values() for rater in said}
    active, together = company(labels)
    return alone | dict(zip(active, (1 / together.sum(axis=1)).tolist(), strict=True))


def _skills(labels: Labels, truths: Mapping[str, Mapping[str, float]]) -> dict[str, tuple[float, float]]:
    """Each rater's shares of good items called good and of bad items called bad, with the prior's imagined items."""
    sums: dict[str, list[float]] = {rater: [0.0] * 4 for rater in truths}  # good, called good, bad, called bad
    for item, said in labels.items():
        for rater, value in said.items():
            if rater not in truths or item not in truths[rater]:
                continue
            good, mine = truths[rater][item], sums[rater]
            mine[0] += good
            mine[1] += good * value
            mine[2] += 1 - good
            mine[3] += (1 - good) * (not value)
    imagined = _PRIOR * _RIGHT
    return {
        rater: ((hit + imagined) / (good + _PRIOR), (miss + imagined) / (bad + _PRIOR))
        for rater, (good, hit, bad, miss) in sums.items()
    }


def _left_out(
    labels: Labels, skills: Mapping[str, tuple[float, float]], truth: Mapping[str, float], raters: Iterable[str]
) -> dict[str, dict[str, float]]:
    """For each rater: the probability that each of their items is good, by everybody else's labels."""
    share = min(0.99, max(0.01, sum(truth.values()) / len(truth)))
    found: dict[str, dict[str, float]] = {rater: {} for rater in raters}
    for item, said in labels.items():
        evidence = {}
        for rater, value in said.items():
            tpr, tnr = skills[rater]
            evidence[rater] = math.log(tpr / (1 - tnr)) if value else math.log((1 - tpr) / tnr)
        whole = math.log(share / (1 - share)) + sum(evidence.values())
        for rater in said.keys() & found.keys():
            # The logistic function, in a form that does not overflow for any number of votes.
            found[rater][item] = 0.5 * (1 + math.tanh((whole - evidence[rater]) / 2))
    return found


# -- agreement, where there is too little for the model -------------------------------------------------------------


def _agreed(labels: Labels) -> dict[str, tuple[float, float]]:
    """Each rater's skills by the majority of the others, for raters who can be compared with enough people.

    It is computed three times: first everybody counts alike, then by how much they agreed with the others before.
    """
    trust = dict.fromkeys((voices := _voices(labels)), 1.0)
    found: dict[str, tuple[float, float]] = {}
    for _ in range(_ROUNDS):
        truths: dict[str, dict[str, float]] = defaultdict(dict)
        others: dict[str, set[str]] = defaultdict(set)
        for item, said in labels.items():
            votes = {rater: voices[rater] * trust[rater] * (1 if value else -1) for rater, value in said.items()}
            total, size = sum(votes.values()), sum(map(abs, votes.values()))
            for rater, vote in votes.items():
                lead = total - vote
                if abs(lead) < _NARROW * (size - abs(vote)) or abs(lead) < 1e-9:
                    continue  # nobody else rated it, or the others disagree
                truths[rater][item] = float(lead > 0)
                if len(others[rater]) < OTHERS:
                    others[rater].update(islice((other for other in said if other != rater), OTHERS))
        enough = {r: truth for r, truth in truths.items() if len(truth) >= ENOUGH and len(others[r]) >= OTHERS}
        found = _skills(labels, enough)
        trust = {rater: max(0.0, sum(found.get(rater, (1.0, 1.0))) - 1) for rater in trust}
    return found
