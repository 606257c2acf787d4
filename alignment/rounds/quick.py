"""A quick round: the newest corrections and comparisons, trained in minutes on top of what serves.

It continues the champion, since the base would have to learn everything again, and trains one stage by the loss of
`alignment.training.edits`. Some of what the champion learnt before is replayed along with it, drawn anew in each
round, so that new facts do not push out old ones, and so is a shipped answer of each persona and language: on a first
evening there is nothing else.

New corrections train even where a whole round might have held them out: people who correct ten answers expect ten.
There is a limit to that for everybody, in a round and over all rounds (`data.folds`): otherwise an account that
corrects hundreds of answers would leave the conversations of others to judging. What was held out stays held out.

The gate is short (`SHORT` in `alignment.evaluation.verdict`), so a quick round does not promote what it makes: its
release goes on trial. The next round, quick or whole, decides the trial once people have compared enough, by a whole
round's suites (`alignment.rounds.on_trial`).
"""

from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from heapq import nsmallest
from pathlib import Path

from alignment.evaluation.suites import SUITES
from alignment.evaluation.verdict import SHORT
from alignment.rounds.lineage import ancestors
from alignment.rounds.plan import QUICK_KINDS
from alignment.rounds.snapshot import Snapshot
from alignment.rounds.steps import Step
from data.candidates import FEEDBACK, FOLLOWUP
from data.errors import NothingToDo
from data.folds import UNDRAWN
from data.home import keyed_hash
from data.lineage import trained_rounds
from data.personas import SEED
from data.releases import BASE_RELEASE, Releases
from data.row import TOOLS, Row
from data.rows import read_rows
from data.taught import SHIPPED, claim

NOTHING = "…"
# New rows that a quick round trains at most: more do not fit into minutes on two cores, and wait for a whole round.
MOST_NEW = UNDRAWN
# Rows that the champion learnt before and that are repeated: for each new row, and at least.
REPLAYED, LEAST_REPLAYED = 2, 8
# Shipped answers of each persona in each language that a quick round is measured on; the next one is replayed.
MEASURED_ON = 3

_JUDGING = ("judge_train", "judge", "gate")


@dataclass(frozen=True, slots=True)
class Taught:
    """The ids of a quick round's new rows, and how many wait for a whole round, are replayed, and are held out."""

    new: frozenset[str]
    waiting: int
    replayed: int
    held_out: int

    def sentences(self) -> list[str]:
        """What to say about them."""
        found = [f"A quick round: {_rows(len(self.new))} to teach, {self.replayed} from before to repeat."]
        if self.waiting:
            found.append(f"{self.waiting} more are new and wait for a whole round, which trains on all of them.")
        if self.held_out:
            found.append(
                f"{self.held_out} new ones are not taught: their conversations were drawn for judging, and that "
                "stays."
            )
        return found


def learnt(home: Path, champion: int) -> set[str]:
    """The ids of the rows that a release and those that it continues were trained on, of the kinds taught here."""
    releases = Releases(home)
    line = {champion, *ancestors(releases, champion)} - {BASE_RELEASE}
    made_in = {releases.get(number).manifest.round for number in line}
    rounds = [each for each in trained_rounds(home) if each.number in made_in]
    # Rounds of earlier versions do not say what they used of their rows.
    uses = [(each, kind) for each in rounds for kind in QUICK_KINDS if each.used.get(kind) or not each.used]
    return {row for each, kind in uses for row in each.rows.get(kind, ())}


def teach(
    snapshot: Snapshot, known: Collection[str], champion: str, turn: Callable[[Row], str]
) -> tuple[Snapshot, Taught]:
    """The snapshot with nothing but the rows that a quick round trains on. `known` are those that were learnt before.

    Imported rows do not count as new: they are replayed. Of what can be replayed, the rows with the first turns are
    (see `turns`). Raises `NothingToDo` when there is nothing new.
    """
    new, before = list[Row](), list[Row]()
    for row in _teachable(*(snapshot.training(kind) for kind in QUICK_KINDS)):
        (new if _is_new(row, known) else before).append(row)
    judging = (_teachable(*(snapshot.collected.of(kind, fold) for kind in QUICK_KINDS)) for fold in _JUDGING)
    held_out = sum(_is_new(row, known) for rows in judging for row in rows)
    if not new:
        raise NothingToDo(
            f"There is nothing new to teach the champion ({champion}): no correction and no comparison that it has "
            f"not learnt and that may be used{f' ({held_out} are held out for judging)' if held_out else ''}. "
            "Correct an answer or compare two, or run a whole round with `python -m alignment.round`."
        )
    taught = _in_turns(new, snapshot.collected.people("train"))[:MOST_NEW]
    again = nsmallest(max(LEAST_REPLAYED, REPLAYED * len(taught)), before, key=turn)
    ids = {kind: frozenset(row.id for row in (*taught, *again) if row.kind == kind) for kind in QUICK_KINDS}
    found = Taught(frozenset(row.id for row in taught), len(new) - len(taught), len(again), held_out)
    return replace(snapshot, pinned=ids), found


