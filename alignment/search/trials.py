"""`--search N`: a stage N times over with other settings, the best of them written down as a recipe.

The trials are drawn by a tree-structured Parzen estimator (Bergstra et al., "Algorithms for Hyper-Parameter
Optimization", 2011) as optuna has it, each from a seed of its own, so that a search that was killed goes on as if it
had not been. A trial that is worse at a quarter, a half or three quarters of its way than the median of the earlier
ones were there is stopped. The folder of a search holds

search.journal    optuna's record of all trials    best.yaml     the best recipe: `--config best.yaml`
trials.md, trials.png    the trials                trials/0003/  the best trial's run folder; the others' go
"""

import contextlib
import gc
import json
import math
import shutil
import warnings
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import optuna
from filelock import FileLock, Timeout
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import TrialState
from rich.console import Console
from rich.table import Table
from transformers import TrainerCallback

from alignment.search import report
from alignment.search.ranges import Goal, Range, Value, goal, ranges
from alignment.training import processes
from alignment.training.errors import Diverged
from alignment.training.recipe import as_flag, flag_names, load, split
from alignment.training.stage import OBSERVER, Stage
from data.errors import BadInput, ParleyError
from data.home import private_dir, write_atomic

# Trials that run to their end before others are compared with their median.
BEFORE_PRUNING = 4
_WHEN = 0.25  # the share of a trial between two measurements
_MEASURED = ["--eval_strategy", "steps", "--eval_steps", str(_WHEN)]


