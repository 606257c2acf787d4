"""Which rounds and releases learnt from whom, by the ids of rows that rounds' manifests hold.

Ids are keyed hashes, so a manifest names nobody. The ids of a person's rows are computed from what the store holds of
them (`data.row_ids`). When they leave, the ids stay as tombstones without a link to them: a release is then known to
have learnt from somebody who left, but not from whom.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from data.errors import BadInput
from data.manifests import Manifest
from data.releases import BASE_RELEASE, Releases
from data.rounds import Decision
from data.rows import KINDS
from data.taught import Taught

_JUDGES = ("preference, judge_train", "tie, judge_train")


@dataclass(frozen=True, kw_only=True)
class TrainedRound(Manifest):
    """What a round's manifest says about where its release comes from; see `alignment.rounds.manifest`."""

    number: int = 0
    status: str = ""
    rows: dict[str, list[str]] = field(default_factory=dict)
    used: dict[str, int] = field(default_factory=dict)
    raters: list[str] = field(default_factory=list)
    taught: Taught | None = None  # rounds of earlier versions do not say
    decision: Decision | None = None

    @property
    def release(self) -> int | None:
        """The release that it made; None before it made one."""
        return self.decision.release if self.decision else None

    def trained(self, ids: Collection[str]) -> int:
        """How many rows with these ids trained the release."""
        return self._count([kind for kind in KINDS if self.used.get(kind) or not self.used], ids)

    def judged(self, ids: Collection[str]) -> int:
        """How many rows with these ids trained the judge, which helps to decide and answers nobody."""
        return self._count(_JUDGES, ids)

    def _count(self, uses: Collection[str], ids: Collection[str]) -> int:
        return len({row for use in uses for row in self.rows.get(use, ()) if row in ids})


@dataclass(frozen=True, slots=True)
class Learnt:
    """What a round learnt from some rows: how many trained its release and its judge.

    `rated`: the person was among the raters of the rows that trained it. `continues` are the releases that its
    release continues and that learnt from these rows, nearest first.
    """

    round: int
    release: int | None
    trained: int
    judged: int
    rated: bool
    continues: tuple[int, ...]


def trained_rounds(home: Path) -> list[TrainedRound]:
    """The rounds that began to train, oldest first. Rounds with a damaged manifest are left out."""
    found = []
    for path in sorted((home / "rounds").glob("*/manifest.json")):
        try:
            found.append(TrainedRound.load(path))
        except (OSError, BadInput):
            continue
    return [each for each in found if each.rows]


def starts(home: Path) -> dict[int, int]:
    """For each release the one that it continues; 0 is the base."""
    return {release.number: release.manifest.start for release in Releases(home).all()}


def learnt_from(
    rounds: Sequence[TrainedRound], continued: Mapping[int, int], ids: Collection[str], rater: str | None = None
) -> list[Learnt]:
    """The rounds that learnt from rows with these ids, or continued a release that did; oldest first.

    `continued` says which release each release continues (see `starts`). With `rater`, a pseudonym, the rounds whose
    rows this person rated are among them.
    """
    ids = frozenset(ids)
    made = {each.release: each.trained(ids) for each in rounds if each.release is not None}
    found = []
    for each in rounds:
        before = tuple(number for number in _before(each.release, continued) if made.get(number))
        learnt = Learnt(each.number, each.release, each.trained(ids), each.judged(ids), rater in each.raters, before)
        if learnt.trained or learnt.judged or learnt.rated or before:
            found.append(learnt)
    return found


def releases_with(home: Path, ids: Collection[str]) -> list[int]:
    """The releases that learnt from rows with these ids, by themselves or by continuing another; in order."""
    found = learnt_from(trained_rounds(home), starts(home), ids) if ids else []
    return sorted(each.release for each in found if each.release is not None and (each.trained or each.continues))


def _before(release: int | None, continued: Mapping[int, int]) -> list[int]:
    found: list[int] = []
    while release is not None and (release := continued.get(release, BASE_RELEASE)) != BASE_RELEASE:
        if release in found:
            break
        found.append(release)
    return found
