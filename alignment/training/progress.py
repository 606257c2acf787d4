"""What a stage shows and keeps while it trains: a bar with the loss on the screen, lines in `metrics.jsonl`."""

# ruff: noqa: ARG002  # transformers passes more than is needed

import math
import time
from collections import deque
from collections.abc import Callable
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from transformers import TrainerCallback

from alignment.training.errors import DIVERGED, Diverged
from alignment.training.run_folder import RunFolder
from alignment.training.schedule import too_few
from data.errors import BadInput

_LINES = 10  # lines of progress where the output is not a terminal
_AVERAGED = 10  # logged losses; the one that is shown is their mean


class ShownLoss:
    """The loss for the screen: the mean of the last logged ones, with how many steps that is."""

    def __init__(self) -> None:
        self.seen: deque[tuple[int, int, float]] = deque(maxlen=_AVERAGED)  # the step, its steps, their mean loss
        self.last = 0

    def add(self, step: int, loss: float) -> str:
        """Take up the mean loss of the steps since the last call; returns the text."""
        self.seen.append((step, max(1, step - self.last), loss))
        self.last = step
        steps = sum(count for _, count, _ in self.seen)
        mean = sum(count * value for _, count, value in self.seen) / steps
        return f"{mean:.3f}" if steps == 1 else f"{mean:.3f} (mean of {steps} steps)"


class Recorder(TrainerCallback):  # type: ignore[misc]  # transformers has no types
    """Shows progress and records metrics.

    `rows` is how many rows there are to train on, `seen` says how many of them a number of steps draws.
    """

    def __init__(
        self, run: RunFolder, console: Console, stage: str, rows: int, seen: Callable[[int], int | None]
    ) -> None:
        self.run, self.console, self.stage = run, console, stage
        self.rows, self.seen = rows, seen
        self.loss = ShownLoss()
        self.progress: Progress | None = None
        self.task: Any = None
        self.shown = -1

    def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Start the bar (a terminal) or print the number of steps (a pipe)."""
        # A resumed run may log and save at other steps than before; the checkpoint's state has the old ones.
        state.compute_steps(args, state.max_steps)
        if not state.is_world_process_zero:
            return
        self.loss.last = state.global_step
        if sentence := too_few(state.max_steps, self.seen(state.max_steps), self.rows):
            self.console.print(sentence, soft_wrap=True)
        if not self.console.is_terminal:
            self.console.print(f"{self.stage}: {state.max_steps} step{'' if state.max_steps == 1 else 's'}")
            return
        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("loss {task.fields[loss]}"),
        )
        self.progress = Progress(*columns, TimeElapsedColumn(), TimeRemainingColumn(), console=self.console)
        self.task = self.progress.add_task(self.stage, total=state.max_steps, completed=state.global_step, loss="...")
        self.progress.start()

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Move the bar."""
        if self.progress:
            self.progress.update(self.task, completed=state.global_step)

    def on_log(self, args: Any, state: Any, control: Any, logs: dict[str, Any] | None = None, **kwargs: Any) -> None:
        """Keep what the trainer logs, and show the loss."""
        if not state.is_world_process_zero or not logs or "train_runtime" in logs:
            return
        self.run.log({"step": state.global_step, **logs})
        if "loss" not in logs:
            return
        shown = self.loss.add(state.global_step, float(logs["loss"]))
        if self.progress:
            self.progress.update(self.task, loss=shown)
        elif (part := state.global_step * _LINES // max(state.max_steps, 1)) > self.shown:
            self.shown = part
            self.console.print(f"{self.stage}: step {state.global_step}/{state.max_steps}, loss {shown}")

    def on_train_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Stop the bar."""
        self.close()

    def close(self) -> None:
        """Leave the terminal clean, after an error too."""
        if self.progress:
            self.progress.stop()
            self.progress = None


class HeldOut(TrainerCallback):  # type: ignore[misc]  # transformers has no types
    """Keeps the held-out metrics of the evaluation before the first step, and the time of its end.

    Ends the stage when a later evaluation is not finite: `Diverged`, or `BadInput` before the first step.

    That evaluation is part of the trainer's own loop: a model that is evaluated before it is prepared for training
    counts as prepared, and several processes would then silently train a model each.
    """

    def __init__(self, keep: Callable[[dict[str, Any]], None]) -> None:
        self.keep = keep
        self.over = time.monotonic()

    def on_evaluate(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Keep the metrics of step 0; check those of every step."""
        check_held_out_figures(kwargs["metrics"], state.global_step)
        if state.global_step == 0:
            self.keep(dict(kwargs["metrics"]))
            self.over = time.monotonic()


def check_held_out_figures(metrics: dict[str, Any], step: int) -> None:
    """Raise `Diverged` (before the first step: `BadInput`) if a figure on held-out rows is not finite."""
    for name in ("loss", "reward", "kl"):
        value = metrics.get(f"eval_{name}")
        if value is None or math.isfinite(value):
            continue
        if step == 0:
            raise BadInput(
                f"The held-out {name} is {value} before the first step: the weights of the base or the adapter are "
                "broken, or the rows cannot be computed in this precision. Try another base, or --bf16 false."
            )
        raise Diverged(f"The held-out {name} is {value} after step {step}: {DIVERGED}")
