from pathlib import Path

import pytest

from alignment.watching import loop
from data.home import private_dir
from data.seen import Seen
from tests.alignment.watching.world import World


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    made = World(private_dir(tmp_path / "home"))
    monkeypatch.setattr(loop, "LOOK", 60.0)  # a played hour of checks takes a third of the time
    seen_of = lambda _, seen: seen.up_to(Seen(ratings=min(seen.ratings, made.ratings), rows=seen.rows))  # noqa: E731 - shorter than a function
    monkeypatch.setattr(loop, "seen_of", seen_of)
    monkeypatch.setattr(loop, "newest", lambda _: Seen(ratings=made.ratings))
    monkeypatch.setattr(loop, "newest_at", lambda *_: Seen(ratings=made.ratings))
    monkeypatch.setattr(loop, "seen_now", lambda *_, **__: Seen(ratings=made.ratings))
    monkeypatch.setattr(loop, "fresh", lambda _, seen, **__: made.ratings - seen.ratings)
    return made
