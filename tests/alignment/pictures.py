"""Pictures of tests: drawing takes a fifth of a tiny run or a played round, so they are empty unless a test looks."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import pytest
from matplotlib.figure import Figure

_drawn = [True]


@contextmanager
def drawn(wanted: bool = True) -> Iterator[None]:
    """Inside the block, pictures are drawn, or not."""
    _drawn.append(wanted)
    try:
        yield
    finally:
        _drawn.pop()


@contextmanager
def seldom_drawn() -> Iterator[None]:
    """Inside the block, a picture is an empty file, except inside `drawn`."""
    usual = Figure.savefig

    def saved(figure: Figure, target: Path | IO[bytes], **settings: Any) -> None:
        if _drawn[-1]:
            usual(figure, target, **settings)
        elif isinstance(target, Path):
            target.touch()

    with pytest.MonkeyPatch.context() as patch, drawn(False):
        patch.setattr(Figure, "savefig", saved)
        yield
