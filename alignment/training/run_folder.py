"""The run folder of a stage: its manifest, metrics, checkpoints and result, all private to the owner.

manifest.json     what ran on what: written when the run starts ("running") and when it ends ("done", or "failed")
metrics.jsonl     one line per logging step      loss.png   the same as a picture
trained_tokens.txt    three rows as the model sees them, what is trained marked
checkpoints/      complete ones only             adapter/ or model/     the result
trackers/         what trackers such as TensorBoard wrote

A number that is not finite is the text "nan", "inf" or "-inf" in these files, because JSON has no such numbers.

When several processes train together, process 0 alone writes here; the others hold a copy of the manifest.
"""

import importlib.metadata
import json
import os
import platform
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, fields, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from alignment.training import checkpoints, processes
from data.errors import BadInput
from data.home import make_private, private_dir, write_atomic
from data.manifests import Damaged, Manifest, plain
from data.unfinished import remove_unfinished, unfinished_folder

# The libraries whose versions decide the result of a run or a round.
_LIBRARIES = (
    "accelerate", "datasets", "peft", "tokenizers", "torch", "transformers", "trl", "numpy", "xllamacpp", "gguf"
)  # fmt: skip

# What a run that came to nothing may have left besides its checkpoints.
_WRITTEN = ("metrics.jsonl", "trained_tokens.txt", "samples.jsonl", "loss.png")
# Settings that may differ between a run and its resumption without changing the result; logging_... may too.
_FREE = {
    "output_dir", "save_steps", "save_strategy", "save_total_limit", "allow_download", "report_to", "run_name",
    "project", "trackio_space_id", "log_level", "log_level_replica", "log_on_each_node", "disable_tqdm",
    "per_device_eval_batch_size", "eval_accumulation_steps", "dataloader_num_workers", "dataloader_pin_memory",
    "dataloader_persistent_workers", "dataloader_prefetch_factor", "ddp_timeout",
}  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class RunManifest(Manifest):
    """What a run trained, on which data, and what it measured.

    `recipe` holds the settings that were given, `data` the hashes and counts of its rows, `figures` what was measured
    (losses, seconds, tokens and the stage's own). A run is resumed only with the same settings, data, base and
    seed. `failure` says why a run failed. Facts of single stages are in `more`.
    """

    stage: str = ""
    recipe: dict[str, Any] = field(default_factory=dict)
    data: dict[str, Any] = field(default_factory=dict)
    base: str | None = None
    base_sha256: str | None = None
    adapter_sha256: str | None = None
    tokenizer_sha256: str | None = None
    template_sha256: str | None = None
    seed: int | None = None
    processes: int = 1
    status: str = "running"
    failure: str | None = None
    started_at: str = ""
    finished_at: str | None = None
    versions: dict[str, str] = field(default_factory=dict)
    machine: dict[str, Any] = field(default_factory=dict)
    precision: str | None = None
    figures: dict[str, Any] = field(default_factory=dict)
    result: str | None = None

    def noted(self, facts: dict[str, Any]) -> "RunManifest":
        """The manifest with more facts."""
        names = {each.name for each in fields(self)} - {"more"}
        known = {name: fact for name, fact in facts.items() if name in names}
        more = {name: fact for name, fact in facts.items() if name not in names}
        return replace(self, **known, more={**self.more, **more})


