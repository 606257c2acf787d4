"""For the tests of alignment: torch uses one thread, and no pictures are drawn unless a test looks at them."""

from pathlib import Path
from typing import IO, Any

import pytest


def _uses_torch(item: pytest.Item) -> bool:
    return any(item.get_closest_marker(name) for name in ("tiny", "base"))


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Tiny models gain nothing from threads, and lose much when other processes use the cores."""
    if _uses_torch(item):
        import torch

        torch.set_num_threads(1)


@pytest.fixture
def pictures() -> None:
    """Draw the pictures of a run, for a test that looks at them."""


@pytest.fixture(autouse=True)
def _undrawn(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Drawing takes a fifth of a tiny run or a played round, so a picture is empty without the fixture `pictures`.

    Pictures of runs that a file's tests share are drawn: their fixtures are made before this one.
    """

    def leave_empty(_figure: Any, target: Path | IO[bytes], **_settings: Any) -> None:
        if isinstance(target, Path):
            target.touch()

    draws = _uses_torch(request.node) or request.node.path.parent.name == "rounds"
    if draws and "pictures" not in request.fixturenames:
        monkeypatch.setattr("matplotlib.figure.Figure.savefig", leave_empty)
