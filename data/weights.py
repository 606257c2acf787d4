"""How much a row weighs, by the raters who back it and those who say the opposite. Pure functions."""

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from data.candidates import CONTRADICTED, UNRELIABLE
from data.raters import Panel

SHARE = 1 / 3  # the largest share of a kind's weight of one rater among several, whoever vouches
HEADS = 3  # for how many people a rater counts at most whom others bear out

_CLOSE = 0.05  # a majority smaller than this share of all weight does not count as one
_DIVISIONS = 4  # how often rows are divided among their backers, each time by what the cap left the time before
_HALVINGS = 100  # of the interval in which the whole is searched; the last ones are below any rounding
_ROUNDING, _SAME = 1e-12, 1e-9  # relative


@dataclass(frozen=True, slots=True)
class Support:
    """A row's weight in [0, 1] and the raters who back it, with their weights; or why the row is not used."""

    weight: float = 0.0
    backing: Mapping[str, float] = field(default_factory=dict)
    problem: str | None = None


def support(panel: Panel, pro: Iterable[str], against: Iterable[str] = (), undecided: Iterable[str] = ()) -> Support:
    """Weigh the raters who say something against those who say the opposite and those who say neither.

    The row weighs as much as its most reliable rater, times the majority's share of all weight: raters who are not
    believed decide nothing, and disputed rows teach less.
    """
    backing = _believed(panel, pro)
    if not backing:
        return Support(problem=UNRELIABLE)
    mine, theirs = sum(backing.values()), sum(_believed(panel, against).values())
    majority = (mine - theirs) / (mine + theirs + sum(_believed(panel, undecided).values()))
    if majority < _CLOSE:
        return Support(problem=CONTRADICTED)
    return Support(max(backing.values()) * majority, backing)


def both(one: Support, other: Support) -> Support:
    """The support of a row that needs both: the smaller weight, backed by the raters of both."""
    return Support(min(one.weight, other.weight), {**one.backing, **other.backing}, one.problem or other.problem)


def _believed(panel: Panel, raters: Iterable[str]) -> dict[str, float]:
    weights = {rater: panel.weight(rater) for rater in raters}
    return {rater: weight for rater, weight in weights.items() if weight > 0}


@dataclass(frozen=True, slots=True)
class Capped:
    """The weights of rows after the cap, in their order, and the share of their sum that each rater holds."""

    weights: list[float]
    shares: Mapping[str, float]


def capped(rows: Sequence[tuple[float, Mapping[str, float]]], panel: Panel) -> Capped:
    """Cap how much of the weight of some rows of one kind each rater holds: one person, one voice, unless known.

    `rows` are weights with their backing. A row's weight is divided among its backers, and the parts of a rater who
    holds too much of everything are scaled down. Of `n` raters, nobody holds more than 1/n, except

    - people whom others bear out: one more row for each of their ratings that others confirm, up to `HEADS` / n of
      everything and to `SHARE`;
    - people for whom an operator vouches: up to `SHARE`.

    So `k` raters whom nobody bears out hold at most k/n together, whatever they rate and however much. Nothing
    becomes 0: nobody is silenced by rating much. Only the sizes of the parts relative to each other follow from this.
    The whole is then scaled so that it weighs what it is worth (Kish, "Survey Sampling", 1965: the effective sample
    size), because the sum of the weights is the number of rows that a stage draws in an epoch. Where a few rows stand
    for a whole person they are drawn more than once, but the sum never grows. Rows without backing keep their weight.
    """
    part = [_parts(weight, backing, {}) for weight, backing in rows]
    factors: dict[str, float] = {}
    for _ in range(_DIVISIONS):
        # What somebody heavy may not hold of a shared row goes to the others who back it.
        part = [_parts(weight, backing, factors) for weight, backing in rows]
        totals: dict[str, float] = {}
        for parts in part:
            for rater, held in parts.items():
                totals[rater] = totals.get(rater, 0.0) + held
        factors = _factors(totals, _limits(totals, panel))
        if all(factor == 1 for factor in factors.values()):
            break
    found = [sum(held * factors[rater] for rater, held in parts.items()) for parts in part]
    whole = sum(found)
    squares = sum(after**2 / before for after, (before, _) in zip(found, rows, strict=True) if after)
    scale = whole / squares if squares else 1.0
    return Capped(
        [scale * after if parts else weight for after, parts, (weight, _) in zip(found, part, rows, strict=True)],
        {rater: totals[rater] * factors[rater] / whole for rater in sorted(totals)} if whole else {},
    )


def _parts(weight: float, backing: Mapping[str, float], factors: Mapping[str, float]) -> dict[str, float]:
    claims = {rater: mine * factors.get(rater, 1.0) for rater, mine in backing.items()}
    whole = sum(claims.values())
    return {rater: weight * claim / whole for rater, claim in claims.items()} if weight > 0 else {}


@dataclass(frozen=True, slots=True)
class _Limit:
    """The most that a rater holds of a whole of `s`: `head * s`, and beyond it at most `rows`, up to `share * s`."""

    head: float
    share: float
    rows: float

    def of(self, whole: float) -> float:
        return self.head * whole + min((self.share - self.head) * whole, self.rows)


def _limits(raters: Collection[str], panel: Panel) -> dict[str, _Limit]:
    head = 1 / max(1, len(raters))
    found = {}
    for rater in raters:
        known = panel.raters.get(rater)
        if known is not None and known.vouched:
            found[rater] = _Limit(head, max(head, SHARE), math.inf)
        elif known is not None and known.borne_out:
            found[rater] = _Limit(head, max(head, min(SHARE, HEADS * head)), known.confirmed)
        else:
            found[rater] = _Limit(head, head, 0.0)
    return found


def _factors(totals: Mapping[str, float], limits: Mapping[str, _Limit]) -> dict[str, float]:
    """By how much each rater's rows are scaled down, so that all limits hold and as much as possible is left."""
    raters = sorted(totals, key=lambda rater: (totals[rater], rater))  # the same sum, whatever the order of the rows

    def left(whole: float) -> float:
        return sum(min(totals[rater], limits[rater].of(whole)) for rater in raters)

    # The whole that is left is where it equals what the limits leave of it. The limits grow with the whole, and less
    # than it does, so below that point they leave more than the whole, and above it less.
    low, high = 0.0, sum(totals.values())
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        if left(middle) >= middle * (1 - _ROUNDING):
            low = middle
        else:
            high = middle
    if left(high) >= high * (1 - _ROUNDING):
        low = high
    factors = {rater: limits[rater].of(low) / held if held > 0 else 1.0 for rater, held in totals.items()}
    return {rater: factor if factor < 1 - _SAME else 1.0 for rater, factor in factors.items()}
