"""A round's folder and its manifest, written at every step, so that an interrupted round can continue."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from alignment.evaluation.verdict import Summary
from data.errors import BadInput, ParleyError
from data.home import private_dir
from data.manifests import Damaged, Entries, Manifest
from data.rounds import DecidedRound, Decision, remove_forgotten
from data.seen import Seen
from data.taught import Taught

UNFINISHED = ("running", "stopped")
_PATIENCE = 2.0  # seconds

# The inputs of a stage: hashes of its rows, its recipe and what it started from, by name.
Inputs = dict[str, str]


@dataclass(frozen=True, kw_only=True)
class Parents(Entries):
    """Where a candidate comes from: its base, the champion of its round, the release that it continues (0: none), and
    the releases before that one, nearest first.

    `left` are those among these releases that learnt from people who left since.
    """

    base: str
    champion: int
    start: int
    ancestors: tuple[int, ...] = ()
    left: tuple[int, ...] | None = None


@dataclass(frozen=True, kw_only=True)
class Export(Entries):
    """The adapter as exported: the hashes of both forms, and how far the served one is from PEFT's arithmetic.

    `gguf` is None where `server`, on which it was checked, loads the adapter as it is.
    """

    adapter: str
    gguf: str | None = None
    server: str = "the embedded engine"
    agreement: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class StageRun(Entries):
    """The result of a stage's run: its figures, and how many of its rows it kept and dropped."""

    figures: dict[str, Any] = field(default_factory=dict)
    data: dict[str, Any] = field(default_factory=dict)
    recipe: dict[str, Any] = field(default_factory=dict)
    precision: str | None = None
    machine: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class RoundManifest(Manifest):
    """What a round was asked to do, trained on, measured and decided, as far as it got.

    `plan` is what the command line decides, `learns` what the candidate is made of (with the same again there is
    nothing to learn). `rows` are the ids of all rows that a stage reads, by their use; `raters` are the people whose
    ratings made those that train the release. `counts`, `used` and `dropped` say how many rows there were, `taught`
    what those that were used came from, and `distance` how far it is to each verdict. `steps` are the stages in
    order, `started` and `stages` those that were begun and finished, with their inputs; `training` has their results.
    `promoted` and `trial` are the release that was promoted or put on trial, once it was. `seen` is the feedback that
    was there when the rows were read, for a watch.
    """

    number: int = 0
    status: str = "running"
    created_at: str = ""
    base: str | None = None
    champion: str | None = None
    parents: Parents | None = None
    plan: dict[str, Any] | None = None
    learns: dict[str, Any] | None = None
    seen: Seen | None = None
    rows: dict[str, list[str]] | None = None
    raters: list[str] = field(default_factory=list)
    counts: dict[str, dict[str, int]] = field(default_factory=dict)
    distance: tuple[str, ...] = ()
    used: dict[str, int] = field(default_factory=dict)
    taught: Taught | None = None
    dropped: dict[str, dict[str, int]] = field(default_factory=dict)
    canaries: list[str] = field(default_factory=list)
    steps: list[str] = field(default_factory=list, metadata={"key": "chain"})
    data: dict[str, str] = field(default_factory=dict)
    code: dict[str, Any] | None = None
    versions: dict[str, str] = field(default_factory=dict)
    started: dict[str, Inputs] = field(default_factory=dict)
    stages: dict[str, Inputs] = field(default_factory=dict)
    training: dict[str, StageRun] = field(default_factory=dict)
    export: Export | None = None
    evaluation: Summary | None = None
    decision: Decision | None = None
    promoted: int | None = None
    trial: int | None = None
    reason: str | None = None
    ended_at: str | None = None


class RoundFolder:
    """The folder of an open round, with `manifest.json` in it. `resumed`: whether it was begun before."""

    def __init__(self, path: Path, manifest: RoundManifest, *, resumed: bool) -> None:
        self.path = path
        self.manifest = manifest
        self.resumed = resumed
        self._killed = resumed and manifest.status == "running"

    @classmethod
    @contextmanager
    def open(cls, rounds: Path) -> Iterator["RoundFolder"]:
        """The unfinished round of an installation, or a new one. Only one round runs at a time."""
        private_dir(rounds)
        # Whoever looks whether a round runs (`data.rounds.runs`) holds the lock for a moment.
        lock = FileLock(rounds / ".lock", timeout=_PATIENCE, mode=0o600)
        try:
            lock.acquire()
        except Timeout:
            raise ParleyError(f"Another round is running in {rounds}; wait for it to end.") from None
        try:
            yield cls._latest(rounds)
        finally:
            lock.release()
            remove_forgotten(rounds)

    @classmethod
    def _latest(cls, rounds: Path) -> "RoundFolder":
        last = max((int(path.name) for path in rounds.iterdir() if path.name.isdecimal()), default=0)
        if last and (manifest := _unfinished(rounds / f"{last:04d}" / "manifest.json")) is not None:
            folder = cls(rounds / f"{last:04d}", replace(manifest, number=last), resumed=True)
        else:
            made = RoundManifest(number=last + 1, created_at=datetime.now(UTC).isoformat())
            folder = cls(private_dir(rounds / f"{last + 1:04d}"), made, resumed=False)
        folder.note(status="running")
        return folder

    @property
    def number(self) -> int:
        """The round's number, from 1."""
        return self.manifest.number

    @property
    def pinned(self) -> dict[str, list[str]] | None:
        """The ids of the rows that a killed round began with; None if it is new or was stopped by an error.

        After an error people may correct the rows, so the round reads them again. After a kill it continues with the
        rows that it had.
        """
        return self.manifest.rows if self._killed else None

    def note(self, **entries: Any) -> None:
        """Write entries down, named as the fields of `RoundManifest`; they are on disk when this returns."""
        self.manifest = replace(self.manifest, **entries)
        self.manifest.save(self.path / "manifest.json")

    def start_stage(self, stage: str, inputs: Inputs) -> None:
        """Record that a stage begins. Results of an earlier attempt, and of later stages on it, no longer count."""
        stages = self.manifest.stages
        if stage in stages:
            names = list(stages)
            stages = {name: stages[name] for name in names[: names.index(stage)]}
        self.note(started={**self.manifest.started, stage: inputs}, stages=stages)

    def finish_stage(self, stage: str, inputs: Inputs) -> None:
        """Record that a stage is done."""
        self.note(stages={**self.manifest.stages, stage: inputs})

    def end(self, status: str, reason: str) -> None:
        """Record that the round is over (`promoted`, `refused`) or `stopped`, so that the next call continues it."""
        self.note(status=status, reason=reason, ended_at=datetime.now(UTC).isoformat())

    def remove_rows(self) -> None:
        """Remove people's texts from the round's folder; ids, hashes and figures stay."""
        for pattern in ("*.jsonl", "*/*.jsonl", "*/trained_tokens.txt"):
            for path in self.path.glob(pattern):
                if path.name != "metrics.jsonl":
                    path.unlink()


def _unfinished(path: Path) -> RoundManifest | None:
    """The manifest of a round that is not over; None if it is. Raises `BadInput` for a damaged one."""
    try:
        # If the round is over, only its status counts: an old manifest may hold entries that this version cannot
        # read.
        if DecidedRound.load(path).status not in UNFINISHED:
            return None
        return RoundManifest.load(path)
    except FileNotFoundError:  # killed between the folder and its manifest
        return RoundManifest()
    except Damaged as error:
        raise BadInput(f"{path} is damaged ({error.problem}); move the folder away.") from error