def turns(key: bytes, number: int) -> Callable[[Row], str]:
    """The order in which rows are replayed in the round with this number.

    It is drawn by the installation's key: nobody can write a row that is replayed always, or keeps another one from
    it. Each round draws anew, and a round that is begun again draws the same.
    """
    return lambda row: keyed_hash(key, f"replay {number}", f"{row.kind} {row.id}")


def _teachable(preferences: Sequence[Row], demonstrations: Sequence[Row]) -> Iterator[Row]:
    """The preferences, and the demonstrations that none of them holds as its chosen answer.

    Without those of follow-ups: the loss would imitate an answer of the model itself, and self-distillation forgets
    (arXiv 2607.01763).
    """
    paired = set()
    for row in preferences:
        if row.extra.get("source") == FOLLOWUP:
            continue
        paired.add(claim(row))
        yield row
    for row in demonstrations:
        if claim(row) not in paired:
            yield row


def _is_new(row: Row, known: Collection[str]) -> bool:
    return row.extra.get("source") == FEEDBACK and row.id not in known


def _in_turns(rows: Sequence[Row], people: Mapping[str, Sequence[str]]) -> list[Row]:
    """Everybody's first row, then everybody's second, and so on: nobody who corrects a lot keeps the others waiting.

    `people` are the raters of rows, by the rows' ids. A row of several people comes in the turn of the last of them.
    """
    so_far = Counter[str]()
    turns = []
    for row in rows:
        mine = people.get(row.id, ())
        turns.append(max((so_far[each] for each in mine), default=0))
        so_far.update(mine)
    return [rows[at] for at in sorted(range(len(rows)), key=turns.__getitem__)]


def step(snapshot: Snapshot) -> Step:
    """The one stage, on the rows that `teach` picked. Raises `NothingToDo` when all of them were withdrawn since."""
    rows = [*snapshot.training("preference"), *map(over_nothing, snapshot.training("demonstration"))]
    if not rows:
        raise NothingToDo("Nothing is left to teach: what this quick round began with was withdrawn.")
    return Step("edits", "dpo", [*rows, *_shipped_replay(snapshot)])


def shipped(start: int, stop: int) -> list[Row]:
    """The shipped demonstrations with these places in the files of all personas and languages."""
    return [row for file in sorted(SEED.glob("*/demonstrations.*.jsonl")) for row in read_rows(file)[start:stop]]


def _shipped_replay(snapshot: Snapshot) -> Iterator[Row]:
    """The shipped answers that are replayed, but for those that this home imported and holds out."""
    judging = (row for fold in _JUDGING for row in snapshot.collected.of("demonstration", fold))
    held_out = {claim(row, system=False) for row in judging}
    for row in shipped(MEASURED_ON, MEASURED_ON + 1):
        if claim(row, system=False) not in held_out:
            made = over_nothing(row)
            yield replace(made, extra=dict(made.extra) | {"source": SHIPPED})


def may_have_trained(snapshot: Snapshot, home: Path, champion: int) -> Callable[[Row], bool]:
    """Whether a shipped answer may have trained the champion, what that continues, or this round's candidate.

    It may where this home trains on a row with the same words, or where a row with its id trained one of these
    releases. A copy under another id that was removed since is not known any more.
    """
    kinds = (*QUICK_KINDS, "labelled")
    here = {claim(row, system=False) for kind in kinds for row in snapshot.collected.of(kind, "train")}
    before = learnt(home, champion)
    return lambda row: row.id in before or claim(row, system=False) in here


def over_nothing(row: Row) -> Row:
    """A demonstration as a preference of its answer over one that says nothing.

    A correction has no other pair where the original answer was cut off: nobody saw how it ends.
    """
    nothing = [{"role": "assistant", "content": NOTHING}]
    data = {"prompt": row.messages[:-1], "chosen": row.messages[-1:], "rejected": nothing}
    return Row("preference", data | ({TOOLS: row.tools} if row.tools else {}), row.extra)


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
