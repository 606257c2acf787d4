"""Who voted: one voice a person, and three people together decide nothing.

The e-process (`alignment.evaluation.anytime`) takes each vote for a new one. People are not that simple: somebody who
likes the candidate likes it a hundred times. So a promotion needs three more conditions, which can only refuse it:

- One voice a person. The people's mean votes, each shrunk towards one half as far as they are few, are compared by
  Student's t. Whoever votes a thousand times has one voice, and people who contradict each other widen the interval.
- The three people who are most in favour are set aside, except people for whom the operator vouches. At least three
  voices with `REST_VOTES` votes must remain, and they must still lean to the candidate.
- If people differ from each other more than votes by chance do (Cochran's Q), those who remain must pass the
  e-process alone. Three who always vote for the candidate among people who do not are found in this way.

A vote without a rater (a judge's verdict, a row that the operator imported) is a voice of its own.
"""

import math
from collections import Counter, deque
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from alignment.evaluation.anytime import Adjusted, Array, adjusted, log_capital, plain, rate
from alignment.evaluation.winrate import Comparison

PUPPETS = 3  # this many people may not decide, whatever they do
OTHERS = 3  # the voices that must be there besides them
REST_VOTES = 45  # the votes that must be there besides theirs
DIFFER = 0.75  # people differ when so large a part of Q's distribution lies below theirs
_FREE = 5  # votes of each person that always count
_AHEAD = 1.5  # beyond those, nobody's votes count further than this multiple of the mean
_SHRINK = 5.0  # imagined votes for neither side in each person's mean


@dataclass(frozen=True, slots=True)
class Standing:
    """What is known of the people who vote, by pseudonym; in memory only.

    `vouched` are those for whom the operator vouches, `borne_out` those whom others bear out. `weights` says how
    reliable people are, from 0 to 1; who is not in it weighs 1. `servers` has the number of the server on which each
    rates most.
    """

    vouched: Collection[str] = frozenset()
    borne_out: Collection[str] = frozenset()
    weights: Mapping[str, float] = field(default_factory=dict)
    servers: Mapping[str, int] = field(default_factory=dict)

    def trusted(self, rater: str) -> bool:
        """Whether somebody's votes count without a cap."""
        return not rater or rater in self.vouched or rater in self.borne_out


NOBODY = Standing()


@dataclass(frozen=True, slots=True)
class Judged:
    """A judge's verdicts by prompt, on pairs with and without votes of people, and how often it agrees with them."""

    name: str
    verdicts: Mapping[str, float]
    accuracy: float


@dataclass(frozen=True, slots=True)
class Finding:
    """What votes show, without names.

    `capital` is the e-process's, in nats, and `rate` what it grew a vote. `votes` count in it, and `prompts`,
    `comparisons` and `voices` are there at all. `lead` is the voices' mean distance from one half, each shrunk;
    `spread` is its standard error, and `scale` turns it into a win rate. `others`, `rest_votes`, `rest` (their lead)
    and `rest_capital` belong to the voices that remain when `aside` people are set aside. `differ` is the part of Q's
    distribution that lies below the voices'. `judge` is the weight of the judge that was counted in.
    """

    capital: float
    rate: float
    votes: int
    prompts: int
    comparisons: int
    voices: int
    people: int
    lead: float
    spread: float
    scale: float
    aside: int
    others: int
    rest_votes: int
    rest: float
    rest_capital: float
    differ: float
    judge: float = 0.0

    @property
    def mean(self) -> float:
        """The win rate, one voice a person."""
        return min(1.0, max(0.0, 0.5 + self.lead / self.scale))

    def ends(self, error: float) -> tuple[float, float]:
        """Both ends of the win rate, each wrong with this probability."""
        if self.voices < 2:
            return 0.0, 1.0
        # Imported here and below because it takes a third of a second, and every `--help` does without.
        from scipy.special import stdtrit

        reach = float(stdtrit(self.voices - 1, 1 - error)) * self.spread
        low, high = ((self.lead + side * reach) / self.scale for side in (-1, 1))
        return max(0.0, 0.5 + low), min(1.0, 0.5 + high)


def counted(votes: Sequence[Comparison], standing: Standing = NOBODY) -> list[tuple[int, int]]:
    """The votes that the e-process takes, in its order: each one's index, and the index of the vote that let it in.

    A prompt counts once, by the first vote on it: those after it say little that is new. Beyond the first `_FREE`
    votes, people whom nobody bears out have at most `_AHEAD` times the mean; their further votes wait until others
    have voted too. Only how many votes there are decides that, never what they say, so the e-process stays one.
    """
    taken: list[tuple[int, int]] = []
    prompts: set[str] = set()
    count: Counter[str] = Counter()
    waiting: dict[str, deque[int]] = {}
    people: set[str] = set()
    trusted = {rater: standing.trusted(rater) for rater in {vote.rater for vote in votes}}

    def allowed() -> float:
        return max(_FREE, _AHEAD * len(taken) / max(PUPPETS + OTHERS, len(people)))

    def take(index: int, now: int) -> None:
        vote = votes[index]
        if vote.prompt not in prompts:
            prompts.add(vote.prompt)
            count[vote.rater] += 1
            taken.append((index, now))

    fewest = math.inf  # the votes of the waiting person who has the fewest
    for now, vote in enumerate(votes):
        rater = vote.rater
        if rater:
            people.add(rater)
        if not trusted[rater] and count[rater] + 1 > allowed():
            waiting.setdefault(rater, deque()).append(now)
            fewest = min(fewest, count[rater])
            continue
        take(now, now)
        while fewest + 1 <= allowed():  # the mean has grown, so somebody may have another vote
            rater = min(waiting, key=count.__getitem__)
            take(waiting[rater].popleft(), now)
            if not waiting[rater]:
                del waiting[rater]
            fewest = min((count[each] for each in waiting), default=math.inf)
    return taken


