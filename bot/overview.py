"""What an installation's releases and rounds say at one moment, and how that is told: the same on every platform."""

from __future__ import annotations

import contextlib
import sqlite3
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bot.progress import SIGNS, by_kind
from data.database import NAME
from data.erasure import FORGOTTEN
from data.lineage import releases_with
from data.releases import MINIMUM_PEOPLE, MINIMUM_PROMPTS, Releases
from data.rounds import decided

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from bot.texts import Texts
    from data.counts import RatingCounts
    from data.distance import Distance
    from data.gate_verdicts import GateVerdict
    from data.releases import Release
    from data.rounds import DecidedRound
    from data.trials import TrialSoFar

# With fewer people the counts would show how each of them voted.
HIDES = 3
_REASONS = 1200  # characters of the gate's reasons that are shown


@dataclass(frozen=True, slots=True)
class Overview:
    """What an installation's folder says at one moment; `rounds` are the decided ones, newest first.

    `releases` are those of its base, `others` the numbers of those that belong to other bases.
    """

    champion: int
    candidate: int | None
    releases: Sequence[Release]
    rounds: Sequence[DecidedRound]
    others: Sequence[int] = ()

    @property
    def promoted(self) -> int:
        """How many rounds ended with a new champion."""
        return sum(each.status == "promoted" for each in self.rounds)


def overview(home: Path) -> Overview:
    """Read an installation's folder. It reads many small files, so call it in a thread."""
    releases = Releases(home)
    every, usable = releases.all(), releases.servable()
    others = sorted({each.number for each in every} - {each.number for each in usable})
    return Overview(releases.champion(), releases.candidate(), usable, decided(home / "rounds"), others)


def release_name(release: int, texts: Texts) -> str:
    """What a release is called; 0 is the base model."""
    return texts.of_release.format(release=release) if release else texts.the_base


def serving(now: Overview, trial: TrialSoFar | None, left: Sequence[int], texts: Texts) -> list[str]:
    """Which release serves, how the one on trial does, and which ones learnt from people who left (`left_of`)."""
    lines = [texts.stats_serving.format(release=release_name(now.champion, texts), releases=len(now.releases))]
    lines.append(texts.stats_no_trial if now.candidate is None else _on_trial(now.candidate, trial, texts))
    if left:
        lines.append(texts.stats_left.format(releases=", ".join(map(str, left))))
    return [line[:1].upper() + line[1:] for line in lines]


def _on_trial(candidate: int, found: TrialSoFar | None, texts: Texts) -> str:
    """How the release on trial stands; None while that is not known yet."""
    release = release_name(candidate, texts)
    if found is None:
        return texts.stats_trial_counting.format(release=release)
    line = texts.stats_trial if found.people >= HIDES else texts.stats_trial_few
    needed = {"needed": MINIMUM_PROMPTS, "people": MINIMUM_PEOPLE}
    return line.format(release=release, prompts=found.prompts, share=found.share, **needed)


def left_of(home: Path) -> list[int]:
    """The releases that learnt from people who left. It reads many ids and files, so call it in a thread."""
    query = "SELECT ref_hash FROM tombstones WHERE kind = 'row' AND reason = ?"
    with contextlib.closing(sqlite3.connect(home / NAME)) as connection:
        gone = {ref for (ref,) in connection.execute(query, (FORGOTTEN,))}
    return releases_with(home, gone)


def counts_in_words(found: RatingCounts) -> str:
    """The ratings by kind; only their sum where few people gave them."""
    if found.raters < HIDES:
        return f"{sum(found.ratings[kind] for kind in SIGNS)}"
    return by_kind(found)


def thumbs_hidden(far: Distance) -> tuple[str, ...]:
    """The parts of the distance that would show how few people voted."""
    few = any(part.name == "people" and part.have < HIDES for part in far.parts)
    return ("thumbs",) if few else ()


def verdict_text(found: GateVerdict, champion: int, texts: Texts) -> str:
    """What the gate decided about a release and why, in one paragraph; `champion` is the release that serves now."""
    if found.promote is None:
        return texts.gate_never_asked
    text = (texts.gate_said_yes if found.promote else texts.gate_said_no).format(reasons=" ".join(found.reasons))
    if len(text) > _REASONS:
        text = f"{text[:_REASONS]} …"
    if found.champion is None or found.champion == champion:
        return text
    return f"{text} {texts.gate_compared_with.format(release=release_name(found.champion, texts))}"
