"""What a stage shows and keeps while it trains: a bar with the loss on the screen, lines in `metrics.jsonl`."""

# ruff: noqa: ARG002  # transformers passes more than is needed

import time
from collections.abc import Callable
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from transformers import TrainerCallback

from alignment.training.run_folder import RunFolder

_LINES = 10  # lines of progress where the output is not a terminal


class Recorder(TrainerCallback):  # type: ignore[misc]  # transformers has no types
    """Shows progress and records metrics."""

    def __init__(self, run: RunFolder, console: Console, stage: str) -> None:
        self.run, self.console, self.stage = run, console, stage
        self.loss: float | None = None
        self.progress: Progress | None = None
        self.task: Any = None
        self.shown = -1

    def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Start the bar (a terminal) or print the number of steps (a pipe)."""
        if not state.is_world_process_zero:
            return
        if not self.console.is_terminal:
            self.console.print(f"{self.stage}: {state.max_steps} steps")
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
        loss = float(logs["loss"])
        self.loss = loss if self.loss is None else 0.7 * self.loss + 0.3 * loss
        if self.progress:
            self.progress.update(self.task, loss=f"{self.loss:.3f}")
        elif (part := state.global_step * _LINES // max(state.max_steps, 1)) > self.shown:
            self.shown = part
            self.console.print(f"{self.stage}: step {state.global_step}/{state.max_steps}, loss {self.loss:.3f}")

    def on_train_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Stop the bar."""
        self.close()

    def close(self) -> None:
        """Leave the terminal clean, after an error too."""
        if self.progress:
            self.progress.stop()
            self.progress = None


class Before(TrainerCallback):  # type: ignore[misc]  # transformers has no types
    """Keeps the held-out metrics of the evaluation before the first step, and the time of its end.

    That evaluation is part of the trainer's own loop: a model that is evaluated before it is prepared for training
    counts as prepared, and several processes would then silently train a model each.
    """

    def __init__(self, keep: Callable[[dict[str, Any]], None]) -> None:
        self.keep = keep
        self.over = time.monotonic()

    def on_evaluate(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Keep the metrics of step 0."""
        if state.global_step == 0:
            self.keep(dict(kwargs["metrics"]))
            self.over = time.monotonic()
