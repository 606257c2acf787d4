"""The rows of a round: which may be used now, and what each fold is for.

Only `train` trains the models that answer. `judge_train` trains the judge's reward model and nothing else, `judge`
checks judges (and shows the loss while a stage trains), and `gate` only decides: nothing ever trains on it.
"""

import asyncio
import hashlib
import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from rich.console import Console

from data.collected import Collected, only
from data.datasets import collect
from data.home import discord_permission, home, installation_key, keyed_hash
from data.live import pair_on_trial, trial_now
from data.rows import Row
from data.store import Store
from data.trials import TrialSoFar

KINDS = ("demonstration", "preference", "labelled", "prompt")
_WATCHED = (4, 12)  # rows that measure while a stage trains: half as many as train, within these limits
_LOSS_ROWS = 24  # the loss on demonstrations needs no more than a sample of them


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The rows that may be used, with a round's limits on how many of a kind train and how many of a kind decide.

    `pinned` are the ids of the rows that an interrupted round began with, by their use (see `ids`): newer rows wait
    for the next round, so that a stage can continue. Withdrawn rows are gone.
    """

    collected: Collected
    limits: Mapping[str, int | None] = field(default_factory=dict)
    pinned: Mapping[str, Collection[str]] | None = None
    max_held_out: int | None = None

    def training(self, kind: str) -> Sequence[Row]:
        """The rows that answering models train on: a fixed part of the fold `train`."""
        return self._picked(kind, self._of(kind, "train"), self.limits.get(kind))

    def watched(self, kind: str) -> Sequence[Row]:
        """A few rows of the judge's fold, which measure while a stage trains; fewer where little trains."""
        fewest, most = _WATCHED
        wanted = min(max(len(self.training(kind)) // 2, fewest), most)
        return self._picked(f"{kind}, watched", self._of(kind, "judge"), wanted)

    def judge_training(self) -> Sequence[Row]:
        """The preferences that the judge's reward model trains on."""
        return self._picked("preference, judge_train", self._of("preference", "judge_train"), None)

    def ties(self, fold: str) -> Sequence[Row]:
        """Comparisons without a winner, for a reward model's calibration."""
        return self._picked(f"tie, {fold}", self.collected.ties_of(fold), None)

    def _of(self, kind: str, fold: str) -> Sequence[Row]:
        return self.collected.prompts(fold) if kind == "prompt" else self.collected.of(kind, fold)

    def _picked(self, name: str, rows: Sequence[Row], limit: int | None) -> Sequence[Row]:
        if self.pinned is None:
            return rows[:limit]
        # The limit is not applied again: it would replace withdrawn rows with others.
        began = frozenset(self.pinned.get(name, ()))
        return only(rows, lambda row: row.id in began)

    def judge_pairs(self) -> Sequence[Row]:
        """The preferences that decide whether a judge counts."""
        return self.collected.of("preference", "judge")

    def gate(self, kind: str) -> Sequence[Row]:
        """The rows on which the gate decides: at most `max_held_out` of the kind, the same ones in each round."""
        rows = self._of(kind, "gate")[: self.max_held_out]
        return rows[:_LOSS_ROWS] if kind == "demonstration" else rows

    def ids(self) -> dict[str, list[str]]:
        """The ids of all rows that a stage reads, by their use; no stage reads the gate's."""
        read = {kind: self.training(kind) for kind in KINDS}
        read |= {f"{kind}, watched": self.watched(kind) for kind in KINDS}
        read |= {f"tie, {fold}": self.ties(fold) for fold in ("train", "judge_train")}
        read["preference, judge_train"] = self.judge_training()
        return {name: [row.id for row in rows] for name, rows in read.items() if rows}

    def raters(self, trained: Iterable[str]) -> list[str]:
        """The pseudonyms of the people whose ratings made the training rows with these ids."""
        people = self.collected.people("train")
        return sorted({each for row in trained for each in people.get(row, ())})

    def counts(self) -> dict[str, dict[str, int]]:
        """How many rows there are by kind and fold."""
        folds = ("train", "judge_train", "judge", "gate")
        return {kind: {fold: len(self._of(kind, fold)) for fold in folds} for kind in KINDS}

    def dropped(self) -> dict[str, dict[str, int]]:
        """How many rows may not be used, by kind and reason."""
        return self.collected.dropped_counts()


def digest(rows: Sequence[Row]) -> str:
    """A hash of rows' contents and weights, keyed: manifests keep it, also when a row was erased since."""
    found = hashlib.sha256(b"[")
    for number, row in enumerate(rows):  # as one list in JSON, without ever holding all of it
        part = [row.kind, row.id, row.data, row.extra.get("weight"), row.extra.get("margin")]
        found.update((", " * (number > 0) + json.dumps(part, ensure_ascii=False, sort_keys=True)).encode())
    found.update(b"]")
    return keyed_hash(installation_key(home()), "rows", found.hexdigest())


async def collect_snapshot(folder: Path, *, corrections_train: bool = False) -> Collected:
    """The rows that may be used now, read from a copy of the database, so that the bot can keep writing.

    The copy is removed afterwards; folds of new rows are stored in the database itself. With `corrections_train`,
    some corrections whose conversations have no fold yet train (`data.folds`).
    """
    snapshot = folder / "snapshot.db"
    _remove(folder)  # left by a round that was killed here
    store = await Store.open(home())
    try:
        await store.database.copy(snapshot)
        live, key = store.database.path, installation_key(home())
        return await asyncio.to_thread(
            collect,
            snapshot,
            live,
            key,
            discord_permission=discord_permission(),
            corrections_train=corrections_train,
        )
    finally:
        await store.close()
        _remove(folder)


def _remove(folder: Path) -> None:
    for leftover in (*folder.glob("snapshot.db*"), *folder.glob(".snapshot.db*")):
        leftover.unlink()


async def trial_of_home() -> TrialSoFar | None:
    """How the release on trial stands; None without one."""
    pair = pair_on_trial(home())
    if pair is None:
        return None
    store = await Store.open(home())
    try:
        return await asyncio.to_thread(trial_now, store.database.path, pair)
    finally:
        await store.close()


def say_rows(console: Console, snapshot: Snapshot, *, prompts: bool) -> None:
    """Print how many rows there are (with `prompts`, of prompts too) and why others are not used."""
    for kind, folds in snapshot.counts().items():
        if any(folds.values()) and (kind != "prompt" or prompts):
            console.print(
                f"{len(snapshot.training(kind))} of {folds['train']} {plural(kind)} to train on, "
                f"{folds['judge_train'] + folds['judge']} for judges, {folds['gate']} held out for the gate."
            )
    for kind, reasons in snapshot.dropped().items():
        for reason, count in reasons.items():
            console.print(f"Held back {count} {kind} rows: {reason}.")


def plural(kind: str) -> str:
    """The plural name of a kind of row."""
    return "labelled completions" if kind == "labelled" else f"{kind}s"
