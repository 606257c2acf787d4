"""Releases whose manifests look like those that rounds write."""

from pathlib import Path
from typing import Any

from data.release_manifest import ReleaseManifest
from data.releases import Release, Releases


def manifest(
    *, promote: bool | None = None, win: tuple[float, float, float] | None = None, **more: Any
) -> ReleaseManifest:
    """A manifest with a verdict; `win` is the mean, low and high. With `promote` None the gate was never asked."""
    figures: dict[str, Any] = {}
    if promote is not None:
        interval = dict(zip(("mean", "low", "high"), win, strict=True)) if win else None
        reason = f"Judged by a test, the answer is {promote}."
        figures = {"verdict": {"promote": promote, "interval": interval, "reasons": [reason]}}
    return ReleaseManifest(base="smollm2-135m", figures=figures, **more)


def release(home: Path, **more: Any) -> Release:
    """Make the next release."""
    return Releases(home).create(lambda _: manifest(**more))
