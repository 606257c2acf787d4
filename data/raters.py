"""How much each rater counts: a weight between 0 and 1, with the reason as a sentence. Pure functions.

Where enough answers have several raters in common, the model of Dawid and Skene ("Maximum Likelihood Estimation of
Observer Error-Rates Using the EM Algorithm", 1979; `data.dawid_skene`) estimates which answers are good and how
often each rater is right. With fewer, agreement with the others decides, and gently: a few people may be
wrong together, so agreement lowers a weight but silences nobody. A rater with nothing in common with others counts in
full.

The measure is informedness (Youden, "Index for rating diagnostic tests", 1950): the share of good answers called
good, plus the share of bad answers called bad, minus one. It is 1 for raters who are always right, 0 for raters who
always say the same or roll dice, and below 0 for raters who vote upside down.

No model can tell a conspiring majority of raters from an honest one.
"""

from collections import deque
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from data.bearing_out import confirmed
from data.bulk import micros_of
from data.company import ENOUGH, OTHERS, company
from data.dawid_skene import goodness
from data.labels import Flags, Floats, Ints, Labels, gathered

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
    `servers` has the number, in this store, of the server on which each rater rated most; it lacks who rated on none.
    """

    raters: Mapping[str, Reliability]
    method: str
    refused: Mapping[str, str] = field(default_factory=dict)
    servers: Mapping[str, int] = field(default_factory=dict)

    def weight(self, rater: str) -> float:
        """A rater's weight: 1 when nothing is known about them, 0 when they are too unreliable to be heard."""
        known = self.raters.get(rater)
        if known is None:
            return 1.0
        return known.weight if known.weight >= FLOOR else 0.0


@dataclass(frozen=True, slots=True)
class Ratings:
    """Ratings as labels, in arrays: numbers of raters (places in `names`) and items, yes or no, and microseconds."""

    names: Sequence[str]
    rater: Ints
    item: NDArray[np.uint64]
    value: Flags
    at: Ints


def weigh(given: Iterable[ItemLabel], people: Collection[str] = (), vouched: Collection[str] = ()) -> Panel:
    """Weigh the raters of these labels; see `weigh_ratings`."""
    labels = list(given)
    names = sorted({label.rater for label in labels})
    numbers = {name: number for number, name in enumerate(names)}
    items = {item: number for number, item in enumerate({label.item: None for label in labels})}
    ratings = Ratings(
        names,
        np.array([numbers[label.rater] for label in labels], dtype=np.int64),
        np.array([items[label.item] for label in labels], dtype=np.uint64),
        np.array([label.value for label in labels], dtype=bool),
        np.array([micros_of(label.at) for label in labels], dtype=np.int64),
    )
    return weigh_ratings(ratings, people, vouched)


def weigh_ratings(given: Ratings, people: Collection[str] = (), vouched: Collection[str] = ()) -> Panel:
    """Weigh the raters of these ratings. Only a rater's newest label of an item counts, once.

    `people` are all who rated in any way, corrections among them: the heads of whom a majority is more than half.
    `vouched` are those for whom an operator vouches. They count in full.
    """
    labels = gathered(given.names, given.rater, given.item, given.value, given.at)
    model, method = _modelled(labels)
    agreed, (tpr, tnr) = _agreed(labels)
    ratings = labels.ratings()
    shared = labels.by_rater((labels.sizes() > 1)[labels.item].astype(np.float64))
    times = _times(given)
    raters = {}
    for number, rater in sorted(enumerate(labels.names), key=lambda each: each[1]):
        if not ratings[number]:
            continue
        plain = Reliability(1.0, int(ratings[number]), int(shared[number]), "")
        if number in model:
            found = _by_informedness(plain, model[number], lowest=0.0)
        elif agreed[number]:
            found = _by_informedness(plain, float(tpr[number] + tnr[number]) - 1, lowest=GENTLE)
        else:
            found = replace(plain, reason="too little in common with others to say: counts in full")
        raters[rater] = _without_bursts(found, times[number])
    for name in vouched:
        plain = raters.get(name, Reliability(1.0, 0, 0, ""))
        raters[name] = replace(plain, weight=1.0, vouched=True, reason="an operator vouches for them")
    heads = {*people, *raters}
    weights = np.array([raters[n].weight if n in raters else 1.0 for n in labels.names], dtype=np.float32)
    for name, count in confirmed(labels, weights, heads, vouched).items():
        raters[name] = replace(raters[name], confirmed=count)
    return Panel(raters, method)


