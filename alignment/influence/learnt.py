"""What a release learnt from: the stages that made it and the releases that it continues, with their rows.

A round's manifest holds the ids of its rows, and the store the rows themselves: a round removes its own copies. So a
text that was erased since, or may not be used any more, is not here either.
"""

from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from alignment.models import ADAPTER_WEIGHTS
from alignment.rounds.manifest import RoundManifest
from alignment.rounds.quick import over_nothing
from alignment.rows.mixing import weight_of
from data.collected import Collected, FeedbackRow
from data.errors import BadInput, NothingToDo
from data.releases import BASE_RELEASE, Release, Releases
from data.row import Row

# The stages that learn from texts, and from which kinds of rows. `edits` is the stage of a quick round.
STAGES: dict[str, tuple[str, ...]] = {
    "sft": ("demonstration",),
    "dpo": ("preference",),
    "kto": ("labelled",),
    "edits": ("preference", "demonstration"),
}
# A row's kind and id: rows of different kinds may have the same id.
Key = tuple[str, str]
_KEPT = ("beta", "demonstration_weight", "kept_weight")
# The settings of a stage's loss that `alignment.influence.gradients` knows one value of, with that value.
_KNOWN: dict[str, dict[str, tuple[Any, ...]]] = {
    "sft": {"loss_type": ("nll",)},
    "dpo": {
        "loss_type": ("sigmoid", ["sigmoid"]),
        "label_smoothing": (0,),
        "ld_alpha": (None, 1),
        "f_divergence_type": ("reverse_kl",),
        "use_weighting": (False,),
        "sync_ref_model": (False,),
    },
    "kto": {"loss_type": ("kto",), "sync_ref_model": (False,)},
}


@dataclass(frozen=True, slots=True)
class Stage:
    """A stage of a round, with those of its rows that are here, as it trained them, by what they are in the store.

    `start` is the adapter that it continued (None: a new one), `end` the one that it made. `settings` are those of
    its recipe that its loss needs, `max_length` the tokens of its longest row (None: not known). `weight` is by how
    much all its steps may move a weight for a row that is drawn once an epoch.
    """

    round: int
    release: int
    name: str
    start: Path | None
    end: Path
    rows: Mapping[Key, Row]
    settings: Mapping[str, Any] = field(default_factory=dict)
    max_length: int | None = None
    weight: float = 1.0

    @property
    def loss(self) -> str:
        """The stage whose loss it trains."""
        return "dpo" if self.name == "edits" else self.name


@dataclass(slots=True)
class Learnt:
    """The stages that made a release, in the order in which they ran.

    `feedback` are their rows as the store has them. `missing` counts the rows that are not here: those in which
    somebody had a text erased, and others. `notes` are sentences about what is not known.
    """

    stages: list[Stage] = field(default_factory=list)
    feedback: dict[Key, FeedbackRow] = field(default_factory=dict)
    missing: Counter[str] = field(default_factory=Counter)
    notes: list[str] = field(default_factory=list)


@dataclass(slots=True)
class Owed:
    """What an answer owes to rows; see `alignment.influence.scores`.

    `before` and `after` are its log-likelihood under the base and under the release, in nats; `skipped` counts rows
    that no stage can have trained, since the base does not encode them or they are too long.
    """

    scores: dict[Key, float] = field(default_factory=dict)
    before: float = 0.0
    after: float = 0.0
    skipped: int = 0


ERASED, OTHERS = "erased", "others"  # why a row is missing


def release_of(releases: Releases, number: int) -> Release:
    """The release to ask about. Raises `NothingToDo` for one that learnt from no rows here, `BadInput` without it."""
    if number == BASE_RELEASE:
        raise NothingToDo(
            "This is the base model's answer, and the base model has learnt from nobody here. Ask about an answer of "
            "a release."
        )
    release = releases.get(number)
    releases.refuse_other_base(number)
    if release.manifest.round is None:
        raise NothingToDo(
            f"Release {number} was made by hand (`python -m alignment.release`), so which rows its adapter learnt "
            "from is not known here."
        )
    if not (release.adapter / ADAPTER_WEIGHTS).is_file():
        raise NothingToDo(f"Release {number} is a whole model: only what an adapter learnt can be traced.")
    return release


