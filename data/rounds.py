"""The rounds of an installation, as others see them: how they ended, what they left, and whether any may begin."""

import os
import re
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from data.errors import BadInput
from data.home import private_dir, private_file, write_atomic
from data.manifests import Entries, Manifest
from data.seen import Seen
from data.unfinished import remove

DECIDED = ("promoted", "refused")
_ROWS = re.compile(r".*\.jsonl|trained_tokens\.txt|.*\.arrow", re.DOTALL)
# Copies of the database, and what libraries and earlier versions never finished.
_UNFINISHED = re.compile(r".*snapshot\.db.*|tmp[a-z0-9_]{8}|\..+\.[a-z0-9_]{8}", re.DOTALL)
_HALF_A_CHECKPOINT = ".incomplete"
_LATER = ".forgotten"  # in the folder of rounds: rows are to be removed as soon as no round runs
_WHY_PAUSED = (
    "Rounds are paused while this file is here. An operator ends that with /release resume on Discord, or by "
    "removing the file.\n"
)


@dataclass(frozen=True, kw_only=True)
class Decision(Entries):
    """What the gate decided on a round's candidate, and why.

    `release` is the candidate, `champion` the release that it was compared with. `people` says that no measurement
    could decide, `trial` that people are to compare the two.
    """

    release: int
    promote: bool = False
    champion: int | None = None
    people: bool = False
    trial: bool = False
    reasons: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class DecidedRound(Manifest):
    """What a decided round tells later rounds and people. `learns` is what its candidate was made of.

    `trial` is the release that it put on trial, `reason` says why it ended as it did, and `seen` what feedback it has
    seen; rounds of earlier versions do not say that. `created_at` and `ended_at` are its begin and its end (ISO 8601,
    in UTC).
    """

    number: int = 0
    status: str = ""
    learns: dict[str, Any] | None = None
    decision: Decision | None = None
    trial: int | None = None
    reason: str | None = None
    seen: Seen | None = None
    created_at: str | None = None
    ended_at: str | None = None


def decided(folder: Path, *, besides: int | None = None) -> list[DecidedRound]:
    """The decided rounds in a folder but one, newest first. Rounds with a damaged manifest are left out."""
    found = []
    paths = [path for path in folder.glob("*") if path.name.isdecimal() and int(path.name) != besides]
    for path in sorted(paths, key=lambda path: -int(path.name)):
        try:
            round_ = DecidedRound.load(path / "manifest.json")
        except (OSError, BadInput):
            continue
        if round_.status in DECIDED:
            found.append(round_)
    return found


def latest(folder: Path) -> DecidedRound | None:
    """The newest round in a folder, decided or not; None without one. Raises `Damaged` for a damaged manifest.

    A round that was killed before it wrote its manifest counts as running, as `alignment.rounds` takes it.
    """
    number = max((int(path.name) for path in folder.glob("*") if path.name.isdecimal()), default=0)
    if not number:
        return None
    try:
        return DecidedRound.load(folder / f"{number:04d}" / "manifest.json")
    except FileNotFoundError:
        return DecidedRound(number=number, status="running")


def runs(home: Path) -> bool:
    """Whether a round runs now, whoever started it."""
    rounds = home / "rounds"
    if not rounds.is_dir():
        return False
    try:
        with FileLock(rounds / ".lock", timeout=0, mode=0o600):
            return False
    except Timeout:
        return True


def remove_leftovers(home: Path, *, rows: bool = True) -> bool:
    """Remove the files with people's texts that an interrupted round left; False while a round runs.

    Without `rows`, only copies and half files go, and the rows stay with which a round is continued. Otherwise it
    makes them again, without what was forgotten meanwhile. A running round removes its own when it ends; if it is
    stopped or killed, its rows go when its process ends, or at the next call.
    """
    rounds = home / "rounds"
    if not rounds.is_dir():
        return True
    later = rounds / _LATER
    if rows:
        with suppress(OSError):  # a full disk
            private_file(later)  # before the lock: the round that holds it may end at any time
    try:
        with FileLock(rounds / ".lock", timeout=0, mode=0o600):
            rows = rows or later.exists()
            for parent, folders, files in os.walk(rounds):
                for name in files:
                    mine = _UNFINISHED.fullmatch(name) or (rows and _ROWS.fullmatch(name))
                    if mine and name != "metrics.jsonl":
                        Path(parent, name).unlink(missing_ok=True)
                if _HALF_A_CHECKPOINT in folders:
                    remove(Path(parent, _HALF_A_CHECKPOINT))
            later.unlink(missing_ok=True)
    except Timeout:
        return False
    return True


def remove_forgotten(rounds: Path) -> None:
    """Remove the rows that could not be removed while a round ran; called as its process ends."""
    if (rounds / _LATER).exists():
        remove_leftovers(rounds.parent, rows=False)


def holds_texts(name: str) -> bool:
    """Whether a file of this name in a round's folder may hold people's texts."""
    held = _UNFINISHED.fullmatch(name) or _ROWS.fullmatch(name)
    return held is not None and name != "metrics.jsonl"


def pause_path(home: Path) -> Path:
    """The file that pauses rounds while it is there."""
    return home / "rounds.paused"


def paused_since(home: Path) -> datetime | None:
    """The time since which no round may begin; None when rounds may."""
    try:
        return datetime.fromtimestamp(pause_path(home).stat().st_mtime, UTC)
    except FileNotFoundError:
        return None


def pause(home: Path) -> bool:
    """Let no round begin from now on; a running one goes on. False when rounds were paused already."""
    if paused_since(home) is not None:
        return False
    private_dir(home)
    write_atomic(pause_path(home), _WHY_PAUSED)
    return True


def resume(home: Path) -> bool:
    """Let rounds begin again. False when they were not paused."""
    paused = paused_since(home) is not None
    pause_path(home).unlink(missing_ok=True)
    return paused
