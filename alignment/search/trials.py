"""`--search N`: run a stage N times with other settings, and write the best ones down as a recipe.

optuna keeps the trials (a journal file), draws their settings with a tree-structured Parzen estimator (Bergstra et
al., "Algorithms for Hyper-Parameter Optimization", 2011), and stops a trial that is worse at a quarter, a half or
three quarters of its steps than the median of the earlier ones was there. The folder of a search holds

search.journal           optuna's record of all trials
trials.md, trials.png    the trials as a table and as a picture; trials.log has what they printed
trials/0003/             the best trial's run folder; the others are removed when they end
best.yaml                the best recipe, for `--config best.yaml`
"""

import argparse
import contextlib
import gc
import math
import shutil
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import optuna
import torch
from filelock import FileLock, Timeout
from optuna.trial import Trial, TrialState
from rich.console import Console
from rich.table import Table

from alignment.search import report
from alignment.search.ranges import Goal, Range, Value, goal, ranges
from alignment.search.reporter import SHARE, Reporter
from alignment.search.study import FINISHED, as_json, ask, best, different, open_study
from alignment.training import processes
from alignment.training.errors import Diverged
from alignment.training.flags import as_flag, flag_names, without
from alignment.training.recipe import load, split
from alignment.training.stage import OBSERVER, Stage
from data.console import PlainConsole
from data.errors import BadInput, ParleyError
from data.home import private_dir, write_atomic

_MEASURED = ["--eval_strategy", "steps", "--eval_steps", str(SHARE)]


@dataclass
class Search:
    """A search that is open: its folder, its settings, and optuna's study."""

    stage: str
    main: Callable[[Sequence[str]], int]
    folder: Path
    config: Path
    flags: list[str]
    named: set[str]
    ranges: list[Range]
    goal: Goal
    console: Console
    study: optuna.Study = field(init=False)

    def open(self, settings: dict[str, Any]) -> None:
        """Open the folder's study or begin one. Raises `BadInput` when the folder holds something else."""
        journal = self.folder / "search.journal"
        known = {".lock", journal.name}
        if not journal.exists() and any(entry.name not in known for entry in self.folder.iterdir()):
            raise BadInput(f"{self.folder} is not empty and holds no search. Name another --output_dir.")
        self.study = open_study(journal, self.goal)
        identity = {
            "stage": self.stage,
            "recipe": settings,
            "flags": self.flags,
            "ranges": [str(found) for found in self.ranges],
            "metric": self.goal.metric,
        }
        if others := different(self.study, "identity", identity):
            raise BadInput(
                f"{self.folder} holds another search (another {', '.join(others)}). "
                "Name another --output_dir, or remove that folder."
            )

    def run(self, number: int) -> None:
        """Run trials until `number` are finished; a queued one goes first."""
        while (done := len(self.study.get_trials(deepcopy=False, states=FINISHED))) < number:
            self.tidy()
            trial = ask(self.study)
            values = {found.name: found.suggest(trial) for found in self.ranges}
            drawn = ", ".join(
                f"{name} {value:.3g}" if isinstance(value, float) else f"{name} {value}"
                for name, value in values.items()
            )
            self.console.print(f"Trial {done + 1} of {number}: {drawn}")
            state, figure, sentence = self._outcome(trial, values)
            self.study.tell(trial, figure, state)
            self.console.print(f"  {sentence}")
            gc.collect()
            if torch.cuda.is_available():
                torch.cuda.empty_cache()
        self.tidy()

    def _outcome(self, trial: Trial, values: dict[str, Value]) -> tuple[TrialState, float | None, str]:
        """Train once: how it ended, the figure, and both in words. Errors that end the search are passed on."""
        reporter = Reporter(trial, self.goal)
        try:
            self._train(trial.number, values, reporter)
        except optuna.TrialPruned:
            return TrialState.PRUNED, None, "stopped early: behind the others"
        except torch.OutOfMemoryError:
            return TrialState.FAIL, None, "failed: it did not fit into memory"
        except Diverged:
            return TrialState.FAIL, None, "failed: it diverged"
        figure = reporter.value
        if figure is None or not math.isfinite(figure):
            return TrialState.FAIL, None, "failed"
        return TrialState.COMPLETE, figure, f"{self.goal.metric} {figure:.5g}"

    def _train(self, number: int, values: dict[str, Value], reporter: Reporter) -> None:
        measured = _MEASURED if self.goal.held_out else []
        # What the search sets replaces the same flag of the command: a flag is given once.
        argv = ["--config", str(self.config), *without(self.flags, {*values, *flag_names(measured)})]
        for name, setting in values.items():
            argv += as_flag(name, setting)
        argv += [*measured, "--output_dir", str(self._trial_folder(number))]
        token = OBSERVER.set(lambda stage: self._begun(stage, reporter))
        log = self.folder / "trials.log"
        log.touch(mode=0o600)
        try:
            with log.open("a", encoding="utf-8") as file, contextlib.redirect_stdout(file):
                self.main(argv)
        finally:
            OBSERVER.reset(token)

    def _begun(self, stage: Stage, reporter: Reporter) -> Reporter:
        """A trial is about to train: its rows must be those of the other trials, and some must be held out."""
        if self.goal.held_out and not stage.rows.held_out.examples:
            raise BadInput(
                "A search compares trials by held-out rows, and there are none. Set eval_fraction above 0, or name "
                "some with --eval_dataset_name."
            )
        hashes = {
            key: getattr(stage.run.manifest, key) for key in ("base_sha256", "adapter_sha256", "tokenizer_sha256")
        }
        if others := different(self.study, "facts", {"data": stage.rows.hashes, **hashes}):
            raise BadInput(
                f"{self.folder}: rows or base are not those that the search began with ({', '.join(others)})."
            )
        searched = {found.name for found in self.ranges}
        given = {name: value for name, value in stage.recipe.given.items() if name in self.named | searched}
        reporter.trial.set_user_attr("given", as_json(given))
        reporter.run = stage.run
        return reporter

    def tidy(self) -> None:
        """Remove the run folders of finished trials except the best."""
        kept = best(self.study)
        for trial in self.study.get_trials(deepcopy=False, states=FINISHED):
            if kept is None or trial.number != kept.number:
                shutil.rmtree(self._trial_folder(trial.number), ignore_errors=True)

    def write(self) -> None:
        """Write the best recipe, the table and the pictures, and show them."""
        trials, first = self.study.trials, best(self.study)
        lines = report.rows(trials, self.goal)
        write_atomic(self.folder / "trials.md", report.markdown(lines))
        write_atomic(self.folder / "trials.png", report.plot(trials, self.goal, f"search: {self.stage}"))
        table = Table(*lines[0], box=None)
        for line in lines[1:]:
            table.add_row(*line)
        self.console.print(table)
        if first is None:
            raise ParleyError(f"No trial ran to its end; what they printed is in {self.folder / 'trials.log'}.")
        settings = {**first.user_attrs["given"], **first.params, "output_dir": str(self.folder / "best")}
        measured, command = f"{self.goal.title} {first.value:.5g}", f"python -m alignment.{self.stage}"
        recipe = self.folder / "best.yaml"
        head = [
            f"The best of {len(trials)} trials of `{command} --search`: {measured}.",
            f"Run it: {command} --config {recipe}",
        ]
        write_atomic(recipe, report.best_recipe(self.config.read_text(encoding="utf-8"), settings, head))
        self.console.print(
            f"The best is trial {first.number}, {measured}: its recipe is {recipe}, "
            f"its run {self._trial_folder(first.number)}."
        )

    def _trial_folder(self, number: int) -> Path:
        return self.folder / "trials" / f"{number:04}"