def leads(votes: Sequence[Comparison], judged: Judged | None = None) -> Adjusted:
    """The votes as the e-process sees them, in this order, each on another prompt."""
    scores = np.array([vote.score for vote in votes], dtype=np.float64)
    if judged is None or not judged.verdicts:
        return plain(scores)
    verdicts = np.array([judged.verdicts.get(vote.prompt, math.nan) for vote in votes], dtype=np.float64)
    # The next pair that somebody votes on is any of those that nobody voted on yet.
    known = np.where(np.isnan(verdicts), 0.0, verdicts)
    used = np.concatenate([[0.0], np.cumsum(known)[:-1]])
    left = len(judged.verdicts) - np.concatenate([[0], np.cumsum(~np.isnan(verdicts))[:-1]])
    expected = np.clip((sum(judged.verdicts.values()) - used) / np.maximum(1, left), 0.0, 1.0)
    return adjusted(scores, verdicts, expected, judged.accuracy)


def find(votes: Sequence[Comparison], standing: Standing = NOBODY, judged: Judged | None = None) -> Finding:
    """What the votes show, in the order in which people gave them; one vote at least."""
    order = [index for index, _ in counted(votes, standing)]
    taken = leads([votes[index] for index in order], judged)
    weight = float(taken.weights[-1]) if taken.weights.size else 0.0
    # A vote without a rater is a voice of its own; no pseudonym begins with a line's end.
    names = [vote.rater or f"\n{number}" for number, vote in enumerate(votes)]
    numbers = {name: number for number, name in enumerate(dict.fromkeys(names))}
    index = np.array([numbers[name] for name in names], dtype=np.int64)
    scores = np.array([vote.score for vote in votes], dtype=np.float64)
    size = np.bincount(index).astype(np.float64)
    mean = np.bincount(index, weights=scores) / size
    likely = (mean * size + 1) / (size + 2)
    noise = likely * (1 - likely) / size
    if judged is not None and weight:
        average = sum(judged.verdicts.values()) / len(judged.verdicts)
        said = np.array([judged.verdicts.get(vote.prompt, average) for vote in votes])
        mean, noise = mean - weight * (np.bincount(index, said) / size - average), noise * (1 - weight**2)
    person = np.array([not name.startswith("\n") for name in numbers])
    share = size / (size + _SHRINK) * np.array([standing.weights.get(name, 1.0) for name in numbers])
    # Nobody has more than the median voice unless others bear them out.
    capped = np.array([not (name.startswith("\n") or standing.trusted(name)) for name in numbers])
    share = np.where(capped, np.minimum(share, np.median(share)), share)
    values = share * (mean - 0.5)
    aside = _aside(values, person & np.array([name not in standing.vouched for name in numbers]))
    rest = ~aside[index[order]] if order else np.zeros(0, dtype=np.bool_)
    return Finding(
        capital=float(log_capital(taken)[-1]),
        rate=rate(taken),
        votes=len(order),
        prompts=len({vote.prompt for vote in votes}),
        comparisons=len(votes),
        voices=len(numbers),
        people=int(person.sum()),
        lead=float(values.mean()),
        spread=_spread(values, share**2 * noise),
        scale=max(float(share.mean()), 1e-9),
        aside=int(aside.sum()),
        others=int((~aside).sum()),
        rest_votes=int(rest.sum()),
        rest=float(values[~aside].mean()) if not aside.all() else 0.0,
        rest_capital=float(log_capital(taken.of(rest))[-1]),
        differ=_differ(mean[person], size[person], weight),
        judge=weight,
    )


def _spread(values: Array, noise: Array) -> float:
    """The standard error of the voices' mean. Few people may agree by chance: it is no smaller than votes' noise."""
    among = float(values.var(ddof=1)) if values.size > 1 else 0.0
    return math.sqrt(max(among, float(noise.mean())) / values.size)


def _aside(values: Array, suspects: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Which voices are set aside: the three largest that nobody vouches for."""
    found = np.zeros(values.size, dtype=np.bool_)
    places = np.flatnonzero(suspects)
    found[places[np.argsort(-values[places], kind="stable")[:PUPPETS]]] = True
    return found


def _differ(mean: Array, size: Array, weight: float) -> float:
    """The part of the distribution of Cochran's Q, for people who do not differ, below these people's.

    `weight` is that of a judge that was counted in.
    """
    if mean.size < 2:
        return 0.0
    average = float((mean * size).sum() / size.sum())
    if not 0 < average < 1:
        return 0.0
    from scipy.special import chdtr

    quantity = float((size * (mean - average) ** 2).sum()) / (average * (1 - average) * (1 - weight**2))
    return float(chdtr(mean.size - 1, quantity))
