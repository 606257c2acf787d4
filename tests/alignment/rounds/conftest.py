from pathlib import Path

import pytest

import alignment.rounds.report
from tests.alignment.played import Played, collected, evaluation, play


@pytest.fixture
def played(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Played:
    """A round whose stages, artefacts and evaluation are played; its page is not drawn."""
    monkeypatch.setattr(alignment.rounds.report, "page", lambda *_: "<p>a page</p>")
    return play(tmp_path / "home", monkeypatch)


@pytest.fixture
def quick(played: Played) -> Played:
    """A played round of three new corrections, in which nobody judges."""
    played.measured, played.found = evaluation(counts=False), collected({"preference": 3})
    return played
