"""The gate's verdict on a release, read from its manifest: given in its round, against the champion of that time."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from data.releases import Release


@dataclass(frozen=True, slots=True)
class Interval:
    """A mean and its bootstrap interval, in the unit of the values; of a win rate, the share of comparisons won."""

    mean: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class GateVerdict:
    """What the gate said of a release when it was made, against which champion, and why.

    `promote` is None where the gate was never asked: for a release that was made by hand. `win` is None without
    evidence. `checks` is how many suites were compared, and `worse` on how many of them it fell. `length` is how long
    its answers were, as a share of the champion's to the same questions; None where too few were asked.
    """

    promote: bool | None = None
    win: Interval | None = None
    reasons: tuple[str, ...] = ()
    champion: int | None = None
    checks: int = 0
    worse: int = 0
    length: float | None = None


def gate_verdict(release: Release) -> GateVerdict:
    """What the gate said of a release. People can change a manifest: what is not a figure is left out."""
    verdict = _part(release.manifest.figures, "verdict")
    promote, reasons = verdict.get("promote"), verdict.get("reasons")
    parents: Any = release.manifest.parents
    champion = parents.get("champion") if isinstance(parents, Mapping) else None
    told = verdict.get("suites")
    suites = [each for each in told if isinstance(each, Mapping)] if isinstance(told, list | tuple) else []
    return GateVerdict(
        promote if isinstance(promote, bool) else None,
        _win(_part(verdict, "interval")),
        tuple(map(str, reasons)) if isinstance(reasons, list | tuple) else (),
        champion if isinstance(champion, int) else None,
        len(suites),
        sum(each.get("worse") is True for each in suites),
        _length(release.manifest.figures),
    )


def _length(figures: Any) -> float | None:
    found = figures.get("lengths") if isinstance(figures, Mapping) else None
    if not isinstance(found, list | tuple) or [type(each) for each in found] not in ([int] * 2, [float] * 2):
        return None
    before, after = found
    return after / before if 0 < before < math.inf and 0 <= after < math.inf else None


def _part(entries: Any, name: str) -> Mapping[str, Any]:
    found = entries.get(name) if isinstance(entries, Mapping) else None
    return found if isinstance(found, Mapping) else {}


def _win(interval: Mapping[str, Any]) -> Interval | None:
    shares = [interval.get(name) for name in ("low", "mean", "high")]
    if any(isinstance(share, bool) or not isinstance(share, int | float) for share in shares):
        return None
    low, mean, high = (float(share) for share in shares if share is not None)
    ordered = all(map(math.isfinite, (low, mean, high))) and 0 <= low <= mean <= high <= 1
    return Interval(mean, low, high) if ordered else None
