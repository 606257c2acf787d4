"""Reports a training trial to the search: its figure, and whether it falls behind the others."""

import math
from collections.abc import Iterable, Sequence
from typing import Any

import optuna
from transformers import TrainerCallback

from alignment.search.ranges import Goal
from data.errors import BadInput

SHARE = 0.25  # of a trial's steps, between two comparisons with the other trials


class Reporter(TrainerCallback):  # type: ignore[misc]  # transformers has no types
    """Reads the search's metric from the trainer, reports it to optuna, and stops a trial that falls behind.

    A held-out metric is compared as it is measured. A metric of training steps depends on the luck of one batch, so
    its mean over each quarter of the steps is compared. `run` is the trial's run folder once it is open; it holds
    what was logged before a kill.
    """

    def __init__(self, trial: optuna.trial.Trial, goal: Goal, run: Any = None) -> None:
        self.trial, self.goal, self.run = trial, goal, run
        self.seen: list[tuple[int, float]] = []  # step, value

    def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:  # noqa: ARG002 - the callback's
        """Take up what was logged before an interruption."""
        if not self.goal.held_out and self.run is not None:
            self.seen = logged(self.run.metrics(), self.goal.logged_as)

    def on_evaluate(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:  # noqa: ARG002 - the callback's
        """Compare by the evaluation on held-out rows that has just ended."""
        if not self.goal.held_out:
            return
        metrics = kwargs["metrics"]
        if (value := metrics.get(self.goal.logged_as)) is None:
            self._unknown(name.removeprefix("eval_") for name in metrics if name.startswith("eval_"))
        self.seen.append((state.global_step, float(value)))
        self._compare(float(value), state)

    def on_log(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:  # noqa: ARG002 - the callback's
        """Compare by the training steps, at the end of each quarter."""
        logs = kwargs.get("logs") or {}
        if self.goal.held_out or "loss" not in logs:
            return
        if (value := logs.get(self.goal.logged_as)) is None:
            if not self.seen:
                self._unknown(logs)
            return  # PPO logs a rollout's figures once for all steps on it
        self.seen.append((state.global_step, float(value)))
        quarter = max(state.max_steps, 1) * SHARE
        if state.global_step // quarter > (state.global_step - 1) // quarter:
            recent = [value for step, value in self.seen if step > state.global_step - quarter]
            self._compare(sum(recent) / len(recent), state)

    def _unknown(self, names: Iterable[str]) -> None:
        raise BadInput(
            f"--search_metric {self.goal.metric}: it is not measured here; what is: {', '.join(sorted(names))}."
        )

    def _compare(self, value: float, state: Any) -> None:
        # Before the first step all trials are alike, and after the last there is nothing to stop. Trials are compared
        # at the same share of their steps, because batch size and epochs change how many steps they have.
        share = state.global_step / max(state.max_steps, 1)
        if not 0 < share < 1 or not math.isfinite(value):
            return
        self.trial.report(value, round(100 * share))
        if self.trial.should_prune():
            raise optuna.TrialPruned

    @property
    def value(self) -> float | None:
        """The trial's figure: the last on held-out rows, else the mean over the last quarter of what was logged.

        A run that was already complete (killed between its end and its record) trains no more; its log has the
        figure.
        """
        if not self.seen and self.run is not None:
            self.seen = logged(self.run.metrics(), self.goal.logged_as)
        values = [value for _, value in self.seen]
        last = values[-1 if self.goal.held_out else -max(1, len(values) // 4) :]
        return sum(last) / len(last) if last else None


def logged(metrics: Sequence[dict[str, Any]], name: str) -> list[tuple[int, float]]:
    """Step and value of a figure in a run's `metrics.jsonl`."""
    return [(int(entry["step"]), float(entry[name])) for entry in metrics if entry.get(name) is not None]