def _times(given: Ratings) -> list[Ints]:
    """When each rater rated, in order."""
    order = np.lexsort((given.at, given.rater))
    ends = np.cumsum(np.bincount(given.rater, minlength=len(given.names)))
    return np.split(given.at[order], ends[:-1]) if len(ends) else []


def _by_informedness(plain: Reliability, informedness: float, *, lowest: float) -> Reliability:
    weight = min(1.0, max(lowest, informedness / _FULL))
    if informedness < -0.2:
        reason = "votes against the others"
    elif weight < 0.5:
        reason = "tells good from bad hardly better than chance"
    else:
        reason = "agrees with the others" if weight == 1.0 else "agrees with the others more than chance would"
    return replace(plain, weight=weight, reason=reason)


def _without_bursts(found: Reliability, times: Ints) -> Reliability:
    """Let the ratings within `BURST_SECONDS` count as no more than somebody can read in that time."""
    crowd = _crowd(times)
    rushed = int((crowd > BURST).sum())
    if not rushed:
        return found
    factor = float(np.minimum(1.0, BURST / crowd).sum()) / len(crowd)
    reason = f"{found.reason}; {rushed} of {len(times)} ratings came within seconds"
    return replace(found, weight=found.weight * factor, reason=reason)


def _crowd(times: Ints) -> Ints:
    """For each time the most times, itself among them, in any span of `BURST_SECONDS` around it."""
    first = np.searchsorted(times, times - BURST_SECONDS * 1_000_000, "left")  # where the span begins that ends here
    size = np.arange(len(times)) - first + 1
    if len(times) <= BURST or size.max() <= BURST:
        return size
    crowd = np.empty_like(size)
    last = np.searchsorted(first, np.arange(len(times)), "right")  # the first span that begins later than this time
    best: deque[int] = deque()  # spans that hold this time, the largest first
    end = 0
    for at in range(len(times)):
        while end < last[at]:
            while best and size[best[-1]] <= size[end]:
                best.pop()
            best.append(end)
            end += 1
        while best[0] < at:
            best.popleft()
        crowd[at] = size[best[0]]
    return crowd


# -- the model ------------------------------------------------------------------------------------------------------


def _modelled(labels: Labels) -> tuple[dict[int, float], str]:
    """The model's informedness of raters with enough answers in common, and a sentence about the method."""
    common = labels.with_at_least(COMMON_RATERS)
    counts = common.ratings()
    known = counts >= ENOUGH
    if common.items < COMMON_ANSWERS or known.sum() < MODEL_RATERS:
        return {}, "Too few answers have several raters in common for a model: agreement and caps decide."
    truth = _dawid_skene(common)
    skills = _skills(common, truth[common.item])
    # A rater is judged by the others' labels, not by an estimate that includes their own.
    tpr, tnr = _skills(common, _left_out(common, skills, truth))
    found = {int(rater): float(tpr[rater] + tnr[rater] - 1) for rater in np.flatnonzero(known)}
    number, items = int((counts > 0).sum()), common.items
    return found, f"Dawid and Skene's model of {number} raters on {items} answers that they share."


def _dawid_skene(labels: Labels) -> Floats:
    """The model's probability that each item is good."""
    # The model finds the nearest optimum, so its start matters: a count of heads would believe a brigade that is the
    # majority wherever it shows up.
    agreed, (tpr, tnr) = _agreed(labels)
    good = goodness(labels, np.where(agreed, tpr, _UNKNOWN), np.where(agreed, tnr, _UNKNOWN))
    workers = np.flatnonzero(labels.ratings())
    # The model explains the labels equally well with all of them turned round, and finds whichever is nearer. The
    # right one is where more people are better than chance than worse; people who go together count less, and nobody
    # counts for more than one by being very sure.
    voices = _voices(labels)

    def trusted(truth: Floats) -> float:
        tpr, tnr = _skills(labels, truth[labels.item])
        return float((voices * np.clip((tpr + tnr - 1) / _FULL, -1.0, 1.0))[workers].sum())

    return max((good, 1 - good), key=trusted)


