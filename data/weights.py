"""How much a row weighs, by the raters who back it and those who say the opposite. Pure functions."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from data.candidates import CONTRADICTED, UNRELIABLE
from data.raters import SHARE, SHARERS, Panel

_CLOSE = 0.05  # a majority smaller than this share of all weight does not count as one


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


def capped(rows: Sequence[tuple[float, Mapping[str, float]]]) -> list[float]:
    """The weights of rows of one kind after the cap: with enough raters, nobody backs more than `SHARE` of it all.

    `rows` are weights with their backing. A row's weight is divided among its backers by their reliability; the parts
    of a rater who holds more than `SHARE` of everything are scaled down until they hold just that. Nothing becomes 0,
    so nobody is silenced by rating much.
    """
    parts = [_parts(weight, backing) for weight, backing in rows]
    totals: dict[str, float] = {}
    for part in parts:
        for rater, held in part.items():
            totals[rater] = totals.get(rater, 0.0) + held
    factors = _factors(totals)
    return [
        weight if not part else sum(held * factors[rater] for rater, held in part.items())
        for (weight, _), part in zip(rows, parts, strict=True)
    ]


def _parts(weight: float, backing: Mapping[str, float]) -> dict[str, float]:
    whole = sum(backing.values())
    return {rater: weight * mine / whole for rater, mine in backing.items()}


def _factors(totals: Mapping[str, float]) -> dict[str, float]:
    factors = dict.fromkeys(totals, 1.0)
    if len(totals) < SHARERS:
        return factors
    heavy: list[str] = []
    for rater in sorted(totals, key=lambda name: (-totals[name], name)):
        # If the heaviest so far hold their share each, the others hold the rest of the whole.
        whole = (sum(totals.values()) - sum(totals[name] for name in heavy)) / (1 - SHARE * len(heavy))
        if totals[rater] <= SHARE * whole or SHARE * (len(heavy) + 1) >= 1:
            break
        heavy.append(rater)
    whole = (sum(totals.values()) - sum(totals[name] for name in heavy)) / (1 - SHARE * len(heavy))
    for rater in heavy:
        factors[rater] = SHARE * whole / totals[rater]
    return factors
