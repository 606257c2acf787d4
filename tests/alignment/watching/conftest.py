from pathlib import Path

import pytest

from alignment.watching import loop
from alignment.watching.feedback import Mark
from data.home import private_dir
from tests.alignment.watching.world import World


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    made = World(private_dir(tmp_path / "home"))
    monkeypatch.setattr(loop, "LOOK", 60.0)  # a played hour of checks takes a third of the time
    monkeypatch.setattr(loop, "newest", lambda _: Mark(made.ratings, 0))
    monkeypatch.setattr(loop, "newest_at", lambda *_: Mark(made.ratings, 0))
    monkeypatch.setattr(loop, "fresh", lambda _, seen, **__: made.ratings - seen.ratings)
    return made
