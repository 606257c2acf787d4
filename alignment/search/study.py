"""What optuna keeps of a search: a journal of its trials that survives a kill at any moment."""

import json
import os
from pathlib import Path
from typing import Any

import optuna
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import FrozenTrial, TrialState

from alignment.search.ranges import Goal

FINISHED = (TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAIL)
# This many trials run to their end before others are compared with their median.
BEFORE_PRUNING = 4
_NAME = "search"


def open_study(journal: Path, goal: Goal) -> optuna.Study:
    """Open the study in a journal file or begin one, and queue a trial that a kill interrupted.

    The caller makes sure that no other process uses it.
    """
    journal.touch(mode=0o600)
    _clean(journal)
    storage = JournalStorage(JournalFileBackend(str(journal)))
    study = optuna.create_study(
        storage=storage,
        study_name=_NAME,
        direction=goal.direction,
        pruner=optuna.pruners.MedianPruner(n_startup_trials=BEFORE_PRUNING),
        load_if_exists=True,
    )
    # A trial marked as running was killed. It is queued under its own number, so it keeps its settings and its
    # checkpoints. optuna's own retry of stale trials would begin a new one, and only after a grace period.
    study_id = storage.get_study_id_from_name(_NAME)
    for trial in study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
        trial_id = storage.get_trial_id_from_study_id_trial_number(study_id, trial.number)
        storage.set_trial_state_values(trial_id, TrialState.WAITING)
    return study


def ask(study: optuna.Study) -> optuna.Trial:
    """The queued trial, else a new one.

    Each draws its settings with a seed of its own, so that an interrupted search goes on with the same draws.
    """
    trial = study.ask()
    study.sampler = optuna.samplers.TPESampler(seed=trial.number, n_startup_trials=BEFORE_PRUNING)
    return trial


def different(study: optuna.Study, name: str, facts: dict[str, Any]) -> list[str]:
    """Keep facts under `name` with the study if it has none there; returns the keys whose values differ now."""
    now = as_json(facts)
    before = study.user_attrs.get(name)
    if before is None:
        study.set_user_attr(name, now)
        return []
    return [key for key in now if before.get(key) != now[key]]


def as_json(value: Any) -> Any:
    """The value as the journal returns it."""
    return json.loads(json.dumps(value, default=str))


def best(study: optuna.Study) -> FrozenTrial | None:
    """The best trial that ran to its end, the earliest of equals; None where none did."""
    done = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
    return study.best_trial if done else None


def _clean(journal: Path) -> None:
    """Remove the remains of an unfinished write: optuna's lock, and a line cut off by a full disk.

    optuna would wait half a minute for the lock, and append to the line, so that it could read neither part.
    """
    journal.with_name(f"{journal.name}.lock").unlink(missing_ok=True)
    content = journal.read_bytes()
    if not content.endswith(b"\n"):
        os.truncate(journal, content.rfind(b"\n") + 1)
