"""Checkpoints that are whole: a list of their files with sizes and hashes, checked before a run resumes.

A full disk, a copy that broke off or a file that was removed leaves a folder that looks like a checkpoint. torch and
PEFT find that late, with an error of their own, or load other numbers than were saved.
"""

import json
import shutil
from pathlib import Path

from data.home import file_sha256, write_atomic

LIST = "files.json"
# A checkpoint of a Parley without lists needs at least these.
_NEEDED = ("trainer_state.json", "optimizer.pt", "scheduler.pt")


def seal(checkpoint: Path) -> None:
    """Write the list of a checkpoint's files, once all of them are there."""
    found = {
        str(path.relative_to(checkpoint)): {"bytes": path.stat().st_size, "sha256": file_sha256(path)}
        for path in sorted(checkpoint.rglob("*"))
        if path.is_file() and path.name != LIST
    }
    write_atomic(checkpoint / LIST, json.dumps(found, indent=1) + "\n")


def problem(checkpoint: Path) -> str | None:
    """What is wrong with a checkpoint, as a part of a sentence; None if it is whole."""
    try:
        listed = json.loads((checkpoint / LIST).read_text(encoding="utf-8"))
        wanted = {name: (int(facts["bytes"]), str(facts["sha256"])) for name, facts in listed.items()}
    except FileNotFoundError:
        missing = [name for name in _NEEDED if not (checkpoint / name).is_file()]
        # FSDP and DeepSpeed keep the optimizer in folders of their own.
        split = any(path.is_dir() for path in checkpoint.iterdir())
        return f"{missing[0]} is missing" if missing and not split else None
    except (ValueError, KeyError, TypeError, AttributeError):
        return f"{LIST} is damaged"
    for name, (size, sha256) in wanted.items():
        path = checkpoint / name
        if not path.is_file():
            return f"{name} is missing"
        if path.stat().st_size < size:
            return f"{name} is cut off"
        if path.stat().st_size > size or file_sha256(path) != sha256:
            return f"{name} is damaged"
    return None


def numbered(folder: Path) -> list[Path]:
    """The checkpoints in a folder, the newest first; incomplete and damaged ones have other names."""
    found = [path for path in folder.glob("checkpoint-*") if path.is_dir() and path.name[11:].isdecimal()]
    return sorted(found, key=step_of, reverse=True)


def step_of(checkpoint: Path | None) -> int:
    """The step after which a checkpoint was made; 0 without one."""
    return int(checkpoint.name.rpartition("-")[2]) if checkpoint else 0


def set_aside_damaged(folder: Path) -> list[str]:
    """Rename damaged checkpoints that are newer than the last whole one; returns a sentence for each."""
    said = []
    checkpoints = numbered(folder)
    for at, checkpoint in enumerate(checkpoints):
        wrong = problem(checkpoint)
        if wrong is None:
            break
        before = checkpoints[at + 1].name if at + 1 < len(checkpoints) else "the beginning"
        aside = folder / f".damaged-{checkpoint.name}"
        shutil.rmtree(aside, ignore_errors=True)
        checkpoint.rename(aside)
        said.append(f"{checkpoint.name} is damaged ({wrong}): going back to {before}.")
    return said
