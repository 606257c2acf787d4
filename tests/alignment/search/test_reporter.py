"""Reports of a training trial to its search."""

import optuna
import pytest

from alignment.search.ranges import Goal, goal
from alignment.search.reporter import Reporter
from data.errors import BadInput

pytestmark = pytest.mark.tiny

LOSS = Goal("loss", lower_is_better=True)


class _Trial:
    """Stands for optuna's trial: takes reports, decides when to stop."""

    number = 0

    def __init__(self, prune):
        self.study, self.intermediate_values, self.prune = self, {}, prune
        self.trials = [self]

    def report(self, value, step):
        self.intermediate_values[step] = value

    def should_prune(self):
        return self.prune


class _State:
    def __init__(self, step):
        self.global_step, self.max_steps = step, 20


class _Run:
    """Stands for the run folder of a trial that was interrupted."""

    def __init__(self, rewards):
        self.lines = [{"step": step, "reward": reward} for step, reward in enumerate(rewards, start=1)]

    def metrics(self):
        return [*self.lines, {"step": len(self.lines), "eval_reward": 9.0}]


def test_a_trial_that_falls_behind_is_stopped_but_not_before_or_after_training():
    reporter = Reporter(_Trial(prune=True), LOSS)
    for step in (0, 20):
        reporter.on_evaluate(None, _State(step), None, metrics={"eval_loss": 2.0})
    with pytest.raises(optuna.TrialPruned):
        reporter.on_evaluate(None, _State(5), None, metrics={"eval_loss": 3.0})
    assert reporter.trial.intermediate_values == {25: 3.0}
    with pytest.raises(BadInput, match="what is: accuracy, loss"):
        Reporter(_Trial(prune=False), Goal("rewards/margins", lower_is_better=False)).on_evaluate(
            None, _State(5), None, metrics={"eval_loss": 3.0, "eval_accuracy": 1.0}
        )


def test_where_nothing_is_held_out_the_last_quarter_of_the_steps_counts():
    rewards = [0.0] * 6 + [1.0, 2.0]
    for done in (0, 5):
        reporter = Reporter(_Trial(prune=False), goal("ppo", None), _Run(rewards[:done]))
        reporter.on_train_begin(None, _State(done), None)
        for step, reward in list(enumerate(rewards, start=1))[done:]:
            reporter.on_log(None, _State(step), None, logs={"loss": 0.1, "reward": reward})
        assert reporter.goal.direction == "maximize"
        assert reporter.value == 1.5


def test_one_bad_batch_does_not_stop_a_trial():
    """Figures of training are compared by their mean over a quarter of the steps, not by single values."""
    reporter = Reporter(_Trial(prune=False), goal("ppo", None))
    for step in range(1, 21):
        reporter.on_log(None, _State(step), None, logs={"loss": 0.1, "reward": float(step)})
        reporter.on_log(None, _State(step), None, logs={"loss": 0.1})  # a later step on the same rollout
    assert reporter.trial.intermediate_values == {25: 3.0, 50: 8.0, 75: 13.0}
    with pytest.raises(BadInput, match="what is: loss, reward"):
        Reporter(_Trial(prune=False), Goal("accuracy", lower_is_better=False, held_out=False)).on_log(
            None, _State(1), None, logs={"loss": 0.1, "reward": 1.0}
        )
