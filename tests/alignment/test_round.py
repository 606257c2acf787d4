"""A round with played stages: what it chooses, what it keeps when it is killed, what it decides and says."""

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock, Timeout

import alignment.round
import alignment.rounds.candidate
import alignment.rounds.evaluation
import alignment.rounds.manifest
import alignment.rounds.on_trial
import alignment.rounds.report
import alignment.rounds.snapshot
import alignment.rounds.steps
from alignment.evaluation.subjects import planted_canaries, subject
from alignment.evaluation.suites.canaries import COUNT, canaries
from alignment.evaluation.winrate import Outcome
from alignment.rl.watched_pairs import MINIMUM_PAIRS
from alignment.rounds.plan import read_plan
from alignment.rounds.snapshot import Snapshot
from alignment.rounds.steps import JUDGE_PAIRS, MINIMUM_THUMBS, choose, judge_step
from data.errors import BadInput, NothingToDo
from data.home import installation_key
from data.imports import import_rows
from data.releases import Releases
from data.store import Store
from tests.alignment.played import Played, collected, evaluation, play, row, rows


@pytest.fixture
def played(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Played:
    monkeypatch.setattr(alignment.rounds.report, "page", lambda *_: "<p>a page</p>")
    return play(tmp_path / "home", monkeypatch)


def snapshot(**counts: int) -> Snapshot:
    return Snapshot(collected(counts))


def names(algorithm: str, found: Snapshot, **options: Any) -> list[str]:
    return [step.name for step in choose(algorithm, found, **options)[0]]


# -- the stages ---------------------------------------------------------------------------------------------------


def test_the_feedback_says_which_stages_run() -> None:
    enough = 2 * MINIMUM_THUMBS
    assert names("auto", snapshot(demonstration=1)) == ["sft"]
    assert names("auto", snapshot(preference=1)) == ["dpo"]
    assert names("auto", snapshot(labelled=enough)) == ["kto"]
    everything = snapshot(demonstration=1, preference=1, labelled=enough)
    assert names("auto", everything) == ["sft", "dpo", "kto"]
    assert names("auto", everything, skip_sft=True) == ["dpo", "kto"]
    assert names("dpo", everything) == ["sft", "dpo"]
    assert names("kto", everything) == ["sft", "kto"]


@pytest.mark.parametrize("algorithm", ["ppo", "rloo", "grpo"])
def test_reinforcement_learns_a_reward_model_first_and_names_the_algorithm(algorithm: str) -> None:
    steps, _ = choose(algorithm, snapshot(demonstration=2, preference=MINIMUM_PAIRS))
    assert [(step.name, step.module, step.policy) for step in steps] == [
        ("sft", "sft", True),
        ("reward", "reward", False),
        ("ppo", "ppo", True),
    ]
    assert steps[2].needs == "reward"
    assert steps[2].flags == ("--algorithm", algorithm)
    assert {row.kind for row in steps[2].rows} == {"prompt"}
    assert bool(steps[2].pairs) == (algorithm == "ppo")


def test_ppo_is_not_watched_by_fewer_pairs_than_the_watch_takes() -> None:
    steps, notes = choose("ppo", snapshot(demonstration=2, preference=MINIMUM_PAIRS - 1))
    assert not steps[2].pairs
    assert f"not watched: {MINIMUM_PAIRS - 1} held-out pairs are too few" in notes[0]


def test_thumbs_of_one_direction_are_left_out_and_said() -> None:
    up = [each for each in rows("labelled", "train", 60) if each.row.data["label"]]
    found = Snapshot(collected({"preference": 1}, up))
    steps, notes = choose("auto", found)
    assert [step.name for step in steps] == ["dpo"]
    assert "30 labelled completions that people liked and 0 that they did not" in notes[0]
    with pytest.raises(BadInput, match="--algorithm kto: there are 30"):
        choose("kto", found)


def test_what_an_algorithm_lacks_is_said() -> None:
    with pytest.raises(BadInput, match="--algorithm dpo needs preferences"):
        choose("dpo", snapshot(demonstration=3))
    with pytest.raises(BadInput, match="0 preferences and 3 prompts"):
        choose("ppo", snapshot(prompt=3))
    with pytest.raises(NothingToDo, match="nothing to train on"):
        choose("auto", snapshot(prompt=3))
    with pytest.raises(NothingToDo, match=r"not used \(--skip_sft\)"):
        choose("auto", snapshot(demonstration=3), skip_sft=True)


def test_the_judge_learns_from_its_own_fold_when_there_is_enough() -> None:
    assert judge_step(snapshot(preference=JUDGE_PAIRS - 1))[0] is None
    assert str(JUDGE_PAIRS) in judge_step(snapshot(preference=3))[1]
    step, _ = judge_step(snapshot(preference=JUDGE_PAIRS))
    assert step is not None
    assert (step.module, step.policy) == ("reward", False)
    assert all("judge_train" in each.id for each in step.rows)


def test_a_plan_that_cannot_be_is_refused(tmp_path: Path) -> None:
    for flags, problem in (
        (["--max_prompts", "0"], "--max_prompts must be at least 1"),
        (["--eval_prompts", "0"], "--eval_prompts must be at least 1"),
        (["--canaries", "99"], "--canaries must be from 0 to 48"),
        (["--base", "gpt2"], "the embedded engine"),
        (["--dpo_config", str(tmp_path / "no.yaml")], "there is no recipe"),
    ):
        with pytest.raises(BadInput, match=problem):
            read_plan(flags)


# -- the round ----------------------------------------------------------------------------------------------------


def test_a_better_candidate_becomes_the_champion_and_the_manifest_says_how(
    played: Played, capsys: pytest.CaptureFixture[str]
) -> None:
    assert played.round() == 0
    assert Releases(played.home).champion() == 1
    assert played.stages() == ["sft", "dpo"]
    assert played.flag(played.launches[0], "--model_name_or_path") == "smollm2-135m"
    assert played.flag(played.launches[1], "--model_name_or_path").endswith("0001/sft/adapter")
    manifest = played.manifest()
    assert manifest["status"] == "promoted"
    assert manifest["parents"] == {"base": "smollm2-135m", "champion": 0, "start": 0, "ancestors": []}
    assert manifest["counts"]["preference"] == {"train": 8, "judge_train": 8, "judge": 8, "gate": 8}
    assert manifest["used"] == {"demonstration": 6, "preference": 8}
    assert manifest["versions"]["python"]
    assert set(manifest["data"]) == {"demonstration", "preference", "labelled", "prompt"}
    assert manifest["raters"] == ["rater-1"]
    assert "wins 75 %" in manifest["decision"]["reasons"][0]
    assert Releases(played.home).get(1).manifest["figures"]["decisive"] == "people, held-out pairs"
    folder = played.home / "rounds" / "0001"
    assert (folder / "report.html").stat().st_mode & 0o077 == 0
    assert (folder / "evaluation.json").stat().st_mode & 0o077 == 0
    assert [path for path in folder.rglob("*.jsonl") if path.name != "metrics.jsonl"] == []
    words = [path for path in folder.rglob("*") if path.is_file() and b"secret" in path.read_bytes()]
    assert words == []
    assert "secret" not in capsys.readouterr().out


def test_what_is_no_better_or_fell_stays_a_release_and_the_champion_serves_on(
    played: Played, capsys: pytest.CaptureFixture[str]
) -> None:
    played.measured = evaluation(wins=31, losses=29)
    assert played.round() == 1
    assert Releases(played.home).champion() == 0
    assert [release.number for release in Releases(played.home).all()] == [1]
    assert played.manifest()["status"] == "refused"
    assert "python -m alignment.promote 1" in capsys.readouterr().out
    played.found = collected({"demonstration": 7})
    played.measured = evaluation(wins=58, losses=2, fall=0.2)
    assert played.round() == 1
    assert "On the suite Refusal" in played.manifest(2)["reason"]
    assert Releases(played.home).candidate() == 1  # what fell is not tried on people


async def said_something(*_: int) -> list[Outcome]:
    return [Outcome("a prompt", 1.0, 10, 10, "ada")]


def test_what_might_be_better_goes_on_trial_unless_nobody_wants_that(
    played: Played, monkeypatch: pytest.MonkeyPatch
) -> None:
    played.measured = evaluation(wins=31, losses=29)
    assert played.round("--no_trial") == 1
    assert Releases(played.home).candidate() is None
    played.found = collected({"demonstration": 7})
    assert played.round() == 1
    assert Releases(played.home).candidate() == 2
    monkeypatch.setattr(alignment.rounds.on_trial, "live", said_something)
    played.found = collected({"demonstration": 9})
    assert played.round() == 1
    assert Releases(played.home).candidate() == 2  # what people said of it is not lost
    played.found = collected({"demonstration": 8})
    played.measured = evaluation(wins=2, losses=58)  # worse: people are spared that
    assert played.round() == 1
    assert Releases(played.home).candidate() == 2


def test_without_evidence_people_decide_and_are_told_how(played: Played, capsys: pytest.CaptureFixture[str]) -> None:
    played.measured = evaluation(counts=False)
    assert played.round() == 1
    said = " ".join(capsys.readouterr().out.split())
    assert "on trial" in said
    assert "python -m alignment.rollback --trial" in said
    assert "python -m alignment.promote 1" in said
    assert played.manifest()["decision"]["people"] is True
    assert "By pairs the candidate wins some" in played.manifest()["reason"]


def test_no_row_of_the_gate_reaches_a_stage_and_the_judges_rows_reach_the_judge_only(played: Played) -> None:
    played.found = collected({"demonstration": 5, "preference": JUDGE_PAIRS, "labelled": 40, "prompt": 5})
    for algorithm in ("auto", "ppo"):
        played.launches.clear()
        played.read.clear()
        played.trained.clear()
        played.round("--algorithm", algorithm)
        gate = {each.row.id for each in played.found.rows if each.fold == "gate"}
        seen = {each.id for read in played.read.values() for each in read}
        assert seen
        assert not seen & gate
        for launch, trained in zip(played.launches, played.trained, strict=True):
            folds = {name.split("-")[1] for name in trained}
            judge = played.flag(launch, "--output_dir").endswith("judge")
            assert folds == ({"judge_train"} if judge else {"train"})
    assert played.stages() == ["sft", "reward", "ppo", "judge"]
    assert played.asked[-1][2].judge_model.name == "reward"
    assert {each.id.split("-")[1] for each in played.asked[-1][2].prompts} == {"gate"}


async def test_the_gates_fold_of_a_real_store_is_in_no_file_of_a_stage(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PARLEY_HOME", str(tmp_path / "home"))
    store = await Store.open(tmp_path / "home")
    try:
        kinds = ("demonstration", "preference")
        await import_rows(store, [row(kind, f"{n}{n}{n} {kind} {n}" * 5) for kind in kinds for n in range(40)])
    finally:
        await store.close()
    found = Snapshot(await alignment.rounds.snapshot.collect_snapshot(tmp_path))
    gate = {each.id for kind in alignment.rounds.snapshot.KINDS for each in found.collected.of(kind, "gate")}
    gate |= {each.id for each in found.gate("prompt")}
    assert gate
    steps = [*choose("auto", found)[0], *choose("ppo", found)[0], judge_step(found)[0]]
    read = {each.id for step in steps if step for each in (*step.rows, *step.watched, *step.ties)}
    assert len(read) > 20
    assert not read & gate
    assert "snapshot.db" not in [path.name for path in sorted(tmp_path.iterdir())]  # noqa: ASYNC240


def test_secrets_are_planted_where_texts_are_learnt_first_and_asked_for(played: Played) -> None:
    assert played.round("--suites", "leakage") == 0
    made = {each.id for each in played.read["--dataset_name"] if each.extra.get("source") == "canary"}
    assert len(made) == COUNT
    assert set(played.manifest()["canaries"]) == made
    first, second = played.trained
    assert made <= first
    assert not made & second
    assert Releases(played.home).get(1).manifest["canaries"] == COUNT
    (suite,) = played.asked[-1][3].suites
    secrets = canaries(installation_key(played.home), COUNT)
    assert list(suite.items) == secrets == planted_canaries(played.home, subject("1", "smollm2-135m", played.home))
    assert not any(secret.secret in str(played.manifest()) for secret in secrets)


@pytest.mark.parametrize(
    "flags", [("--canaries", "0"), ("--suites", "degenerate"), ("--algorithm", "ppo", "--skip_sft")]
)
def test_where_no_secret_is_planted_nobody_asks_for_one(played: Played, flags: tuple[str, ...]) -> None:
    played.round("--suites", "leakage,degenerate", *flags)
    assert all(each.extra.get("source") != "canary" for each in played.read["--dataset_name"])
    assert [suite.name for suite in played.asked[-1][3].suites] == ["degenerate"]
    assert played.manifest()["canaries"] == []


# -- again, and killed --------------------------------------------------------------------------------------------


def test_with_nothing_new_there_is_no_new_round_and_with_new_rows_there_is(played: Played) -> None:
    assert played.round() == 0
    for _ in range(2):
        with pytest.raises(NothingToDo, match="round 1 trained on these very rows"):
            played.round()
    assert len(played.launches) == 2
    played.found = collected({"demonstration": 7})
    assert played.round() == 0
    assert played.manifest(2)["status"] == "promoted"
    assert played.manifest(2)["parents"]["champion"] == 1
    assert not (played.home / "rounds" / "0003").exists()


def test_rows_that_no_stage_reads_make_no_new_round(played: Played) -> None:
    """On a living server people talk all the time; under DPO neither a question nor a thumb teaches anything."""
    assert played.round("--algorithm", "dpo") == 0
    played.found = collected(more=[*rows("prompt", "train", 3), *rows("labelled", "train", 40)])
    with pytest.raises(NothingToDo, match="round 1 trained on these very rows"):
        played.round("--algorithm", "dpo")


def test_each_refusal_asks_the_next_candidate_for_more(played: Played) -> None:
    played.measured = evaluation(wins=30, losses=30)
    for number in (1, 2, 3):
        played.found = collected({"demonstration": number})
        assert played.round() == 1
        assert played.manifest(number)["evaluation"]["inputs"]["tried"] == number - 1
    played.found = collected({"demonstration": 4})
    played.measured = evaluation(wins=50, losses=10)
    assert played.round() == 0
    played.found = collected({"demonstration": 5})
    assert played.round() == 0
    assert played.manifest(5)["evaluation"]["inputs"]["tried"] == 0  # another champion: the count begins anew


def test_from_champion_continues_its_adapter(played: Played) -> None:
    played.round()
    played.launches.clear()
    played.found = collected({"demonstration": 7})
    assert played.round("--from", "champion") == 0
    assert played.flag(played.launches[0], "--model_name_or_path").endswith("releases/0001/adapter")
    assert played.manifest(2)["parents"] == {"base": "smollm2-135m", "champion": 1, "start": 1, "ancestors": []}
    played.found = collected({"demonstration": 8})
    played.round("--from", "champion")
    assert played.manifest(3)["parents"]["ancestors"] == [1]


class Killed(BaseException):
    """What a SIGKILL is to the code: nothing catches it."""


def before(function: Callable[..., Any], calls: int = 1) -> Callable[..., Any]:
    """The function, killed when it is called for the n-th time."""
    left = [calls]

    def wrapped(*arguments: Any, **named: Any) -> Any:
        left[0] -= 1
        if left[0] == 0:
            raise Killed
        return function(*arguments, **named)

    return wrapped


def after(function: Callable[..., Any], calls: int = 1) -> Callable[..., Any]:
    """The function, killed when its n-th call is done."""
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
    "before the snapshot": (alignment.round, "collect_snapshot", before, 1, 2, 1),
    "before the first stage": (alignment.rounds.steps, "launch", before, 1, 2, 1),
    "between two stages": (alignment.rounds.steps, "launch", before, 2, 2, 1),
    "as the last stage ends": (alignment.rounds.steps, "launch", after, 2, 3, 1),
    "before the export": (alignment.rounds.candidate, "export", before, 1, 2, 1),
    "after the export": (alignment.rounds.candidate, "export", after, 1, 2, 1),
    "during the evaluation": (alignment.rounds.evaluation, "measure", before, 1, 2, 1),
    "after the evaluation": (alignment.rounds.evaluation, "trial", after, 1, 2, 1),
    "before the release": (alignment.rounds.candidate, "release", before, 1, 2, 1),
    "after the release": (alignment.rounds.candidate, "release", after, 1, 2, 1),
    "between decision and promotion": (Releases, "promote", before, 1, 2, 1),
    "after the promotion": (Releases, "promote", after, 1, 2, 1),
    "before the report": (alignment.rounds.report, "write_report", before, 1, 2, 1),
    "after the report": (alignment.rounds.report, "write_report", after, 1, 2, 1),
    "before the end": (alignment.rounds.manifest.Ledger, "end", before, 1, 2, 1),
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


def test_what_came_since_a_kill_waits_for_the_next_round(played: Played, monkeypatch: pytest.MonkeyPatch) -> None:
    kill_at_the_second_stage(played, monkeypatch)
    more = [*rows("demonstration", "train", 9)[6:], *rows("preference", "judge", 12)[8:]]
    played.found = collected(more=more)
    for each in played.found.rows:
        each.row.extra["weight"] = 0.5  # people go on rating, so rows weigh otherwise
    assert played.round() == 0
    assert played.stages() == ["sft", "dpo"]
    assert len(played.manifest()["rows"]["demonstration"]) == 6
    assert played.round("--max_preferences", "4") == 0
    assert len(played.manifest(2)["rows"]["demonstration"]) == 9


def test_what_was_withdrawn_since_a_kill_is_gone(played: Played, monkeypatch: pytest.MonkeyPatch) -> None:
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


def test_stages_of_another_plan_are_no_part_of_the_release(played: Played, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(alignment.rounds.candidate, "export", before(alignment.rounds.candidate.export))
        with pytest.raises(Killed):
            played.round()
    assert played.round("--skip_sft") == 0
    assert list(played.manifest()["stages"]) == ["dpo"]
    assert Releases(played.home).get(1).manifest["stages"] == ["dpo"]


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


def test_what_was_rolled_back_before_the_report_is_not_promoted_again(
    played: Played, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(alignment.rounds.report, "write_report", before(alignment.rounds.report.write_report))
        with pytest.raises(Killed):
            played.round()
    assert Releases(played.home).champion() == 1
    Releases(played.home).rollback()
    assert played.round() == 1
    assert Releases(played.home).champion() == 0
    assert "promoted and replaced" in played.manifest()["reason"]


@pytest.mark.parametrize(
    ("setting", "value"), [("PARLEY_JUDGE_URL", "http://127.0.0.1:9/v1"), ("PARLEY_TEMPERATURE", "hot")]
)
def test_a_setting_that_cannot_be_is_told_before_anything_trains(
    played: Played, monkeypatch: pytest.MonkeyPatch, setting: str, value: str
) -> None:
    monkeypatch.setenv(setting, value)
    with pytest.raises(BadInput, match="PARLEY_"):
        played.round()
    assert played.launches == []


def test_a_stage_ends_with_its_round(tmp_path: Path) -> None:
    """After a kill -9 of the round, a stage that went on alone would hold the folder that the next one wants."""
    module, lock = tmp_path / "stage.py", tmp_path / ".lock"
    module.write_text(
        "import time, filelock\nfrom alignment.training.parent import end_with_parent\nend_with_parent()\n"
        f"with filelock.FileLock({str(lock)!r}):\n    open({str(tmp_path / 'began')!r}, 'w')\n    time.sleep(60)\n"
    )
    code = "import os, sys, subprocess\nfrom alignment.training.parent import PARENT\n" + (
        f"subprocess.run([sys.executable, {str(module)!r}], env={{**os.environ, PARENT: str(os.getpid())}})"
    )
    parent = subprocess.Popen([sys.executable, "-c", code])
    until(lambda: (tmp_path / "began").exists())
    assert not free(lock)
    parent.kill()
    parent.wait()
    until(lambda: free(lock))


def free(lock: Path) -> bool:
    """Whether nobody holds a lock."""
    try:
        with FileLock(lock, timeout=0):
            return True
    except Timeout:
        return False


def until(true: Callable[[], bool], seconds: float = 20) -> None:
    """Wait for something to become true."""
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_a_stage_that_fails_stops_the_round_and_the_next_call_goes_on(
    played: Played, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(alignment.rounds.steps, "launch", lambda *_: 2)
        with pytest.raises(Exception, match="The stage sft of round 1 stopped"):
            played.round()
    assert played.manifest()["status"] == "stopped"
    assert played.round() == 0


def test_a_round_begins_with_the_trial_and_one_that_goes_on_does_not(
    played: Played, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun: list[str] = []
    monkeypatch.setattr(alignment.rounds.on_trial, "decide_trial", lambda *told: begun.append(told[-1]))
    kill_at_the_second_stage(played, monkeypatch)
    assert begun == ["none"]
    assert played.round() == 0
    assert begun == ["none"]