def search(stage: str, main: Callable[[Sequence[str]], int], arguments: Sequence[str]) -> int:
    """Search the ranges of the stage's recipe, running its `main` for each trial. Returns the exit code.

    The same command again continues an interrupted search; a greater N continues a complete one.
    Raises `BadInput` for ranges that make no sense, and when nothing is held out to compare by.
    """
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    warnings.filterwarnings("ignore", category=optuna.exceptions.ExperimentalWarning)
    # A trial that continues from its checkpoint repeats measurements that optuna had before the kill.
    warnings.filterwarnings("ignore", message="The reported value is ignored")
    config, words = split(list(arguments), stage)
    own, flags = _own_flags(words)
    if processes.count() > 1:
        raise BadInput("--search runs one trial after another in one process; start it without a launcher.")
    settings = load(config)
    aim = goal(stage, own.search_metric)
    found = ranges(settings.pop("search", None), aim, str(config))
    named = {*settings, *flag_names(flags)}
    folder = settings.get("output_dir") if own.output_dir is None else own.output_dir
    if not folder:
        raise BadInput("Name a folder for the search: --output_dir.")
    out = private_dir(Path(folder))
    lock = FileLock(out / ".lock", mode=0o600)
    try:
        lock.acquire(blocking=False)
    except Timeout:
        raise BadInput(f"Another search is at work in {out}. Wait for it, or name another --output_dir.") from None
    with lock:
        running = Search(stage, main, out, config, flags, named, found, aim, PlainConsole(highlight=False))
        running.open(settings)
        running.run(int(own.search))
        running.write()
    return 0


def _own_flags(words: list[str]) -> tuple[argparse.Namespace, list[str]]:
    """The search's own flags, and the remaining words, which go to every trial."""
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    for name in ("--search", "--search_metric", "--output_dir"):
        parser.add_argument(name, nargs="?", const="")
    own, rest = parser.parse_known_args(words)
    if not own.search.isdecimal() or int(own.search) < 1:
        raise BadInput(f"--search needs the number of trials, at least 1, not {own.search!r}.")
    return own, rest
