"""`python -m alignment.round`: errors before anything trains, a stage that fails, rounds that are paused."""

from pathlib import Path

import pytest

import alignment.rounds.report
import alignment.rounds.steps
from alignment.rounds.plan import read_plan
from data.errors import BadInput, NothingToDo, run
from data.releases import Releases
from data.rounds import pause, pause_path, resume
from tests.alignment.played import Played, play

pytestmark = pytest.mark.played


@pytest.fixture
def played(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Played:
    """A round whose stages, artefacts and evaluation are played; its page is not drawn."""
    monkeypatch.setattr(alignment.rounds.report, "page", lambda *_: "<p>a page</p>")
    return play(tmp_path / "home", monkeypatch)


@pytest.mark.parametrize(
    ("setting", "value"), [("PARLEY_JUDGE_URL", "http://127.0.0.1:9/v1"), ("PARLEY_TEMPERATURE", "hot")]
)
def test_a_bad_setting_is_reported_before_anything_trains(
    played: Played, monkeypatch: pytest.MonkeyPatch, setting: str, value: str
) -> None:
    monkeypatch.setenv(setting, value)
    with pytest.raises(BadInput, match="PARLEY_"):
        played.round()
    assert played.launches == []


def test_a_stage_that_fails_stops_the_round_and_the_next_call_goes_on(
    played: Played, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(alignment.rounds.steps, "launch", lambda *_: 2)
        with pytest.raises(Exception, match="The stage sft of round 1 stopped"):
            played.round()
    assert played.manifest()["status"] == "stopped"
    assert played.round() == 0


def test_a_paused_round_does_not_begin_and_says_who_can_resume_and_how(
    played: Played, capsys: pytest.CaptureFixture[str]
) -> None:
    pause(played.home)
    with pytest.raises(NothingToDo):
        played.round()
    with pytest.raises(SystemExit) as ended:
        run(played.round)
    assert ended.value.code == 1
    printed = capsys.readouterr().err
    assert printed.startswith("parley: An operator paused rounds on 20")
    for way in ("/release resume", str(pause_path(played.home)), "--even_if_paused"):
        assert way in printed
    assert not (played.home / "rounds").exists()
    assert played.launches == []
    resume(played.home)
    assert played.round() == 0


def test_one_round_can_run_despite_a_pause_and_reports_it(played: Played, capsys: pytest.CaptureFixture[str]) -> None:
    pause(played.home)
    assert played.round("--even_if_paused") == 0
    assert "this one runs all the same, because of --even_if_paused" in capsys.readouterr().out
    assert Releases(played.home).champion() == 1
    assert pause_path(played.home).exists()


def test_the_flag_that_ignores_a_pause_does_not_change_the_plan() -> None:
    assert read_plan(["--even_if_paused"]).facts() == read_plan([]).facts()
