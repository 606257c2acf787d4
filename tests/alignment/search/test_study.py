"""The record that optuna keeps of a search, after a kill."""

import time
from pathlib import Path

import pytest

from alignment.search.ranges import Goal
from alignment.search.study import ask, best, different, open_study

LOSS = Goal("loss", lower_is_better=True)


@pytest.mark.filterwarnings("ignore::optuna.exceptions.ExperimentalWarning")
def test_a_trial_that_was_killed_is_asked_for_again_under_its_number(tmp_path: Path) -> None:
    journal = tmp_path / "search.journal"
    study = open_study(journal, LOSS)
    study.tell(ask(study), 2.0)
    killed = ask(study)
    drawn = killed.suggest_float("learning_rate", 0, 1)
    killed.report(3.0, 25)
    # It was killed during a write, on a full disk.
    with journal.open("a") as file:
        file.write('{"op_code":')
    journal.with_name("search.journal.lock").symlink_to(journal)

    begun = time.monotonic()
    study = open_study(journal, LOSS)
    assert time.monotonic() - begun < 20  # optuna waits 30 seconds for a lock whose owner is gone
    again = ask(study)
    assert again.number == 1
    assert again.suggest_float("learning_rate", 0, 1) == drawn
    assert study.trials[1].intermediate_values == {25: 3.0}
    study.tell(again, 1.0)
    study = open_study(journal, LOSS)
    assert [trial.value for trial in study.trials] == [2.0, 1.0]
    found = best(study)
    assert found is not None
    assert found.number == 1
    assert journal.stat().st_mode & 0o077 == 0


def test_an_interrupted_search_draws_what_an_uninterrupted_one_draws(tmp_path: Path) -> None:
    def draw(path: Path, *, reopen: bool) -> list[float]:
        study, drawn = open_study(path, LOSS), []
        for _ in range(6):
            trial = ask(study)
            drawn.append(trial.suggest_float("learning_rate", 1e-6, 0.1, log=True))
            study.tell(trial, drawn[-1])
            study = open_study(path, LOSS) if reopen else study
        return drawn

    assert draw(tmp_path / "one", reopen=False) == draw(tmp_path / "other", reopen=True)


def test_facts_are_kept_once_and_what_differs_is_named(tmp_path: Path) -> None:
    study = open_study(tmp_path / "search.journal", LOSS)
    assert best(study) is None
    assert different(study, "facts", {"base": "a", "rows": (1, 2)}) == []
    assert different(study, "facts", {"base": "b", "rows": (1, 2)}) == ["base"]
    assert different(study, "facts", {"base": "a", "rows": (1, 2)}) == []
