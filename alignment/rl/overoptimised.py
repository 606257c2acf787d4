"""The over-optimisation watch: does the reward rise while people's preferences are met less?

Gao et al., "Scaling Laws for Reward Model Overoptimization", 2023: pushed far enough, a policy gains reward and loses
what the reward stood for. Held-out preferences are independent of the reward model: the measure is how much likelier
the
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

from transformers import TrainerCallback

from alignment.intervals import bootstrap
from alignment.training.run_folder import RunFolder

_LEVEL = 0.95


@dataclass(frozen=True, slots=True)
class Reading:
    """One measurement: the step, the mean reward of the rollouts since the last one, each pair's margin.

    A margin is log p(chosen) - log p(rejected) under the policy, each divided by its tokens: otherwise a policy that
    got surer of all text would gain where the better answer is longer. All readings of a run use the same pairs.
    """

    step: int
    reward: float
    margins: tuple[float, ...]

    @property
    def accuracy(self) -> float:
        """The share of pairs whose preferred answer is the likelier one."""
        return sum(margin > 0 for margin in self.margins) / len(self.margins)


def warning(readings: Sequence[Reading]) -> str | None:
    """A sentence when the reward rose and the held-out margins fell, else None.

    The last reading is compared with the earlier one of the best mean margin. The margins fell when the 95 %
    bootstrap interval of their paired change lies wholly below zero; one pair cannot decide it.
    """
    if len(readings) < 2:
        return None
    *earlier, last = readings
    best = max(earlier, key=lambda reading: fmean(reading.margins))
    if last.reward <= best.reward:
        return None
    changes = [after - before for after, before in zip(last.margins, best.margins, strict=True)]
    change = bootstrap(changes, level=_LEVEL)
    if len(changes) < 2 or change.high >= 0:
        return None
    return (
        f"The reward is being over-optimised: from step {best.step} to {last.step} it rose from {best.reward:.3f} to "
        f"{last.reward:.3f}, while the margin of held-out preferences fell by {-change.mean:.3f} nats a token (95 % "
        f"between {-change.high:.3f} and {-change.low:.3f}; right on {best.accuracy:.0%} before, {last.accuracy:.0%} "
        "now). Stop earlier, raise kl_coef or set kl_limit."
    )


class OverOptimisation(TrainerCallback):  # type: ignore[misc]  # transformers has no types
    """Measures every `every` rollouts, starting before the first, and warns at the first bad reading.

    `margins` measures the current policy; `rewards` is each rollout's mean reward so far, growing. Every process
    measures: the model may be split over them.
    """

    def __init__(
        self,
        margins: Callable[[], Sequence[float]],
        rewards: Sequence[float],
        run: RunFolder,
        tell: Callable[[str], None],
        *,
        every: int,
        steps_per_rollout: int,
    ) -> None:
        self.margins, self.rewards, self.run, self.tell = margins, rewards, run, tell
        self.every, self.steps_per_rollout = every, steps_per_rollout
        self.readings: list[Reading] = []
        self.start: tuple[float, ...] | None = None  # before the first step, until its reward is known

    def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:  # noqa: ARG002 - the callback's
        """Restore the readings of an interrupted run, or take the first one."""
        kept = self.run.manifest.figures
        self.readings = [
            Reading(entry["step"], entry["reward"], tuple(entry["margins"]))
            for entry in kept.get("watch", [])
            if entry["step"] <= state.global_step
        ]
        if self.readings:
            return
        self.start = tuple(kept.get("watch_start") or self.margins())
        self.run.note_figures(watch_start=self.start)

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:  # noqa: ARG002 - the callback's
        """Measure if it is due."""
        rollout, within = divmod(int(state.global_step), self.steps_per_rollout)
        if within or rollout % self.every:
            return
        if self.start is not None:
            self.readings.append(Reading(0, self.rewards[0], self.start))
            self.start = None
        # Use the rollouts' numbers, so that a resumed run reports what an uninterrupted one would have.
        before = self.readings[-1].step // self.steps_per_rollout
        reading = Reading(state.global_step, fmean(self.rewards[before:rollout]), tuple(self.margins()))
        self.readings.append(reading)
        self.run.log(
            {"step": reading.step, "watch_accuracy": reading.accuracy, "watch_margin": fmean(reading.margins)}
        )
        self.run.note_figures(
            watch=[{"step": each.step, "reward": each.reward, "margins": each.margins} for each in self.readings]
        )
        if sentence := warning(self.readings):
            if "over_optimised" not in self.run.manifest.figures:
                self.tell(sentence)
            self.run.note_figures(over_optimised=sentence)