class Reporter(TrainerCallback):  # type: ignore[misc]  # transformers has no types
    """Takes the figure that the search is after from the trainer, and stops a trial that falls behind.

    What is measured on held-out rows is compared as it is measured. What training logs is one batch's luck, so its
    mean over each quarter of the way is. `run` is the trial's run folder, which knows what was logged before a kill.
    """

    def __init__(self, trial: Any, goal: Goal, run: Any = None) -> None:
        self.trial, self.goal, self.run = trial, goal, run
        self.seen: list[tuple[int, float]] = []  # step, value

    # What is not read is the callback's.
    def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:  # noqa: ARG002
        """Take up what was logged before an interruption."""
        if not self.goal.held_out and self.run is not None:
            self.seen = logged(self.run.metrics(), self.goal.metric)

    # What is not read is the callback's.
    def on_evaluate(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:  # noqa: ARG002
        """An evaluation on held-out rows is over."""
        if not self.goal.held_out:
            return
        metrics = kwargs["metrics"]
        if (value := metrics.get(f"eval_{self.goal.metric}")) is None:
            self._unknown(name.removeprefix("eval_") for name in metrics if name.startswith("eval_"))
        self.seen.append((state.global_step, float(value)))
        self._compare(float(value), state)

    def on_log(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:  # noqa: ARG002 - the callback's
        """A training step's figures were logged."""
        logs = kwargs.get("logs") or {}
        if self.goal.held_out or "loss" not in logs:
            return
        if (value := logs.get(self.goal.metric)) is None:
            if not self.seen:
                self._unknown(logs)
            return  # PPO logs a rollout's figures once for all steps on it
        self.seen.append((state.global_step, float(value)))
        quarter = max(state.max_steps, 1) * _WHEN
        if state.global_step // quarter > (state.global_step - 1) // quarter:
            recent = [value for step, value in self.seen if step > state.global_step - quarter]
            self._compare(sum(recent) / len(recent), state)

    def _unknown(self, names: Iterable[str]) -> None:
        raise BadInput(
            f"--search_metric {self.goal.metric}: it is not measured here; what is: {', '.join(sorted(names))}."
        )

    def _compare(self, value: float, state: Any) -> None:
        # Before the first step all trials are alike, and after the last there is nothing to stop. Trials are compared
        # at the same share of their way: their steps differ when batch or epochs do.
        share = state.global_step / max(state.max_steps, 1)
        if not 0 < share < 1 or not math.isfinite(value):
            return
        percent = round(100 * share)
        if percent not in self.trial.study.trials[self.trial.number].intermediate_values:
            self.trial.report(value, percent)
        if self.trial.should_prune():
            raise optuna.TrialPruned

    @property
    def value(self) -> float | None:
        """The trial's figure: the last on held-out rows, else the mean over the last quarter of what was logged."""
        values = [value for _, value in self.seen]
        return values[-1] if values and self.goal.held_out else last_quarter(values)


def logged(metrics: Sequence[dict[str, Any]], name: str) -> list[tuple[int, float]]:
    """Step and value of a figure in a run's `metrics.jsonl`."""
    return [(int(entry["step"]), float(entry[name])) for entry in metrics if entry.get(name) is not None]


def last_quarter(values: Sequence[float]) -> float | None:
    """The mean over the last quarter of the values, at least one of them; None of nothing."""
    last = values[-max(1, len(values) // 4) :]
    return sum(last) / len(last) if last else None


@dataclass
class Search:
    """A search that is open: its folder, what it was told, and optuna's study."""

    stage: str
    main: Callable[[Sequence[str]], int]
    folder: Path
    config: Path
    flags: list[str]
    told: set[str]
    ranges: list[Range]
    goal: Goal
    console: Console
    study: Any = field(init=False)

    def open(self, settings: dict[str, Any]) -> None:
        """Open the study of the folder, or begin one. Raises `BadInput` when it is of another search."""
        journal = self.folder / "search.journal"
        known = {".lock", journal.name}
        if not journal.exists() and any(entry.name not in known for entry in self.folder.iterdir()):
            raise BadInput(f"{self.folder} is not empty and holds no search. Name another --output_dir.")
        self.study = optuna.create_study(
            storage=JournalStorage(JournalFileBackend(str(journal))),
            study_name="search",
            direction=self.goal.direction,
            pruner=optuna.pruners.MedianPruner(n_startup_trials=BEFORE_PRUNING),
            load_if_exists=True,
        )
        journal.chmod(0o600)
        identity = {
            "stage": self.stage,
            "recipe": settings,
            "flags": self.flags,
            "ranges": [str(found) for found in self.ranges],
            "metric": self.goal.metric,
        }
        identity = json.loads(json.dumps(identity, default=str))
        before = self.study.user_attrs.get("identity", identity)
        if different := [name for name in identity if before.get(name) != identity[name]]:
            raise BadInput(
                f"{self.folder} holds another search (another {', '.join(different)}). "
                "Name another --output_dir, or remove that folder."
            )
        self.study.set_user_attr("identity", identity)

    def run(self, number: int) -> None:
        """Run trials until there are `number`; one that a kill interrupted goes on first."""
        unfinished = [trial for trial in self.study.trials if not trial.state.is_finished()]
        while (done := sum(trial.state.is_finished() for trial in self.study.trials)) < number:
            self.tidy()
            began = unfinished.pop(0) if unfinished else None
            at = began.number if began else len(self.study.trials)
            # Of its own seed each: a search that was killed draws on as if it had not been.
            self.study.sampler = optuna.samplers.TPESampler(seed=at, n_startup_trials=BEFORE_PRUNING)
            trial = optuna.trial.Trial(self.study, began._trial_id) if began else self.study.ask()
            values = {found.name: found.suggest(trial) for found in self.ranges}
            said = ", ".join(f"{name} {self._short(value)}" for name, value in values.items())
            self.console.print(f"Trial {done + 1} of {number}: {said}")
            self._try(trial, values)
        self.tidy()

    def _try(self, trial: Any, values: dict[str, Value]) -> None:
        import torch

        out = self._trial_folder(trial.number)
        argv = ["--config", str(self.config), *self.flags]
        for name, setting in values.items():
            argv += as_flag(name, setting)
        argv += [*(_MEASURED if self.goal.held_out else []), "--output_dir", str(out)]
        reporter = Reporter(trial, self.goal)
        token = OBSERVER.set(lambda stage: self._check(stage, trial, reporter))
        value: float | None = None
        try:
            (self.folder / "trials.log").touch(mode=0o600)
            with (self.folder / "trials.log").open("a", encoding="utf-8") as log, contextlib.redirect_stdout(log):
                self.main(argv)
            value = self._finished(out) if reporter.value is None else reporter.value
        except optuna.TrialPruned:
            self.study.tell(trial, state=TrialState.PRUNED)
            self.console.print("  stopped early: behind the others")
            return
        except torch.OutOfMemoryError:
            self.console.print("  it did not fit into memory")
        except Diverged:
            self.console.print("  it diverged")
        finally:
            OBSERVER.reset(token)
            gc.collect()
            if torch.cuda.is_available():
                torch.cuda.empty_cache()
        if value is None or not math.isfinite(value):
            self.study.tell(trial, state=TrialState.FAIL)
            self.console.print("  failed")
            return
        trial.set_user_attr("figure", value)
        self.study.tell(trial, value)
        self.console.print(f"  {self.goal.metric} {value:.5g}")

    def _check(self, stage: Stage, trial: Any, reporter: Reporter) -> Reporter:
        """A trial is about to train: the rows must be those of the other trials, some of them held out."""
        if self.goal.held_out and not stage.rows.held_out.examples:
            raise BadInput(
                "A search compares trials by held-out rows, and there are none. Set eval_fraction above 0, or name "
                "some with --eval_dataset_name."
            )
        made = stage.run.manifest
        hashes = {key: getattr(made, key) for key in ("base_sha256", "adapter_sha256", "tokenizer_sha256")}
        facts = {"data": stage.rows.hashes, **hashes}
        if (before := self.study.user_attrs.get("facts", facts)) != facts:
            different = ", ".join(name for name in facts if before.get(name) != facts[name])
            raise BadInput(f"{self.folder}: rows or base are not those that the search began with ({different}).")
        self.study.set_user_attr("facts", facts)
        given = {
            name: value
            for name, value in stage.recipe.given.items()
            if name in self.told or name in {found.name for found in self.ranges}
        }
        trial.set_user_attr("given", json.loads(json.dumps(given, default=str)))
        reporter.run = stage.run
        return reporter

    def _finished(self, out: Path) -> float | None:
        """The figure of a trial that was complete before: a kill came between its end and its record."""
        if not self.goal.held_out:
            lines = (out / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
            return last_quarter([value for _, value in logged(list(map(json.loads, lines)), self.goal.metric)])
        figures = json.loads((out / "manifest.json").read_text(encoding="utf-8"))["figures"]
        found = figures.get("eval_after", {}).get(self.goal.metric)
        return None if found is None else float(found)

    def tidy(self) -> None:
        """Remove the run folders of finished trials but the best."""
        best = self.best()
        for trial in self.study.trials:
            if trial.state.is_finished() and (best is None or trial.number != best.number):
                shutil.rmtree(self._trial_folder(trial.number), ignore_errors=True)

    def best(self) -> Any | None:
        """The best trial that ran to its end."""
        done = [trial for trial in self.study.trials if trial.state == TrialState.COMPLETE]
        sign = 1 if self.goal.lower_is_better else -1
        return min(done, key=lambda trial: (sign * trial.value, trial.number), default=None)

    def write(self) -> None:
        """Leave the best recipe, the table and the picture, and show them."""
        trials, best = self.study.trials, self.best()
        lines = report.rows(trials, self.goal)
        write_atomic(self.folder / "trials.md", report.markdown(lines))
        report.plot(trials, self.goal, self.folder / "trials.png", f"search: {self.stage}")
        table = Table(*lines[0], box=None)
        for line in lines[1:]:
            table.add_row(*line)
        self.console.print(table)
        if best is None:
            raise ParleyError(f"No trial ran to its end; what they printed is in {self.folder / 'trials.log'}.")
        settings = {**best.user_attrs["given"], **best.params, "output_dir": str(self.folder / "best")}
        measured = ("held-out " if self.goal.held_out else "") + self.goal.metric
        command = f"python -m alignment.{self.stage}"
        head = [
            f"The best of {len(trials)} trials of `{command} --search`: {measured} {best.value:.5g}.",
            f"Run it: {command} --config {self.folder / 'best.yaml'}",
        ]
        made = report.best_recipe(self.config.read_text(encoding="utf-8"), settings, head)
        write_atomic(self.folder / "best.yaml", made)
        self.console.print(
            f"The best is trial {best.number}, {measured} {best.value:.5g}: its recipe is "
            f"{self.folder / 'best.yaml'}, its run {self._trial_folder(best.number)}."
        )

    def _trial_folder(self, number: int) -> Path:
        return self.folder / "trials" / f"{number:04}"

    @staticmethod
    def _short(value: Value) -> str:
        return f"{value:.3g}" if isinstance(value, float) else str(value)


def search(stage: str, main: Callable[[Sequence[str]], int], arguments: Sequence[str]) -> int:
    """Search the ranges of the stage's recipe, running its `main` for each trial. Returns the exit code.

    The same command again goes on with a search that was interrupted; a greater N goes on with one that was complete.
    Raises `BadInput` for ranges that make no sense, and when nothing is held out to compare by.
    """
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    warnings.filterwarnings("ignore", category=optuna.exceptions.ExperimentalWarning)
    config, flags = split(list(arguments), stage)
    number, metric, flags = _own_flags(flags)
    if processes.count() > 1:
        raise BadInput("--search runs one trial after another in one process; start it without a launcher.")
    settings = load(config)
    aim = goal(stage, metric)
    found = ranges(settings.pop("search", None), aim, str(config))
    told = {*settings, *flag_names(flags)}
    out, flags = _output_dir(flags, settings)
    console = Console(highlight=False)
    lock = FileLock(private_dir(out) / ".lock")
    try:
        lock.acquire(blocking=False)
    except Timeout:
        raise BadInput(f"Another search is at work in {out}. Wait for it, or name another --output_dir.") from None
    with lock:
        running = Search(stage, main, out, config, flags, told, found, aim, console)
        running.open(settings)
        running.run(number)
        running.write()
    return 0


def _own_flags(flags: list[str]) -> tuple[int, str | None, list[str]]:
    """N of `--search N`, what `--search_metric` names, and the other flags."""
    found: dict[str, str] = {}
    rest: list[str] = []
    waiting = iter(flags)
    for flag in waiting:
        name, equals, value = flag.partition("=")
        if name in ("--search", "--search_metric"):
            found[name] = value if equals else next(waiting, "")
        else:
            rest.append(flag)
    given = found.get("--search", "")
    if not given.isdecimal() or int(given) < 1:
        raise BadInput(f"--search needs the number of trials, at least 1, not {given!r}.")
    return int(given), found.get("--search_metric"), rest


def _output_dir(flags: list[str], settings: dict[str, Any]) -> tuple[Path, list[str]]:
    out, rest = settings.get("output_dir"), []
    waiting = iter(flags)
    for flag in waiting:
        if flag == "--output_dir":
            out = next(waiting, None)
        elif flag.startswith("--output_dir="):
            out = flag.partition("=")[2]
        else:
            rest.append(flag)
    if not out:
        raise BadInput("Name a folder for the search: --output_dir.")
    return Path(out), rest
