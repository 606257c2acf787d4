"""A quick round: the newest corrections and comparisons, trained in minutes on top of what serves.

It continues the champion, since the base would have to learn everything again, and trains one stage by the loss of
`alignment.training.edits`. What the champion learnt before is replayed along with it, so that new facts do not push
out old ones. A new correction trains even where a whole round might have held it out: people who correct ten answers
expect ten (`data.folds`). What an earlier round held out stays held out.

The gate is short (`SHORT` in `alignment.evaluation.verdict`), so a quick round promotes nothing: its release goes on
trial, and a whole round measures the rest.
"""

from collections.abc import Collection
from dataclasses import dataclass, replace
from pathlib import Path

from alignment.evaluation.suites import SUITES
from alignment.evaluation.verdict import SHORT
from alignment.rounds.lineage import ancestors
from alignment.rounds.snapshot import Snapshot
from alignment.rounds.steps import Step
from data.errors import NothingToDo
from data.lineage import trained_rounds
from data.releases import BASE_RELEASE, Releases
from data.row import Row

KIND = "preference"
# More new rows than these are for a whole round: so many do not fit into minutes on two cores.
MOST_NEW = 60
# Rows that the champion learnt before: so many for each new one, and at least so many.
REPLAYED, LEAST_REPLAYED = 2, 8

_JUDGING = ("judge_train", "judge", "gate")


@dataclass(frozen=True, slots=True)
class Taught:
    """How many rows of a quick round are new, wait for a whole round, are replayed, and are held out for good."""

    new: int
    waiting: int
    replayed: int
    held_out: int

    def sentences(self) -> list[str]:
        """What to say about them."""
        found = [f"A quick round: {_rows(self.new)} to teach, {self.replayed} from before to repeat."]
        if self.waiting:
            found.append(f"{self.waiting} more are new and wait for a whole round, which trains on all of them.")
        if self.held_out:
            found.append(
                f"{self.held_out} new ones are not taught: earlier rounds drew their conversations for judging, and "
                "that stays."
            )
        return found


def learnt(home: Path, champion: int) -> set[str]:
    """The ids of the preferences that a release and those that it continues were trained on."""
    releases = Releases(home)
    line = {champion, *ancestors(releases, champion)} - {BASE_RELEASE}
    made_in = {releases.get(number).manifest.round for number in line}
    rounds = [each for each in trained_rounds(home) if each.number in made_in and each.used.get(KIND)]
    return {row for each in rounds for row in each.rows.get(KIND, ())}


def teach(snapshot: Snapshot, known: Collection[str], champion: str) -> tuple[Snapshot, Taught]:
    """The snapshot with nothing but the rows that a quick round trains on. `known` are those that were learnt before.

    Imported rows are no news: they are replayed like those. Raises `NothingToDo` when there is nothing new.
    """
    new, before = list[str](), list[str]()
    for row in snapshot.training(KIND):
        (new if _is_new(row, known) else before).append(row.id)
    held_out = sum(_is_new(row, known) for fold in _JUDGING for row in snapshot.collected.of(KIND, fold))
    if not new:
        raise NothingToDo(
            f"There is nothing new to teach {champion}: no correction and no comparison that it has not learnt and "
            f"that may be used{f' ({held_out} are held out for judging)' if held_out else ''}. Correct an answer or "
            "compare two, or run a whole round with `python -m alignment.round`."
        )
    taught = new[:MOST_NEW]
    again = before[: max(LEAST_REPLAYED, REPLAYED * len(taught))]
    found = Taught(len(taught), len(new) - len(taught), len(again), held_out)
    return replace(snapshot, pinned={KIND: frozenset([*taught, *again])}), found


def _is_new(row: Row, known: Collection[str]) -> bool:
    return row.extra.get("source") == "feedback" and row.id not in known


def step(snapshot: Snapshot) -> Step:
    """The one stage, on the rows that `teach` picked. Raises `NothingToDo` when all of them were withdrawn since."""
    rows = snapshot.training(KIND)
    if not rows:
        raise NothingToDo("Nothing is left to teach: what this quick round began with was withdrawn.")
    return Step("edits", "dpo", rows)


def not_checked(suites: str) -> str:
    """What a quick round with these suites leaves open, for people who read its decision."""
    left = ", ".join(name for name in SUITES if name not in SHORT)
    parts = f"the suites {left}, a part of the other suites' items, and " if suites == "short" else ""
    return (
        f"This was a quick round. Not checked: {parts}whether people or a judge prefer the new answers. "
        "`python -m alignment.round` trains on everything and checks that too."
    )


def _rows(count: int) -> str:
    return "1 new correction or comparison" if count == 1 else f"{count} new corrections and comparisons"
