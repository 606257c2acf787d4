"""Rounds that are paused: a file in the installation's folder, so that operators, bots and rounds agree."""

from datetime import UTC, datetime
from pathlib import Path

from data.home import private_dir, write_atomic

_WHY = (
    "Rounds are paused while this file is here. An operator ends that with /release resume on Discord, or by "
    "removing the file.\n"
)


def pause_path(home: Path) -> Path:
    """The file that pauses rounds while it is there."""
    return home / "rounds.paused"


def paused_since(home: Path) -> datetime | None:
    """Since when no round may begin; None when rounds may."""
    try:
        return datetime.fromtimestamp(pause_path(home).stat().st_mtime, UTC)
    except FileNotFoundError:
        return None


def pause(home: Path) -> bool:
    """Let no round begin from now on; one that runs goes on. False when rounds were paused already."""
    if paused_since(home) is not None:
        return False
    private_dir(home)
    write_atomic(pause_path(home), _WHY)
    return True


def resume(home: Path) -> bool:
    """Let rounds begin again. False when they were not paused."""
    paused = paused_since(home) is not None
    pause_path(home).unlink(missing_ok=True)
    return paused