def learnt(releases: Releases, number: int, collected: Collected, erased: Collection[str]) -> Learnt:
    """What a release and those that it continues learnt from. `erased` are the ids of rows with an erased text."""
    found = Learnt()
    rounds = {each: _round(releases, each, found.notes) for each in reversed(_line(releases, number, found.notes))}
    wanted = {row for manifest in rounds.values() if manifest for row in _keys(manifest)}
    found.feedback = {key: each for each in collected.rows if (key := (each.row.kind, each.row.id)) in wanted}
    for _, gone in wanted - found.feedback.keys():
        found.missing[ERASED if gone in erased else OTHERS] += 1
    for each, manifest in rounds.items():
        if manifest is not None:
            release = releases.get(each)
            start = releases.get(release.manifest.start).adapter if release.manifest.start in rounds else None
            found.stages += _stages(releases, release, manifest, start, found)
    return found


def _line(releases: Releases, number: int, notes: list[str]) -> list[int]:
    """A release and those that it continues, as far as they are here, nearest first."""
    line = [number]
    while (start := releases.get(line[-1]).manifest.start) not in (BASE_RELEASE, *line):
        try:
            line.append(releases.get(start).number)
        except BadInput:
            notes.append(f"Release {start}, which release {line[-1]} continues, is gone.")
            break
    return line


def _round(releases: Releases, number: int, notes: list[str]) -> RoundManifest | None:
    round_ = releases.get(number).manifest.round
    if round_ is None:
        notes.append(f"Release {number} was made by hand, so what it learnt from is not known.")
        return None
    try:
        return RoundManifest.load(releases.home / "rounds" / f"{round_:04d}" / "manifest.json")
    except (OSError, BadInput):
        notes.append(f"The manifest of round {round_}, which made release {number}, is gone or damaged.")
        return None


def _names(manifest: RoundManifest) -> list[str]:
    """The stages of a round, in order."""
    return manifest.steps or [name for name in manifest.stages if name != "judge"]


def _keys(manifest: RoundManifest, *names: str) -> list[Key]:
    """The rows that these stages of a round read; all stages without names."""
    kinds = [kind for name in names or _names(manifest) for kind in STAGES.get(name, ())]
    return [(kind, row) for kind in kinds for row in (manifest.rows or {}).get(kind, ())]


def _stages(
    releases: Releases, release: Release, manifest: RoundManifest, start: Path | None, found: Learnt
) -> Iterator[Stage]:
    """The stages of a round; `start` is the adapter that the first one continued."""
    for name in _names(manifest):
        if name not in STAGES:
            if name != "reward":
                found.notes.append(
                    f"The stage {name} of round {manifest.number} learnt from the scores of a reward model, and not "
                    "from single rows: what it changed is not traced."
                )
            continue
        made = releases.home / "rounds" / f"{manifest.number:04d}" / name / "adapter"
        there = (made / ADAPTER_WEIGHTS).is_file()
        keys = _keys(manifest, name)
        rows = {key: found.feedback[key].row for key in keys if key in found.feedback}
        if name == "edits":
            rows = {key: over_nothing(row) if row.kind == "demonstration" else row for key, row in rows.items()}
        run = manifest.training.get(name)
        recipe = run.recipe if run else {}
        steps = float((run.figures if run else {}).get("steps") or 1)
        if name == "dpo" and recipe.get("online_every"):
            # The model drew the other pairs itself, and those are nobody's ratings.
            steps *= float(recipe.get("offline_share", 1))
            found.notes.append(
                f"The stage dpo of round {manifest.number} drew pairs itself, by the scores of a reward "
                "model: what those changed is not traced."
            )
        found.notes += _other_loss(name, manifest.number, recipe)
        drawn = sum(map(weight_of, rows.values())) / max(len(rows), 1) * len(keys)  # in an epoch
        yield Stage(
            round=manifest.number,
            release=release.number,
            name=name,
            start=start,
            end=made if there else release.adapter,
            rows=rows,
            settings={key: recipe[key] for key in _KEPT if recipe.get(key) is not None},
            max_length=recipe.get("max_length"),
            weight=float(recipe.get("learning_rate") or 1) * steps / (drawn or 1.0),
        )
        start = made if there else start


def _other_loss(name: str, number: int, recipe: Mapping[str, Any]) -> list[str]:
    """A sentence where a stage's loss is not the one whose gradients are taken."""
    known = _KNOWN["dpo" if name == "edits" else name]
    others = [
        f"{key} {_plain(recipe[key])}" for key, values in known.items() if recipe.get(key, values[0]) not in values
    ]
    if not others:
        return []
    return [
        f"The stage {name} of round {number} trained with {', '.join(others)}. The gradients here are those of "
        f"loss_type {known['loss_type'][0]} alone, so the order of its rows is less certain."
    ]


def _plain(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value).lower()
