"""A round that is killed anywhere continues where it was, and ends as if it had not been killed."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import alignment.evaluation.verdict
import alignment.rounds.candidate
import alignment.rounds.conclusion
import alignment.rounds.manifest
import alignment.rounds.one_round
import alignment.rounds.report
import alignment.rounds.steps
from data.base_switch import switch
from data.errors import ParleyError
from data.releases import Releases
from tests.alignment.played import Played, collected, rows
from tests.data.two_bases import FERN, add_base

pytestmark = pytest.mark.played


class Killed(BaseException):
    """Stands for a SIGKILL: nothing catches it."""


def before(function: Callable[..., Any], calls: int = 1) -> Callable[..., Any]:
    """The function, killed at the start of its n-th call."""
    left = [calls]

    def wrapped(*arguments: Any, **named: Any) -> Any:
        left[0] -= 1
        if left[0] == 0:
            raise Killed
        return function(*arguments, **named)

    return wrapped


def after(function: Callable[..., Any], calls: int = 1) -> Callable[..., Any]:
    """The function, killed at the end of its n-th call."""
    left = [calls]

    def wrapped(*arguments: Any, **named: Any) -> Any:
        result = function(*arguments, **named)
        left[0] -= 1
        if left[0] == 0:
            raise Killed
        return result

    return wrapped


# name: where, whether before or after that call, which call, and how often a stage and the evaluation may run in all.
POINTS: dict[str, tuple[Any, str, Callable[..., Any], int, int, int]] = {
    "before the snapshot": (alignment.rounds.one_round, "collect_snapshot", before, 1, 2, 1),
    "before the first stage": (alignment.rounds.steps, "launch", before, 1, 2, 1),
    "between two stages": (alignment.rounds.steps, "launch", before, 2, 2, 1),
    "as the last stage ends": (alignment.rounds.steps, "launch", after, 2, 3, 1),
    "before the export": (alignment.rounds.one_round, "export", before, 1, 2, 1),
    "after the export": (alignment.rounds.one_round, "export", after, 1, 2, 1),
    "during the evaluation": (alignment.evaluation.verdict, "compare", before, 1, 2, 1),
    "after the evaluation": (alignment.rounds.one_round, "evaluate_candidate", after, 1, 2, 1),
    "before the release": (alignment.rounds.one_round, "release", before, 1, 2, 1),
    "after the release": (alignment.rounds.one_round, "release", after, 1, 2, 1),
    "between decision and promotion": (Releases, "promote", before, 1, 2, 1),
    "after the promotion": (Releases, "promote", after, 1, 2, 1),
    "before the report": (alignment.rounds.conclusion, "write_report", before, 1, 2, 1),
    "after the report": (alignment.rounds.conclusion, "write_report", after, 1, 2, 1),
    "before the end": (alignment.rounds.manifest.RoundFolder, "end", before, 1, 2, 1),
}


@pytest.mark.parametrize("point", POINTS)
def test_a_round_killed_anywhere_goes_on_and_ends_as_if_it_had_not_been(
    played: Played, monkeypatch: pytest.MonkeyPatch, point: str
) -> None:
    where, name, kill, calls, launches, measured = POINTS[point]
    with monkeypatch.context() as patch:
        patch.setattr(where, name, kill(getattr(where, name), calls))
        with pytest.raises(Killed):
            played.round()
    assert played.round() == 0
    assert played.manifest()["status"] == "promoted"
    assert [release.number for release in Releases(played.home).all()] == [1]
    assert Releases(played.home).champion() == 1
    assert len(played.launches) == launches
    assert len(played.asked) == measured
    assert [path.name for path in (played.home / "rounds").iterdir() if path.is_dir()] == ["0001"]
    assert list(played.manifest()["stages"]) == ["sft", "dpo"]


def kill_at_the_second_stage(played: Played, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(alignment.rounds.steps, "launch", before(alignment.rounds.steps.launch, 2))
        with pytest.raises(Killed):
            played.round()


def test_rows_from_after_a_kill_wait_for_the_next_round(played: Played, monkeypatch: pytest.MonkeyPatch) -> None:
    kill_at_the_second_stage(played, monkeypatch)
    more = [*rows("demonstration", "train", 9)[6:], *rows("preference", "judge", 12)[8:]]
    played.found = collected(more=more)
    for each in played.found.rows:
        each.row.extra["weight"] = 0.5  # people keep rating, so weights change
    assert played.round() == 0
    assert played.stages() == ["sft", "dpo"]
    assert len(played.manifest()["rows"]["demonstration"]) == 6
    assert played.round("--max_preferences", "4") == 0
    assert len(played.manifest(2)["rows"]["demonstration"]) == 9


def test_rows_withdrawn_after_a_kill_are_gone(played: Played, monkeypatch: pytest.MonkeyPatch) -> None:
    kill_at_the_second_stage(played, monkeypatch)
    played.read.clear()
    gone = "demonstration-train-2"
    played.found.rows = [each for each in played.found.rows if each.row.id != gone]
    assert played.round() == 0
    assert played.stages() == ["sft", "sft", "dpo"]
    assert gone not in {each.id for each in played.read["--dataset_name"]}
    assert gone not in played.manifest()["rows"]["demonstration"]


def test_another_plan_after_a_kill_begins_with_all_rows(played: Played, monkeypatch: pytest.MonkeyPatch) -> None:
    kill_at_the_second_stage(played, monkeypatch)
    played.found = collected({"demonstration": 9})
    assert played.round("--max_demonstrations", "3") == 0
    assert played.stages() == ["sft", "sft"]
    assert len(played.manifest()["rows"]["demonstration"]) == 3


def test_a_merged_file_that_a_kill_left_in_the_round_is_the_releases(
    played: Played, monkeypatch: pytest.MonkeyPatch
) -> None:
    def merged(_adapter: Path, _base: str, gguf: Path, **_: Any) -> None:
        (gguf.parent / "merged").mkdir(exist_ok=True)
        (gguf.parent / "merged" / "manifest.json").write_text("{}")

    module = alignment.rounds.candidate
    monkeypatch.setattr(module, "make_wanted", merged)
    with monkeypatch.context() as patch:
        patch.setattr(module, "move_merged", before(module.move_merged))
        with pytest.raises(Killed):
            played.round()
    assert [release.number for release in Releases(played.home).all()] == [1]
    assert played.round() == 0
    assert (Releases(played.home).get(1).path / "merged" / "manifest.json").is_file()
    assert not (played.home / "rounds" / "0001" / "merged").exists()


def test_stages_of_another_plan_are_not_part_of_the_release(played: Played, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(alignment.rounds.one_round, "export", before(alignment.rounds.candidate.export))
        with pytest.raises(Killed):
            played.round()
    assert played.round("--skip_sft") == 0
    assert list(played.manifest()["stages"]) == ["dpo"]
    assert Releases(played.home).get(1).manifest.stages == ("dpo",)


def test_a_champion_promoted_by_hand_meanwhile_is_not_replaced(
    played: Played, monkeypatch: pytest.MonkeyPatch
) -> None:
    played.round()
    played.found = collected({"demonstration": 7})
    with monkeypatch.context() as patch:
        patch.setattr(Releases, "promote", before(Releases.promote))
        with pytest.raises(Killed):
            played.round()
    Releases(played.home).promote(0)
    assert played.round() == 1
    assert Releases(played.home).champion() == 0
    assert "became the champion meanwhile" in played.manifest(2)["reason"]


def test_a_release_rolled_back_before_the_report_is_not_promoted_again(
    played: Played, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(alignment.rounds.conclusion, "write_report", before(alignment.rounds.report.write_report))
        with pytest.raises(Killed):
            played.round()
    assert Releases(played.home).champion() == 1
    Releases(played.home).rollback()
    assert played.round() == 1
    assert Releases(played.home).champion() == 0
    assert "promoted and replaced" in played.manifest()["reason"]


def test_a_new_round_begins_with_the_trial_and_a_resumed_one_does_not(
    played: Played, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun: list[str] = []
    monkeypatch.setattr(alignment.rounds.one_round, "decide_trial", lambda *given: begun.append(given[2]))
    kill_at_the_second_stage(played, monkeypatch)
    assert begun == ["none"]
    assert played.round() == 0
    assert begun == ["none"]


def test_a_round_that_was_stopped_asks_about_the_trial_again(played: Played, monkeypatch: pytest.MonkeyPatch) -> None:
    """People may have compared enough by now: a stage that fails each night must not keep a trial open."""
    begun: list[str] = []
    monkeypatch.setattr(alignment.rounds.one_round, "decide_trial", lambda *given: begun.append(given[2]))
    with monkeypatch.context() as patch:
        patch.setattr(alignment.rounds.steps, "launch", lambda *_: 2)
        for _ in range(2):
            with pytest.raises(ParleyError, match="The stage sft of round 1 stopped"):
                played.round()
    assert played.manifest()["status"] == "stopped"
    assert played.round() == 0
    assert begun == ["none"] * 3


def test_a_candidate_is_not_promoted_after_the_home_got_another_base(
    played: Played, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(Releases, "promote", before(Releases.promote, 1))
        with pytest.raises(Killed):
            played.round()
    monkeypatch.setenv("PARLEY_BASES", str(tmp_path / "bases"))
    add_base(tmp_path / "bases", "fern", FERN)
    switch("fern", say=lambda _: None)
    assert played.round() == 1
    assert (Releases(played.home).champion(), Releases(played.home).candidate()) == (0, None)
    assert "belongs to the base model smollm2-135m" in played.manifest()["reason"]
    assert played.round() == 1  # the next round begins from the new base
    assert played.flag(played.launches[-2], "--model_name_or_path") == "fern"
    assert played.manifest(2)["parents"]["base"] == "fern"


def test_a_round_of_ppo_goes_on_with_its_reward_model_and_its_start(
    played: Played, monkeypatch: pytest.MonkeyPatch
) -> None:
    played.found = collected({"preference": 8, "prompt": 5})
    assert played.round("--algorithm", "ppo") == 0
    played.launches.clear()
    played.found = collected({"preference": 10, "labelled": 40, "prompt": 5})
    with monkeypatch.context() as patch:
        patch.setattr(alignment.rounds.steps, "launch", before(played.launch, 2))
        with pytest.raises(Killed):
            played.round("--algorithm", "ppo", "--from", "champion")
    assert played.stages() == ["reward"]
    assert played.round("--algorithm", "ppo", "--from", "champion") == 0
    assert played.stages() == ["reward", "ppo"]
    reward, policy = played.launches
    assert played.flag(reward, "--heads") == "3"
    assert played.flag(reward, "--thumbs_name").endswith("reward-thumbs.jsonl")
    assert played.flag(policy, "--model_name_or_path").endswith("releases/0001/adapter")
    assert played.manifest(2)["used"] == {"preference": 10, "labelled": 40, "prompt": 55}
