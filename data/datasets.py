"""Feedback to rows: what people's ratings teach, and which rows may leave the store for training.

| what people did                                         | row                                              |
|---------------------------------------------------------|--------------------------------------------------|
| correction                                              | demonstration of its last turn; preference       |
|                                                         | correction > original                            |
| comparison a or b                                       | preference                                       |
| comparison tie or both bad                              | a tie, for the reward model's calibration only   |
| up on one sibling and down on another (the same prompt) | preference                                       |
| up or down alone                                        | labelled completion                              |
| follow-up message (see `data.followup_events`), here or | labelled completion of low weight, where the     |
| where it was exported                                   | operator and the person allow it                 |
| complaint that the next answer mends (see               | preference of low weight                         |
| `data.hindsight_events`)                                |                                                  |
| anything                                                | prompt                                           |

An answer that was corrected, voted down, reported or lost a comparison is never a target (see `data.targets`): not as
a thumb up, not as the chosen one of a preference, not as a demonstration. A row goes when a text in its prompt was
edited, since the answer was given to the old words; a new correction replaces the same person's earlier one.
"""

import sqlite3
from array import array
from pathlib import Path
from typing import Any

import numpy as np

from data.bulk import reading
from data.candidates import (
    CONTRADICTED,
    DIVIDED,
    DUPLICATE,
    EDITED,
    ERASED,
    FOLLOWUP,
    FULL,
    NO_CONSENT,
    NO_FOLLOWUPS,
    NO_PERMISSION,
    NOT_HERE,
    ONLY_TRAINS,
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
from data.collected import Collected, FeedbackRow, Shelved
from data.events import read_recorded
from data.feedback import Feedback
from data.fold_shares import NEW
from data.folds import Anchors
from data.followup_events import read_followups
from data.hindsight_events import read_hindsight
from data.imported import imported, imported_id
from data.live import Pair, trial_of
from data.origins import Origins
from data.raters import Panel
from data.row import KINDS
from data.row_ids import id_of, row_id
from data.shelved import FOLDS, TIE, Content, Numbers, Shelf, kind_of
from data.spelling import candidates
from data.weights import WEAK, Backed, capped_beside, capped_rows

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

_NAMES = (*KINDS, "tie")
_TRAINS = ("train", NEW)  # the folds in which a row of follow-ups is used; a new fold may become that of training


def collect(
    database: Path,
    live: Path,
    key: bytes,
    *,
    discord_permission: str | None,
    draws: bool = True,
    trial: Pair | None = None,
    corrections_train: bool = False,
    origins: Origins | None = None,
) -> Collected:
    """Turn the feedback in a database into rows; the folds of new rows are stored in the `live` database.

    Both may be one database, or a snapshot and the live one. It reads everything and blocks: call it in a thread.
    Writing takes only moments. Without `draws` nothing is stored, and new rows have the fold `folds.NEW`.
    `discord_permission` is the operator's reference to Discord's permission to train on message content; without it
    no row from Discord is returned. `trial` are two releases whose comparisons are counted on the way. With
    `corrections_train`, some conversations with a correction that have no fold yet get `train` (`data.folds`).
    `origins` is told of which answers each row is made.
    """
    with reading(database) as connection:
        collecting = _Collecting(connection, database, live, key, discord_permission, trial, origins)
        return collecting.collect(draws=draws, corrections_train=corrections_train)


class _Collecting:
    """Takes the candidates one after the other. The texts go into a file; a few numbers of each row stay."""

    def __init__(
        self,
        connection: sqlite3.Connection,
        database: Path,
        live: Path,
        key: bytes,
        permission: str | None,
        trial: Pair | None,
        origins: Origins | None,
    ) -> None:
        self._connection, self._database, self._key, self._permission = connection, database, key, permission
        self._trial, self._origins = trial, origins
        self._shelf = Shelf(live.parent)
        self._anchors = Anchors(live, key)
        self._made = _Made(key)
        self._corrections: dict[int, str] = {}  # whose they are
        self._collected = Collected()

    def collect(self, *, draws: bool, corrections_train: bool) -> Collected:
        """Read everything."""
        # Feedback comes before imports: for a row that was exported and imported again, the feedback itself counts.
        panel = self._collected.panel = self._feedback()
        self._made.settle()
        for each in imported(self._connection):
            # What a follow-up made elsewhere is one here, too: of low weight, and only for training.
            candidate = each._replace(weight=min(each.weight, WEAK)) if each.weak else each
            content = Content.of(candidate)
            refused = panel.refused.get(imported_id(candidate.kind, candidate.id or "")) if panel.refused else None
            if candidate.weak and self._collected.followups is None:
                refused = NO_FOLLOWUPS
            problem = self._allowed(candidate, candidate.problem or refused)
            self._take(candidate, content, problem or self._made.problem(candidate, content), candidate.id or "")
        again = self._shelf.repeated()
        self._drop(again, DUPLICATE)
        kept = np.flatnonzero(~again)
        training = self._corrections if corrections_train else None
        self._settle(kept, self._anchors.folds(kept, draws=draws, training=training))
        return self._collected

    def _feedback(self) -> Panel:
        """The rows that ratings, questions and follow-ups become."""
        recorded = read_recorded(self._connection, self._database)
        known, facts, events, panel = recorded
        if self._trial is not None:
            self._collected.trial = trial_of(self._connection, recorded, self._trial)
        followups = read_followups(self._connection, facts, events, known, self._permission)
        self._collected.followups = followups.counts() if known.limits.followups else None
        hindsight = read_hindsight(self._connection, facts, events, followups, known)
        plans = Feedback(facts, events, panel, known, followups, hindsight).plans()
        for candidate in candidates(self._connection, plans, facts, events):
            content = Content.of(candidate)
            number = id_of(self._key, candidate.kind, content.feedback_digest)
            problem = self._allowed(candidate, candidate.problem)
            self._made.note(candidate, number, problem)
            if self._origins is not None:
                self._origins.note(number, candidate)
            if problem is None and candidate.kind == "demonstration":  # feedback makes them of corrections alone
                self._corrections[len(self._shelf)] = candidate.raters[0] if candidate.raters else ""
            self._take(candidate, content, problem, number)
        if self._origins is not None:
            self._origins.settle(self._connection, facts, events)
        return panel

    def _allowed(self, candidate: Candidate, problem: str | None) -> str | None:
        return NO_PERMISSION if candidate.platform == "discord" and not self._permission else problem

    def _take(self, candidate: Candidate, content: Content, problem: str | None, number: str) -> None:
        if problem is not None:
            self._collected.dropped[FOLLOWUP if candidate.weak else _NAMES[kind_of(candidate)]][problem] += 1
            return
        self._shelf.add(candidate, content, number)
        self._anchors.add(candidate.anchor)

    def _settle(self, kept: Numbers, assigned: list[str | None]) -> None:
        """Give the rows their folds, and their weights after the cap on each rater's share."""
        codes = {name: at for at, name in enumerate(FOLDS)} | {None: -1}
        folds = np.full(len(self._shelf), -1, dtype=np.int8)
        folds[kept] = [codes[fold] for fold in assigned]
        divided = np.zeros(len(self._shelf), dtype=bool)
        divided[kept] = folds[kept] < 0
        self._drop(divided, DIVIDED)
        weak = self._shelf.weak & (folds >= 0)
        judging = weak & ~np.isin(folds, [FOLDS.index(fold) for fold in _TRAINS])
        self._drop(judging, ONLY_TRAINS)
        folds[judging] = -1
        weights = self._capped(folds)
        full = weak & ~judging & (weights <= 0)
        self._drop(full, FULL)
        folds[full] = -1
        self._shelf.settle(folds, weights)
        self._collected.mended = int((weak & (folds >= 0) & (self._shelf.kinds == KINDS.index("preference"))).sum())
        self._collected.rows = Shelved(self._shelf, np.flatnonzero((folds >= 0) & (self._shelf.kinds != TIE)))
        self._collected.tied = Shelved(self._shelf, np.flatnonzero((folds >= 0) & (self._shelf.kinds == TIE)))

    def _drop(self, these: "np.typing.NDArray[np.bool_]", reason: str) -> None:
        """Count rows of the shelf as dropped."""
        names = np.where(self._shelf.weak, len(_NAMES), self._shelf.kinds)[these]
        for name, count in zip(*np.unique(names, return_counts=True), strict=True):
            self._collected.dropped[(*_NAMES, FOLLOWUP)[int(name)]][reason] += int(count)

    def _capped(self, folds: "np.typing.NDArray[np.int8]") -> "np.typing.NDArray[np.float64]":
        """The weights of the rows. The cap applies to each use separately: to each kind of row in each fold.

        Rows of follow-ups are capped after the others, whose weights are the same with and without them.
        """
        weights, backed, kinds = self._shelf.weights, self._shelf.backed(), self._shelf.kinds
        weak, shares = self._shelf.weak, self._collected.shares
        uses = sorted((name, fold) for name in _NAMES for fold in FOLDS)
        for name, fold in uses:
            mine = backed & (kinds == _NAMES.index(name)) & (folds == FOLDS.index(fold))
            rated, followed = np.flatnonzero(mine & ~weak), np.flatnonzero(mine & weak)
            if len(rated):
                weights[rated], shares[name, fold] = capped_rows(self._backed(rated, weights), self._collected.panel)
            if len(followed):
                whole = float(weights[rated].sum())
                held = {rater: share * whole for rater, share in shares.get((name, fold), {}).items()}
                rows = self._backed(followed, weights)
                weights[followed] = capped_beside(rows, self._collected.panel, held)
        return weights

    def _backed(self, numbers: Numbers, weights: "np.typing.NDArray[np.float64]") -> Backed:
        row, rater, claim = self._shelf.backing(numbers)
        return Backed(weights[numbers], row, rater, claim, self._shelf.raters.names)


class _Made:
    """The rows that feedback makes now, by their ids, and what that says about imported copies of such rows.

    8 bytes of an id stand for it: ids are keyed hashes.
    """

    def __init__(self, key: bytes) -> None:
        self.key = key
        self._ids, self._codes = array("Q"), array("B")
        self._prompts = array("Q")
        self._reasons: list[str | None] = [None]
        self._found = (np.empty(0, dtype=np.uint64), np.empty(0, dtype=np.uint8))
        self._asked = np.empty(0, dtype=np.uint64)

    def note(self, candidate: Candidate, number: str, problem: str | None) -> None:
        """Remember a row that feedback makes."""
        if problem not in self._reasons:
            self._reasons.append(problem)
        self._ids.append(int(number[:16], 16))
        self._codes.append(self._reasons.index(problem))
        if candidate.kind == "prompt":
            self._prompts.append(self._ids[-1])

    def settle(self) -> None:
        """Sort what was noted. A row that is used once is used; else its last problem counts."""
        ids, codes = np.array(self._ids, dtype=np.uint64), np.array(self._codes, dtype=np.uint8)
        # Of the rows with one id the last one counts, and the used ones are last.
        order = np.lexsort((np.arange(len(ids)), codes == 0, ids))
        last = np.ones(len(ids), dtype=bool)
        last[:-1] = ids[order][1:] != ids[order][:-1]
        self._found = ids[order[last]], codes[order[last]]
        self._asked = np.unique(np.array(self._prompts, dtype=np.uint64))

    def problem(self, candidate: Candidate, content: Content) -> str | None:
        """Why an imported row is not used, if feedback says so.

        A row that was exported from here is what people said: it holds only while they still say it. Where nothing is
        known of its question, the row is the operator's, who restored it.
        """
        found = _number(candidate.id)
        if found is None or not len(self._found[0]):
            return None
        at = _there(self._found[0], found)
        if at is not None:
            return self._reasons[self._found[1][at]] or DUPLICATE
        if candidate.id != id_of(self.key, candidate.kind, content.feedback_digest):
            return None
        prompt: Any = candidate.parts.get("prompt") or candidate.parts["messages"][:-1]
        asked = _number(row_id(self.key, "prompt", {"prompt": prompt}))
        return TAKEN_BACK if asked is not None and _there(self._asked, asked) is not None else None


def _number(row: str | None) -> int | None:
    """The number that stands for a row's id; None for an id that was not made here."""
    if row is None or len(row) != 32 or set(row) - set("0123456789abcdef"):
        return None
    return int(row[:16], 16)


def _there(ordered: "np.typing.NDArray[np.uint64]", value: int) -> int | None:
    at = int(np.searchsorted(ordered, np.uint64(value)))
    return at if at < len(ordered) and ordered[at] == value else None
