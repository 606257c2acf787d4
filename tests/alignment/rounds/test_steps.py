"""The stages of a round: which ones the feedback allows, and that they end with their round."""

import dataclasses
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock, Timeout

from alignment.rl.watched_pairs import MINIMUM_PAIRS
from alignment.rounds.snapshot import Snapshot
from alignment.rounds.steps import HEADS, choose, judge_step
from data.errors import BadInput, NothingToDo
from data.minimums import JUDGE_PAIRS, MINIMUM_THUMBS
from data.rows import Row
from tests.alignment.played import collected, rows


def snapshot(**counts: int) -> Snapshot:
    return Snapshot(collected(counts))


def names(algorithm: str, found: Snapshot, **options: Any) -> list[str]:
    return [step.name for step in choose(algorithm, found, **options)[0]]


def test_the_feedback_decides_which_stages_run() -> None:
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


def test_semi_online_dpo_learns_a_reward_model_first_and_gets_pairs_and_prompts() -> None:
    steps, _ = choose("online-dpo", snapshot(demonstration=2, preference=3))
    assert [(step.name, step.module, step.policy) for step in steps] == [
        ("sft", "sft", True),
        ("reward", "reward", False),
        ("dpo", "dpo", True),
    ]
    assert steps[2].needs == "reward"
    assert {row.kind for row in steps[2].rows} == {"preference"}
    assert {row.kind for row in steps[2].prompts} == {"prompt"}
    assert {row.kind for row in steps[2].learns_from} == {"preference", "prompt"}
    with pytest.raises(BadInput, match="--algorithm online-dpo learns a reward model from preferences first"):
        choose("online-dpo", snapshot(prompt=3))


def test_a_reward_model_learns_from_thumbs_of_both_directions_too() -> None:
    pairs = {"preference": MINIMUM_PAIRS}
    steps, notes = choose("ppo", snapshot(**pairs, labelled=2 * MINIMUM_THUMBS))
    assert len(steps[0].thumbs) == 2 * MINIMUM_THUMBS
    assert steps[0].flags == ("--heads", str(HEADS))
    assert {row.kind for row in steps[0].rows} == {"preference"}
    assert not notes
    steps, notes = choose("ppo", snapshot(**pairs, labelled=2))
    assert not steps[0].thumbs
    assert "does not learn from thumbs: there are 1 labelled completions that people liked" in notes[0]
    steps, notes = choose("ppo", snapshot(**pairs))
    assert not steps[0].thumbs
    assert not notes


def test_what_people_said_of_the_champions_answers_counts_more_for_ppos_reward_model() -> None:
    more = [
        dataclasses.replace(each, row=Row(each.row.kind, each.row.data, {**each.row.extra, "release": at % 2}))
        for at, each in enumerate(rows("preference", "train", 4))
    ]
    found = Snapshot(collected({"prompt": 2}, more))
    for champion, weights in ((0, [1, 1, 1, 1]), (1, [0.6667, 0.6667, 1.333, 1.333])):
        steps, _ = choose("ppo", found, champion=champion)
        assert sorted(row.extra["weight"] for row in steps[0].rows) == weights
    steps, _ = choose("dpo", found, champion=1)
    assert {row.extra["weight"] for row in steps[0].rows} == {1}


def test_ppo_is_not_watched_with_too_few_pairs() -> None:
    steps, notes = choose("ppo", snapshot(demonstration=2, preference=MINIMUM_PAIRS - 1))
    assert not steps[2].pairs
    assert f"not watched: {MINIMUM_PAIRS - 1} held-out pairs are too few" in notes[0]


def test_thumbs_of_one_direction_are_left_out_and_reported() -> None:
    up = [each for each in rows("labelled", "train", 60) if each.row.data["label"]]
    found = Snapshot(collected({"preference": 1}, up))
    steps, notes = choose("auto", found)
    assert [step.name for step in steps] == ["dpo"]
    assert "30 labelled completions that people liked and 0 that they did not" in notes[0]
    with pytest.raises(BadInput, match="--algorithm kto: there are 30"):
        choose("kto", found)


def test_missing_rows_of_an_algorithm_are_reported() -> None:
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


def test_a_stage_ends_with_its_round(tmp_path: Path) -> None:
    """After a kill -9 of the round, a stage that went on alone would hold the folder that the next one needs."""
    module, lock = tmp_path / "stage.py", tmp_path / ".lock"
    module.write_text(
        "import time, filelock\nfrom alignment.training.parent import end_with_parent\nend_with_parent()\n"
        f"with filelock.FileLock({str(lock)!r}):\n    open({str(tmp_path / 'began')!r}, 'w')\n    time.sleep(60)\n"
    )
    code = "import os, sys, subprocess\nfrom data.variables import PARENT\n" + (
        f"subprocess.run([sys.executable, {str(module)!r}], env={{**os.environ, PARENT: str(os.getpid())}})"
    )
    parent = subprocess.Popen([sys.executable, "-c", code])
    until(lambda: (tmp_path / "began").exists())
    assert not free(lock)
    parent.kill()
    parent.wait()
    until(lambda: free(lock))


def free(lock: Path) -> bool:
    """Whether a lock is free."""
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
