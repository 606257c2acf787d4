"""An operator may pause rounds: then none begins, unless it is told to run all the same."""

from pathlib import Path

import pytest

import alignment.round
import alignment.rounds.report
from alignment.rounds.plan import read_plan
from data.errors import NothingToDo, run
from data.pausing import pause, pause_path, resume
from data.releases import Releases
from tests.alignment.played import Played, play


@pytest.fixture
def played(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Played:
    monkeypatch.setattr(alignment.rounds.report, "page", lambda *_: "<p>a page</p>")
    return play(tmp_path / "home", monkeypatch)


def test_a_paused_round_does_not_begin_and_says_who_can_resume_and_how(
    played: Played, capsys: pytest.CaptureFixture[str]
) -> None:
    pause(played.home)
    with pytest.raises(NothingToDo):
        played.round()
    with pytest.raises(SystemExit) as ended:
        run(played.round)
    assert ended.value.code == 1
    said = capsys.readouterr().err
    assert said.startswith("parley: An operator paused rounds on 20")
    for way in ("/release resume", str(pause_path(played.home)), "--even_if_paused"):
        assert way in said
    assert not (played.home / "rounds").exists()
    assert played.launches == []
    resume(played.home)
    assert played.round() == 0


def test_one_round_may_run_all_the_same_and_says_so(played: Played, capsys: pytest.CaptureFixture[str]) -> None:
    pause(played.home)
    assert played.round("--even_if_paused") == 0
    assert "this one runs all the same, because of --even_if_paused" in capsys.readouterr().out
    assert Releases(played.home).champion() == 1
    assert pause_path(played.home).exists()


def test_whether_it_was_told_to_run_all_the_same_makes_no_other_plan() -> None:
    assert read_plan(["--even_if_paused"]).facts() == read_plan([]).facts()
