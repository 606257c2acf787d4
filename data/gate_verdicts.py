"""What a release's manifest tells of how it was judged: by its round, against the champion of its time."""

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
class Judgement:
    """What the gate said of a release when it was made, against which champion, and why.

    `promote` is None where the gate was never asked: a release that was made by hand. `win` is None without evidence.
    """

    promote: bool | None = None
    win: Interval | None = None
    reasons: tuple[str, ...] = ()
    champion: int | None = None


def judgement(release: Release) -> Judgement:
    """How a release was judged. Manifests are files that people can change: what is no figure is left out."""
    verdict = _part(_part(release.manifest, "figures"), "verdict")
    promote, reasons = verdict.get("promote"), verdict.get("reasons")
    champion = _part(release.manifest, "parents").get("champion")
    return Judgement(
        promote if isinstance(promote, bool) else None,
        _win(_part(verdict, "interval")),
        tuple(map(str, reasons)) if isinstance(reasons, list | tuple) else (),
        champion if isinstance(champion, int) else None,
    )


def _part(entries: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = entries.get(name)
    return found if isinstance(found, Mapping) else {}


def _win(interval: Mapping[str, Any]) -> Interval | None:
    shares = [interval.get(name) for name in ("low", "mean", "high")]
    if any(isinstance(share, bool) or not isinstance(share, int | float) for share in shares):
        return None
    low, mean, high = (float(share) for share in shares if share is not None)
    ordered = all(map(math.isfinite, (low, mean, high))) and 0 <= low <= mean <= high <= 1
    return Interval(mean, low, high) if ordered else None
