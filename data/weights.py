"""How much a row weighs, by the raters who back it and those who say the opposite. Pure functions."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from data.candidates import CONTRADICTED, UNRELIABLE
from data.labels import Floats, Ints
from data.raters import Panel

SHARE = 1 / 3  # the largest share of a kind's weight of one rater among several, whoever vouches
ROOM = 0.5  # the rows beyond one head for which each confirmed rating of somebody makes room
WEAK = 0.2  # what a follow-up message weighs that is certain; a vote weighs 1
HEADS = 3  # for how many people a rater counts at most whom others bear out

_CLOSE = 0.05  # a majority smaller than this share of all weight does not count as one
_DIVISIONS = 4  # how often rows are divided among their backers, each time by what the cap left the time before
_HALVINGS = 100  # of the interval in which the whole is searched; the last ones are below any rounding
_ROUNDING, _SAME = 1e-12, 1e-9  # relative


@dataclass(frozen=True, slots=True)
class Support:
    """A row's weight in [0, 1] and the raters who back it, with their weights; or why the row is not used.

    `disputed`: people who count said the opposite, or neither.
    """

    weight: float = 0.0
    backing: Mapping[str, float] = field(default_factory=dict)
    problem: str | None = None
    disputed: bool = False


def support(panel: Panel, pro: Iterable[str], against: Iterable[str] = (), undecided: Iterable[str] = ()) -> Support:
    """Weigh the raters who say something against those who say the opposite and those who say neither.

    The row weighs as much as its most reliable rater, times the majority's share of all weight: raters who are not
    believed decide nothing, and disputed rows teach less.
    """
    backing = _believed(panel, pro)
    if not backing:
        return Support(problem=UNRELIABLE)
    mine, theirs = sum(backing.values()), sum(_believed(panel, against).values())
    neither = sum(_believed(panel, undecided).values())
    majority = (mine - theirs) / (mine + theirs + neither)
    if majority < _CLOSE:
        return Support(problem=CONTRADICTED)
    return Support(max(backing.values()) * majority, backing, disputed=theirs + neither > 0)


def both(one: Support, other: Support) -> Support:
    """The support of a row that needs both: the smaller weight, backed by the raters of both."""
    backing, disputed = {**one.backing, **other.backing}, one.disputed or other.disputed
    return Support(min(one.weight, other.weight), backing, one.problem or other.problem, disputed)


def _believed(panel: Panel, raters: Iterable[str]) -> dict[str, float]:
    weights = {rater: panel.weight(rater) for rater in raters}
    return {rater: weight for rater, weight in weights.items() if weight > 0}


@dataclass(frozen=True, slots=True)
class Capped:
    """The weights of rows after the cap, in their order, and the share of their sum that each rater holds."""

    weights: list[float]
    shares: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Backed:
    """Rows with the people who back them: the weight of each row, and an entry for each backer of each row.

    `row` and `rater` are the places of an entry's row and rater, in `weights` and `names`; `claim` is how much that
    rater counts. The entries of a row stand together.
    """

    weights: Floats
    row: Ints
    rater: Ints
    claim: Floats
    names: Sequence[str]


def capped(rows: Sequence[tuple[float, Mapping[str, float]]], panel: Panel) -> Capped:
    """The same as `capped_rows`, of weights with their backing."""
    entries = [(at, rater, claim) for at, (_, backing) in enumerate(rows) for rater, claim in backing.items()]
    names = list(dict.fromkeys(rater for _, rater, _ in entries))
    place = {name: at for at, name in enumerate(names)}
    found, shares = capped_rows(
        Backed(
            np.array([weight for weight, _ in rows], dtype=np.float64),
            np.array([at for at, *_ in entries], dtype=np.int64),
            np.array([place[rater] for _, rater, _ in entries], dtype=np.int64),
            np.array([claim for *_, claim in entries], dtype=np.float64),
            names,
        ),
        panel,
    )
    return Capped(found.tolist(), shares)


def capped_rows(rows: Backed, panel: Panel) -> tuple[Floats, dict[str, float]]:
    """Cap how much of the weight of some rows of one kind each rater holds: one person, one voice, unless known.

    A row's weight is divided among its backers, and the parts of a rater who holds too much of everything are scaled
    down. Of `n` raters, nobody holds more than 1/n, except

    - people whom others bear out: `ROOM` rows more for each of their ratings that others confirm, up to `HEADS` / n
      of everything and to `SHARE`;
    - people for whom an operator vouches: up to `SHARE`.

    So `k` raters whom nobody bears out hold at most k/n together, whatever they rate and however much. Nothing
    becomes 0: nobody is silenced by rating much. Only the sizes of the parts relative to each other follow from this.
    The whole is then scaled so that it weighs what it is worth (Kish, "Survey Sampling", 1965: the effective sample
    size), because the sum of the weights is the number of rows that a stage draws in an epoch. Where a few rows stand
    for a whole person they are drawn more than once, but the sum never grows. Rows without backing keep their weight.

    Returns the weights of the rows after the cap, and the share of their sum that each rater holds.
    """
    factors: Floats = np.ones(len(rows.names))
    parts: Floats = np.zeros(len(rows.row))
    kept = rows.weights[rows.row] > 0
    there = np.bincount(rows.rater[kept], minlength=len(rows.names)) > 0
    totals: Floats = np.zeros(len(rows.names))
    for _ in range(_DIVISIONS):
        # What somebody heavy may not hold of a shared row goes to the others who back it.
        claims = rows.claim * factors[rows.rater]
        whole = np.bincount(rows.row, claims, minlength=len(rows.weights))
        parts = np.where(kept, rows.weights[rows.row] * claims / np.where(kept, whole[rows.row], 1.0), 0.0)
        totals = np.bincount(rows.rater, parts, minlength=len(rows.names)).astype(np.float64)
        factors = np.ones(len(rows.names))
        factors[there] = _factors(totals[there], [rows.names[at] for at in np.flatnonzero(there).tolist()], panel)
        if (factors == 1).all():
            break
    after = np.bincount(rows.row, parts * factors[rows.rater], minlength=len(rows.weights))
    sum_, some = float(after.sum()), after > 0
    squares = float((after[some] ** 2 / rows.weights[some]).sum())
    scale = sum_ / squares if squares else 1.0
    backed = np.zeros(len(rows.weights), dtype=bool)
    backed[rows.row[kept]] = True
    held = {
        rows.names[at]: float(totals[at] * factors[at] / sum_)
        for at in sorted(np.flatnonzero(there).tolist(), key=lambda at: rows.names[at])
        if sum_
    }
    return np.where(backed, scale * after, rows.weights), held


def capped_beside(rows: Backed, panel: Panel, held: Mapping[str, float]) -> Floats:
    """Cap weak rows beside others of their use, whose weights stay: `held` is what each rater holds of those.

    First the weak rows are capped like any others (`capped_rows`). Then a person's weak rows are lowered until that
    person is within their limit for both kinds of rows together. The weak rows of somebody whose ratings reach that
    limit weigh 0. A row of several people counts in full for each of them, which makes the limits stricter. At last,
    no row weighs more than `WEAK`, so somebody's only message is not drawn ten times.

    Returns the weights of the weak rows.
    """
    weights, shares = capped_rows(rows, panel)
    names = sorted({*held, *shares})
    weak = np.array([shares.get(name, 0.0) for name in names]) * float(weights.sum())
    rated = np.array([held.get(name, 0.0) for name in names])
    limits = _limits(names, panel)

    def left(whole: float) -> Floats:
        found: Floats = np.maximum(rated, np.minimum(rated + weak, limits.of(whole)))
        return found

    # As in `_factors`: what the limits leave grows less than the whole does.
    low, high = float(rated.sum()), float((rated + weak).sum())
    for _ in range(_HALVINGS if left(high).sum() < high * (1 - _ROUNDING) else 0):
        middle = (low + high) / 2
        low, high = (middle, high) if left(middle).sum() >= middle * (1 - _ROUNDING) else (low, middle)
    factor = np.divide(left(high) - rated, weak, out=np.zeros_like(weak), where=weak > 0)
    factor[factor >= 1 - _SAME] = 1.0
    place = {name: at for at, name in enumerate(names)}
    mine = np.ones(len(weights))
    known = np.array([factor[place[name]] if name in place else 0.0 for name in rows.names])
    np.minimum.at(mine, rows.row, known[rows.rater])
    after: Floats = np.minimum(weights * mine, WEAK)
    return after


@dataclass(frozen=True, slots=True)
class _Limits:
    """What raters hold of a whole of `s` at most: `head * s`, and beyond it at most `rows`, up to `share * s`."""

    head: float
    share: Floats
    rows: Floats

    def of(self, whole: float) -> Floats:
        found: Floats = self.head * whole + np.minimum((self.share - self.head) * whole, self.rows)
        return found


def _limits(raters: Sequence[str], panel: Panel) -> _Limits:
    head = 1 / max(1, len(raters))
    share, rows = np.full(len(raters), head), np.zeros(len(raters))
    for at, rater in enumerate(raters):
        known = panel.raters.get(rater)
        if known is not None and known.vouched:
            share[at], rows[at] = max(head, SHARE), math.inf
        elif known is not None and known.borne_out:
            share[at], rows[at] = max(head, min(SHARE, HEADS * head)), ROOM * known.confirmed
    return _Limits(head, share, rows)


def _factors(totals: Floats, raters: Sequence[str], panel: Panel) -> Floats:
    """By how much each rater's rows are scaled down, so that all limits hold and as much as possible is left."""
    # The same sum, whatever the order of the rows.
    order = np.array(sorted(range(len(raters)), key=lambda at: (totals[at], raters[at])), dtype=np.int64)
    held, limits = totals[order], _limits([raters[at] for at in order.tolist()], panel)

    def left(whole: float) -> float:
        return float(np.minimum(held, limits.of(whole)).sum())

    # The whole that is left is where it equals what the limits leave of it. The limits grow with the whole, and less
    # than it does, so below that point they leave more than the whole, and above it less.
    low, high = 0.0, float(held.sum())
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        if left(middle) >= middle * (1 - _ROUNDING):
            low = middle
        else:
            high = middle
    if left(high) >= high * (1 - _ROUNDING):
        low = high
    factors = np.ones(len(raters))
    some = held > 0
    factors[order[some]] = limits.of(low)[some] / held[some]
    factors[factors >= 1 - _SAME] = 1.0
    return factors
