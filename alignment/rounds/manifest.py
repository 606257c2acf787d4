"""The manifest of a round, kept on disk at every step, so that an interrupted round knows how far it came."""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from data.errors import BadInput, ParleyError
from data.home import private_dir, write_atomic


def tried(rounds: Sequence[dict[str, Any]], champion: int) -> int:
    """How many candidates were refused by their figures since this champion was promoted, or came back.

    `rounds` are manifests, newest first.
    """
    count = 0
    for entries in rounds:
        decision = entries["decision"]
        if entries["status"] == "promoted" or decision.get("champion") != champion:
            break
        count += not decision.get("people", False)
    return count


class Ledger:
    """One round's folder and its `manifest.json`."""

    def __init__(self, path: Path, entries: dict[str, Any], *, resumed: bool) -> None:
        self.path = path
        self.resumed = resumed
        self._killed = resumed and entries.get("status") == "running"
        self._entries = entries

    @classmethod
    @contextmanager
    def open(cls, folder: Path) -> Iterator["Ledger"]:
        """The unfinished round of an installation, or a new one. Only one round runs at a time."""
        private_dir(folder)
        lock = FileLock(folder / ".lock", timeout=0)
        try:
            lock.acquire()
        except Timeout:
            raise ParleyError(f"Another round is running in {folder}; wait for it to end.") from None
        try:
            yield cls._latest(folder)
        finally:
            lock.release()

    @classmethod
    def _latest(cls, folder: Path) -> "Ledger":
        numbers = sorted(int(path.name) for path in folder.iterdir() if path.name.isdecimal())
        for number in reversed(numbers[-1:]):
            path = folder / f"{number:04d}"
            try:
                entries = json.loads((path / "manifest.json").read_text(encoding="utf-8"))
            except FileNotFoundError:  # killed between the folder and its manifest
                entries = {"number": number, "status": "running"}
            except ValueError as error:
                raise BadInput(f"{path / 'manifest.json'} is damaged ({error}); move the folder away.") from error
            if entries["status"] in ("running", "stopped"):
                ledger = cls(path, entries, resumed=True)
                ledger.note(status="running")
                return ledger
        number = max(numbers, default=0) + 1
        path = private_dir(folder / f"{number:04d}")
        ledger = cls(path, {"number": number, "created_at": datetime.now(UTC).isoformat()}, resumed=False)
        ledger.note(status="running", stages={}, started={})
        return ledger

    @property
    def number(self) -> int:
        """The round's number, from 1."""
        return int(self._entries["number"])

    @property
    def stages(self) -> dict[str, Any]:
        """The finished stages with what went into them, in their order."""
        return dict(self._entries.get("stages", {}))

    @property
    def started(self) -> dict[str, Any]:
        """The stages that were begun with what went into them, finished or not."""
        return dict(self._entries.get("started", {}))

    @property
    def pinned(self) -> dict[str, list[str]] | None:
        """The ids of the rows that a killed round began with; None for one that is new or was stopped by an error.

        After an error people may mend the rows, so it looks at them anew. After a kill it goes on with what it had.
        """
        found: dict[str, list[str]] | None = self._entries.get("rows") if self._killed else None
        return found

    @property
    def evaluation(self) -> dict[str, Any] | None:
        """What was measured of the candidate, with the verdict and what it was measured on."""
        found: dict[str, Any] | None = self._entries.get("evaluation")
        return found

    @property
    def entries(self) -> dict[str, Any]:
        """The whole manifest, to read."""
        return dict(self._entries)

    @property
    def decision(self) -> dict[str, Any] | None:
        """What the gate decided, once it has: the release, whether it is promoted, and the reasons."""
        found: dict[str, Any] | None = self._entries.get("decision")
        return found

    def note(self, **entries: Any) -> None:
        """Write entries down; they are on disk when this returns."""
        self._entries.update(entries)
        text = json.dumps(self._entries, indent=2, ensure_ascii=False)
        write_atomic(self.path / "manifest.json", text + "\n")

    def start_stage(self, stage: str, inputs: dict[str, str]) -> None:
        """A stage begins; what an earlier try of it left counts no more, nor what later stages made of that."""
        stages = self.stages
        if stage in stages:
            names = list(stages)
            stages = {name: stages[name] for name in names[: names.index(stage)]}
        self.note(started={**self.started, stage: inputs}, stages=stages)

    def finish_stage(self, stage: str, inputs: dict[str, str]) -> None:
        """A stage is done."""
        self.note(stages={**self.stages, stage: inputs})

    def end(self, status: str, reason: str) -> None:
        """The round is over (`promoted`, `refused`), or stopped where the next call goes on."""
        self.note(status=status, reason=reason, ended_at=datetime.now(UTC).isoformat())

    def remove_rows(self) -> None:
        """Remove people's words from the round's folder; ids, hashes and figures stay."""
        for pattern in ("*.jsonl", "*/*.jsonl", "*/trained_tokens.txt"):
            for path in self.path.glob(pattern):
                if path.name != "metrics.jsonl":
                    path.unlink()