@dataclass
class RunFolder:
    """An open run. `manifest` is what `manifest.json` holds; `writes`: whether this process writes the files."""

    path: Path
    manifest: RunManifest
    writes: bool = True

    @property
    def done(self) -> bool:
        """Whether the same run was completed here before."""
        return self.manifest.status == "done"

    @property
    def checkpoints(self) -> Path:
        """Where the trainer puts its checkpoints."""
        return self.path / "checkpoints"

    @property
    def trackers(self) -> Path:
        """Where trackers that write files put them."""
        return self.path / "trackers"

    def last_checkpoint(self) -> Path | None:
        """The newest complete checkpoint."""
        return next(iter(checkpoints.numbered(self.checkpoints)), None)

    def note(self, **facts: Any) -> None:
        """Add facts to the manifest and write it."""
        self.manifest = self.manifest.noted(facts)
        if self.writes:
            self.manifest.save(self.path / "manifest.json")

    def note_figures(self, **figures: Any) -> None:
        """Add to the manifest's figures and write it."""
        self.note(figures={**self.manifest.figures, **figures})

    def finish(self, name: str, save: Callable[[Path], None], **figures: Any) -> Path:
        """Put the result in place under `name` in one step, mark the run as done, and drop its checkpoints.

        Only the process that writes calls `save`; weights of all processes must be gathered before.
        """
        target = self.path / name
        with processes.together():
            if self.writes:
                with unfinished_folder(target) as staging:
                    save(staging)
                    make_private(staging)
                    shutil.rmtree(target, ignore_errors=True)
                    staging.rename(target)
            measured = {**self.manifest.figures, **figures}
            self.note(figures=measured, status="done", finished_at=_now(), result=name)
            if self.writes:
                self._keep_trackers()
                shutil.rmtree(self.checkpoints, ignore_errors=True)
        return target

    def _keep_trackers(self) -> None:
        """Keep what trackers wrote beside the checkpoints, which they take for the run's folder."""
        for path in self.checkpoints.iterdir() if self.checkpoints.is_dir() else ():
            ours = path.name.startswith((".", "checkpoint-")) or path.suffix == ".arrow"
            if not ours and not (self.trackers / path.name).exists():
                path.rename(private_dir(self.trackers) / path.name)

    def metrics(self) -> list[dict[str, Any]]:
        """What was logged so far, oldest first, without a last line that is incomplete.

        A kill leaves such a line, and other processes of the job read while process 0 writes.
        """
        path = self.path / "metrics.jsonl"
        found: list[dict[str, Any]] = []
        for line in path.read_text(encoding="utf-8").splitlines() if path.exists() else []:
            try:
                found.append(json.loads(line))
            except json.JSONDecodeError:
                break
        return found

    def log(self, entry: dict[str, Any]) -> None:
        """Append one line of metrics."""
        if not self.writes:
            return
        descriptor = os.open(self.path / "metrics.jsonl", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        with os.fdopen(descriptor, "a", encoding="utf-8") as file:
            file.write(json.dumps(plain(entry), allow_nan=False) + "\n")

    def forget_metrics_after(self, step: int) -> None:
        """Drop what was logged after the checkpoint from which a resumed run starts."""
        path = self.path / "metrics.jsonl"
        if self.writes and path.exists():
            kept = [entry for entry in self.metrics() if entry["step"] <= step]
            write_atomic(path, "".join(json.dumps(entry, allow_nan=False) + "\n" for entry in kept))


@contextmanager
def open_run(path: Path, stage: str, given: dict[str, Any], facts: dict[str, Any]) -> Iterator[RunFolder]:
    """Open a run folder: a new one, or one to resume because settings and data are the same.

    `given` are the settings, `facts` what else decides the result (hashes of data and base). Raises `BadInput` when
    the folder holds something else, and when another process uses it. All processes of one job open it;
    process 0 holds the lock for all. A run that ended before its first step is replaced: it holds nothing.
    """
    identity = {"stage": stage, "recipe": _fixed(given), **facts}
    identity = json.loads(json.dumps(identity, default=str))  # as it is read back from the file
    lock = FileLock(path / ".lock", mode=0o600)
    run: RunFolder | None = None
    try:
        with processes.together():
            if processes.is_main():
                _acquire(lock, path)
                run = _open(path, identity)
        manifest = processes.from_main(run.manifest if run else None)
        yield run or RunFolder(path, manifest, writes=False)
    finally:
        lock.release()


def _acquire(lock: FileLock, path: Path) -> None:
    private_dir(path)
    remove_unfinished(path)
    try:
        lock.acquire(blocking=False)
    except Timeout:
        raise BadInput(f"Another process is training in {path}. Wait for it, or name another --output_dir.") from None


def _open(path: Path, identity: dict[str, Any]) -> RunFolder:
    old = path / "manifest.json"
    if old.exists():
        try:
            manifest = RunManifest.load(old)
        except Damaged as error:
            raise BadInput(f"{error} Name another --output_dir, or remove that folder.") from error
        there = RunFolder(path, manifest)
        others = _changed(manifest, identity)
        if not others:
            return there
        if not _empty(there):
            raise BadInput(
                f"{path} holds another run (another {', '.join(others)}). "
                "Name another --output_dir, or remove that folder."
            )
        for name in _WRITTEN:
            (path / name).unlink(missing_ok=True)
        shutil.rmtree(there.checkpoints, ignore_errors=True)
    elif any(entry.name != ".lock" for entry in path.iterdir()):
        raise BadInput(f"{path} is not empty and holds no run of Parley. Name another --output_dir.")
    run = RunFolder(path, RunManifest(started_at=_now(), versions=versions()))
    run.note(**identity)
    return run


def _empty(run: RunFolder) -> bool:
    """Whether a run left nothing to keep: it has no checkpoint, and trained no step or failed in its first ones."""
    if run.done or run.last_checkpoint():
        return False
    return run.manifest.status == "failed" or not any("loss" in entry for entry in run.metrics())


def _changed(manifest: RunManifest, identity: dict[str, Any]) -> list[str]:
    """What decides the result and is not as it was when the run began."""
    there = plain(manifest)
    old, new = (
        {**_fixed(one["recipe"]), **{k: v for k, v in one.items() if k != "recipe"}} for one in (there, identity)
    )
    gone = [name for name in _fixed(there["recipe"]) if name not in new]
    return [name for name in new if old.get(name) != new[name]] + gone


def _fixed(recipe: dict[str, Any]) -> dict[str, Any]:
    """The settings that decide the result."""
    return {key: recipe[key] for key in sorted(recipe) if key not in _FREE and not key.startswith("logging_")}


def versions() -> dict[str, str]:
    """The versions that decide the result of a run or a round: Python's and those of installed libraries."""
    found = {"python": platform.python_version()}
    for name in _LIBRARIES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