def _voices(labels: Labels) -> Floats:
    """How many voices each rater has: 1 for a rater who goes alone, 1/n for each of n who always rate the same items.

    This follows Dong, Berti-Equille and Srivastava ("Integrating Conflicting Data: The Role of Source Dependence",
    2009): copies add nothing. What counts is rating the same items, not agreeing, since honest raters agree.
    """
    voices = np.ones(len(labels.names))
    active, together = company(labels)
    voices[active] = 1 / together.sum(axis=1)
    return voices


def _skills(labels: Labels, truth: Floats, kept: Flags | None = None) -> tuple[Floats, Floats]:
    """Each rater's shares of good items called good and of bad items called bad, with the prior's imagined items.

    `truth` is the probability that the item of each entry is good; `kept` says which entries count.
    """
    counts = np.ones(len(truth)) if kept is None else kept.astype(np.float64)
    good, bad = labels.by_rater(truth * counts), labels.by_rater((1 - truth) * counts)
    hit = labels.by_rater(truth * labels.value * counts)
    miss = labels.by_rater((1 - truth) * ~labels.value * counts)
    imagined = _PRIOR * _RIGHT
    return (hit + imagined) / (good + _PRIOR), (miss + imagined) / (bad + _PRIOR)


def _left_out(labels: Labels, skills: tuple[Floats, Floats], truth: Floats) -> Floats:
    """For each entry: the probability that its item is good, by everybody else's labels."""
    share = min(0.99, max(0.01, float(truth.mean())))
    tpr, tnr = skills[0][labels.rater], skills[1][labels.rater]
    evidence = np.where(labels.value, np.log(tpr / (1 - tnr)), np.log((1 - tpr) / tnr))
    whole = np.log(share / (1 - share)) + labels.by_item(evidence)[labels.item]
    # The logistic function, in a form that does not overflow for any number of votes.
    found: Floats = 0.5 * (1 + np.tanh((whole - evidence) / 2))
    return found


# -- agreement, where there is too little for the model -------------------------------------------------------------


def _agreed(labels: Labels) -> tuple[Flags, tuple[Floats, Floats]]:
    """Who can be compared with enough people, and each rater's skills by the majority of the others.

    It is computed three times: first everybody counts alike, then by how much they agreed with the others before.
    """
    voices = _voices(labels)
    trust = np.ones(len(voices))
    sign = labels.signs()
    for _ in range(_ROUNDS):
        votes = voices[labels.rater] * trust[labels.rater] * sign
        size = labels.by_item(np.abs(votes))[labels.item]
        lead = labels.by_item(votes)[labels.item] - votes
        # Nobody else rated it, or the others disagree.
        split = (np.abs(lead) < _NARROW * (size - np.abs(votes))) | (np.abs(lead) < 1e-9)
        enough = (labels.by_rater((~split).astype(np.float64)) >= ENOUGH) & _meets(labels, ~split)
        skills = _skills(labels, (lead > 0).astype(np.float64), ~split)
        trust = np.where(enough, np.maximum(0.0, skills[0] + skills[1] - 1), 1.0)
    return enough, skills


def _meets(labels: Labels, kept: Flags) -> Flags:
    """Whether each rater has at least `OTHERS` different other raters on the items of these entries."""
    size = labels.sizes()[labels.item]
    found: Flags = labels.by_rater((kept & (size > OTHERS)).astype(np.float64)) > 0
    # Items of few raters: each entry with each of its neighbours.
    start = np.searchsorted(labels.item, labels.item, "left")
    pairs = []
    for step in range(OTHERS):
        other = np.minimum(start + step, len(labels.item) - 1)
        beside = kept & (size <= OTHERS) & (step < size) & (labels.rater[other] != labels.rater)
        pairs.append(labels.rater[beside] * len(labels.names) + labels.rater[other[beside]])
    met = np.unique(np.concatenate(pairs)) // max(1, len(labels.names))
    return found | (np.bincount(met, minlength=len(labels.names)) >= OTHERS)
