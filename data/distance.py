"""How far it is to each verdict: what the feedback holds, beside what the gate, a judge and KTO need."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from data.fold_shares import NEW, SHARES
from data.minimums import JUDGE_PAIRS, MINIMUM_THUMBS
from data.releases import MINIMUM_PEOPLE, MINIMUM_PROMPTS
from data.rows import content_id

if TYPE_CHECKING:  # the bot shows distances, and these would load numpy when it starts
    from collections.abc import Collection, Iterable, Sequence

    from data.collected import Collected
    from data.rows import Row
    from data.trials import TrialSoFar


@dataclass(frozen=True, slots=True)
class Part:
    """One thing that a verdict needs: its `name`, how much of it there is, and how much it takes.

    The names are `prompts` (held-out prompts with two compared answers), `pairs` (for a judge), `thumbs` (of the
    direction with fewer, `down` or `up`, which `fewer` says), `people` (who rated), and for a release on trial
    `trial_prompts` and `trial_people`.
    """

    name: str
    have: int
    needed: int
    fewer: str | None = None

    @property
    def lacks(self) -> int:
        """How many more it takes; 0 when there are enough."""
        return max(0, self.needed - self.have)


@dataclass(frozen=True, slots=True)
class Distance:
    """What there is and what it takes, by verdict."""

    parts: tuple[Part, ...] = ()

    @property
    def nearest(self) -> Part | None:
        """What is nearest to being enough, as a share, but is not; None when there is enough of everything."""
        lacking = [part for part in self.parts if part.lacks]
        return max(lacking, key=lambda part: part.have / part.needed, default=None)


def distance(collected: Collected, trial: TrialSoFar | None = None) -> Distance:
    """How far it is to each verdict with these rows, and with these comparisons of a release on trial.

    Rows whose fold is not drawn yet count as the shares say: which fold they will get must not be known before.
    """
    labelled = _two(collected, "labelled", "train")
    up, down = (
        _count([[row for row in rows if row.data["label"] is liked] for rows in labelled], "train")
        for liked in (True, False)
    )
    compared = [_prompts(rows) for rows in _two(collected, "preference", "gate")]
    pairs = _two(collected, "preference", "judge_train")
    people = collected.raters(weak=False)
    parts = [
        Part("prompts", _count(compared, "gate"), MINIMUM_PROMPTS),
        Part("pairs", _count(pairs, "judge_train"), JUDGE_PAIRS),
        Part("thumbs", min(up, down), MINIMUM_THUMBS, fewer="up" if up < down else "down"),
        Part("people", len(people), MINIMUM_PEOPLE),
    ]
    return with_trial(Distance(tuple(parts)), trial)


def with_trial(found: Distance, trial: TrialSoFar | None) -> Distance:
    """The same distance with these comparisons of the release on trial; `trial` is None without such a release."""
    parts = [part for part in found.parts if not part.name.startswith("trial_")]
    if trial is not None:
        parts += [
            Part("trial_prompts", trial.prompts, MINIMUM_PROMPTS),
            Part("trial_people", trial.people, MINIMUM_PEOPLE),
        ]
    return Distance(tuple(parts))


def _two(collected: Collected, kind: str, fold: str) -> list[Sequence[Row]]:
    """The rows of a fold, and those without one."""
    return [collected.of(kind, fold), collected.of(kind, NEW)]


def _count(rows: Sequence[Collection[object]], fold: str) -> int:
    there, new = map(len, rows)
    return there + int(SHARES[fold] * new)


def _prompts(rows: Iterable[Row]) -> set[str]:
    return {content_id({"prompt": row.data["prompt"]}) for row in rows}


_WHAT = {
    "prompts": "held-out prompts",
    "pairs": "pairs for a judge",
    "thumbs": "thumbs of each direction",
    "people": "people",
    "trial_prompts": "questions compared in the trial",
    "trial_people": "people who compared in the trial",
}
# About as many as one of ten pairs trains judges, and one of seven prompts is held out.
_NEXT = {
    "prompts": "compare or correct answers to {more} more questions, of which about {lacks} will be held out",
    "pairs": "compare or correct {more} more answers, of which about {lacks} will train a judge",
    "thumbs": "give {lacks} more answers a thumb {fewer}",
    "people": "let {lacks} more people rate answers",
    "trial_prompts": "compare answers of the release on trial to {lacks} more questions",
    "trial_people": "let {lacks} more people compare answers of the release on trial",
}
_SHARE = {"prompts": SHARES["gate"], "pairs": SHARES["judge_train"]}


def questions(part: Part) -> int:
    """How many more questions or answers people have to rate until a part is enough, as far as shares tell."""
    return round(part.lacks / _SHARE.get(part.name, 1))


def in_words(found: Distance) -> list[str]:
    """The distance in a sentence, and what to do next in another; for operators, in English."""
    if not found.parts:
        return []
    listed = ", ".join(map(_listed, found.parts))
    nearest = found.nearest
    if nearest is None:
        return [
            f"How far to a verdict: {listed}.",
            "Next: there is enough for each; run `python -m alignment.round`.",
        ]
    step = _NEXT[nearest.name].format(more=questions(nearest), lacks=nearest.lacks, fewer=nearest.fewer)
    return [f"How far to a verdict: {listed}.", f"Next: {step}."]


def _listed(part: Part) -> str:
    what = _WHAT[part.name]
    return f"{part.have} of {part.needed} {what}" if part.lacks else f"{part.have} {what} (enough)"
