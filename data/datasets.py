"""Feedback to rows: what people's ratings teach, and which rows may leave the store for training.

| what people did                                         | row                                              |
|---------------------------------------------------------|--------------------------------------------------|
| correction                                              | demonstration of its last turn; preference       |
|                                                         | correction > original                            |
| comparison a or b                                       | preference                                       |
| comparison tie or both bad                              | a tie, for the reward model's calibration only   |
| up on one sibling and down on another (the same prompt) | preference                                       |
| up or down alone                                        | labelled completion                              |
| anything                                                | prompt                                           |

An answer that was corrected, voted down, reported or lost a comparison is never a target (see `data.targets`): not as
a thumb up, not as the chosen one of a preference, not as a demonstration. A row goes when a text in its prompt was
edited, since the answer was given to the old words; a new correction replaces the same person's earlier one.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field, replace

from sqlalchemy.ext.asyncio import AsyncSession

from data import folds
from data.candidates import (
    CONTRADICTED,
    DIVIDED,
    DUPLICATE,
    EDITED,
    ERASED,
    NO_CONSENT,
    NO_PERMISSION,
    NOT_HERE,
    OTHER_PROMPT,
    OUTSIDE,
    OVER_QUOTA,
    REFUSED,
    SAME_TEXT,
    SELF_VOTE,
    TAKEN_BACK,
    UNFINISHED,
    UNRELIABLE,
    VOIDED,
    Candidate,
)
from data.feedback import feedback_candidates
from data.imported import imported, imported_id
from data.prompts import prompts_of
from data.raters import Panel
from data.row_ids import row_id
from data.rows import KINDS, Row, content_id
from data.weights import capped

__all__ = [
    "CONTRADICTED",
    "DIVIDED",
    "DUPLICATE",
    "EDITED",
    "ERASED",
    "NOT_HERE",
    "NO_CONSENT",
    "NO_PERMISSION",
    "OTHER_PROMPT",
    "OUTSIDE",
    "OVER_QUOTA",
    "REFUSED",
    "SAME_TEXT",
    "SELF_VOTE",
    "TAKEN_BACK",
    "UNFINISHED",
    "UNRELIABLE",
    "VOIDED",
    "Collected",
    "FeedbackRow",
    "collect",
    "imported_id",
]

_SHOWN_TO_JUDGES = ("judge", "gate")  # the folds whose rows an evaluation reads


@dataclass(frozen=True, slots=True)
class FeedbackRow:
    """A row with its fold (which says whether it trains or judges), its platform and its raters."""

    row: Row
    fold: str
    platform: str
    raters: tuple[str, ...] = ()


@dataclass(slots=True)
class Collected:
    """The rows that may be used now, and why others may not: `dropped` counts them by kind and reason.

    `tied` holds the comparisons that ended in a tie or both bad, as rows of kind `preference` with the extra
    `tie: true`, the earlier answer first. They are kept apart, so that nothing trains on them as preferences. `panel`
    says how much each rater counts, `shares` which share of the weight of a kind and fold each of them holds.
    """

    rows: list[FeedbackRow] = field(default_factory=list)
    dropped: dict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    tied: list[FeedbackRow] = field(default_factory=list)
    panel: Panel = field(default_factory=lambda: Panel({}, ""))
    shares: dict[tuple[str, str], Mapping[str, float]] = field(default_factory=dict)

    def of(self, kind: str, fold: str | None = None) -> list[Row]:
        """The rows of one kind (and fold), ordered by a hash of their content."""
        return _ordered(f.row for f in self.rows if f.row.kind == kind and fold in (None, f.fold))

    @property
    def ties(self) -> list[Row]:
        """The ties of all folds, ordered by a hash of their content."""
        return self.ties_of()

    def ties_of(self, fold: str | None = None) -> list[Row]:
        """The ties of one fold, or all of them."""
        return _ordered(f.row for f in self.tied if fold in (None, f.fold))

    def prompts(self, fold: str | None = None) -> list[Row]:
        """Every prompt of a fold, once: the questions that were asked, and the prompts of all other rows."""
        kinds = ("prompt", *(kind for kind in KINDS if kind != "prompt"))
        return _ordered(prompts_of(row for kind in kinds for row in self.of(kind, fold)))

    def dropped_counts(self) -> dict[str, dict[str, int]]:
        """The counts of dropped rows, sorted, as a manifest holds them."""
        return {kind: dict(sorted(reasons.items())) for kind, reasons in sorted(self.dropped.items())}


async def collect(
    reading: AsyncSession,
    writing: Callable[[], AbstractAsyncContextManager[AsyncSession]] | None,
    key: bytes,
    *,
    discord_permission: str | None,
) -> Collected:
    """Turn the feedback that `reading` sees into rows; the folds of new rows are stored in a session of `writing`.

    Both may belong to one database, or to a snapshot and the live one. Writing takes only a moment. Without `writing`
    nothing is stored, and new rows have the fold `folds.NEW`.
    `discord_permission` is the operator's reference to Discord's permission to train on message content; without it
    no row from Discord is returned.
    """
    found, panel = await feedback_candidates(reading)
    collected = Collected(panel=panel)
    kept: list[Candidate] = []
    seen: set[str] = set()
    made = _Made(key)
    # Feedback comes before imports: for a row that was exported and imported again, the feedback itself counts.
    for candidate in [*found, *await imported(reading)]:
        kind = "tie" if candidate.tie else candidate.kind
        problem = candidate.problem or _refused(candidate, panel)
        if candidate.platform == "discord" and not discord_permission:
            problem = NO_PERMISSION
        content = f"{kind}:{content_id(candidate.data)}"
        if candidate.id is not None:
            problem = problem or made.problem(candidate)
        if problem is None and content in seen:
            problem = DUPLICATE
        if candidate.id is None:
            made.note(candidate, problem)
        if problem is not None:
            collected.dropped[kind][problem] += 1
            continue
        seen.add(content)
        kept.append(candidate)
    assigned = await folds.assign(reading, writing, key, [candidate.anchor for candidate in kept])
    for candidate, fold in zip(_capped(kept, assigned, collected), assigned, strict=True):
        if fold is None:
            collected.dropped["tie" if candidate.tie else candidate.kind][DIVIDED] += 1
            continue
        row = FeedbackRow(_row(candidate, key, fold), fold, candidate.platform, candidate.raters)
        (collected.tied if candidate.tie else collected.rows).append(row)
    return collected


class _Made:
    """The rows that feedback makes now, by their ids, and what that says about imported copies of such rows."""

    def __init__(self, key: bytes) -> None:
        self.key = key
        self._problems: dict[str, str | None] = {}  # id -> why the row is not used; None for a row that is
        self._prompts: set[str] = set()

    def note(self, candidate: Candidate, problem: str | None) -> None:
        """Remember a row that feedback makes."""
        number = row_id(self.key, candidate.kind, candidate.data)
        if self._problems.get(number, "") is not None:
            self._problems[number] = None if problem == DUPLICATE else problem
        if candidate.kind == "prompt":
            self._prompts.add(number)

    def problem(self, candidate: Candidate) -> str | None:
        """Why an imported row is not used, if feedback says so.

        A row that was exported from here is what people said: it holds only while they still say it. Where nothing is
        known of its question, the row is the operator's, who restored it.
        """
        assert candidate.id is not None
        if candidate.id in self._problems:
            return self._problems[candidate.id] or DUPLICATE
        exported = candidate.id == row_id(self.key, candidate.kind, candidate.data)
        prompt = candidate.parts.get("prompt") or candidate.parts["messages"][:-1]
        asked = exported and row_id(self.key, "prompt", {"prompt": prompt}) in self._prompts
        return TAKEN_BACK if asked else None


def _refused(candidate: Candidate, panel: Panel) -> str | None:
    """Why an imported row that names its rater does not count; None for all other rows."""
    return panel.refused.get(imported_id(candidate.kind, candidate.id)) if candidate.id is not None else None


def _capped(kept: list[Candidate], assigned: Sequence[str | None], collected: Collected) -> list[Candidate]:
    """The candidates with their weights after the cap on each rater's share, and the shares in `collected`.

    The cap applies to each use separately: to each kind of row in each fold.
    """
    uses: dict[tuple[str, str], list[int]] = defaultdict(list)
    for i, (candidate, fold) in enumerate(zip(kept, assigned, strict=True)):
        if candidate.backing and fold is not None:
            uses["tie" if candidate.tie else candidate.kind, fold].append(i)
    weights: dict[int, float] = {}
    for (kind, fold), mine in sorted(uses.items()):
        found = capped([(kept[i].weight, kept[i].backing) for i in mine], collected.panel)
        weights.update(zip(mine, found.weights, strict=True))
        collected.shares[kind, fold] = found.shares
    return [replace(c, weight=weights.get(i, c.weight)) for i, c in enumerate(kept)]


def _row(candidate: Candidate, key: bytes, fold: str) -> Row:
    data = candidate.data
    extra = {
        "id": candidate.id or row_id(key, candidate.kind, data),
        "persona": candidate.persona,
        "language": candidate.language,
        "source": candidate.source,
        # Rounded: reliability is not known more precisely, and the file shows 0.3 as 0.3. Digits and not places,
        # because a row of somebody who rated ten thousand may weigh very little, but never nothing.
        "weight": float(f"{candidate.weight:.4g}") if candidate.backing else candidate.weight,
        "margin": candidate.margin,
        "tie": candidate.tie or None,
        "platform": candidate.platform,
        "consent": True,  # rows without consent do not get here
        # Only in folds that an evaluation reads: training rows are never shown to anybody outside.
        "outside_judge": (candidate.outside_judge and fold in _SHOWN_TO_JUDGES) or None,
    }
    return Row(candidate.kind, data, {name: value for name, value in extra.items() if value is not None})


def _ordered(rows: Iterable[Row]) -> list[Row]:
    return sorted(rows, key=lambda row: content_id(row.data))
