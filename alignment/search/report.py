"""What a search writes at its end: the best recipe, a table of the trials and a picture of them."""

import re
from collections.abc import Mapping, Sequence
from itertools import accumulate
from typing import Any

import yaml
from optuna.trial import FrozenTrial, TrialState

from alignment.search.ranges import Goal
from data.drawing import SMALL, figure, png


def best_recipe(text: str, settings: Mapping[str, Any], head: Sequence[str] = ()) -> str:
    """A recipe with these settings that keeps the comments of `text`, the recipe of the search.

    `head` are lines of comment to put in front. A name that the text sets (or shows in a comment) keeps its place,
    others follow at the end, and ranges to search are left out.
    """
    left = dict(settings)
    lines: list[str] = []
    skipping = False
    for line in text.splitlines():
        # These are the indented lines or the list of a setting that was replaced or left out.
        if skipping and re.match(r"\s+\S|- ", line):
            continue
        found = re.match(r"(# )?(\w+):(?:\s|$)", line)
        name = found[2] if found else ""
        skipping = name == "search" and not (found and found[1])
        if skipping:
            _drop_comment(lines)
        elif name in left:
            skipping = not (found and found[1])
            lines.append(f"{name}: {_yaml(left.pop(name))}")
        elif not (found and not found[1]):
            lines.append(line)
    if left:
        lines += ["", "# Set by flags, or by the search.", *(f"{name}: {_yaml(left[name])}" for name in left)]
    made = "\n".join([*(f"# {sentence}" for sentence in head), *([""] if head else []), *lines]).rstrip() + "\n"
    try:
        kept = yaml.safe_load(made) == dict(settings)
    except yaml.YAMLError:
        kept = False
    # In a layout that cannot be edited line by line, the settings matter more than the comments.
    return made if kept else str(yaml.safe_dump(dict(settings), sort_keys=False, allow_unicode=True))


def _drop_comment(lines: list[str]) -> None:
    while lines and lines[-1].startswith("#"):
        lines.pop()


def _yaml(value: Any) -> str:
    return str(yaml.safe_dump([value], default_flow_style=True, width=10**6, allow_unicode=True)).strip()[1:-1]


def rows(trials: Sequence[FrozenTrial], goal: Goal) -> list[list[str]]:
    """A heading line, then one line for each trial: its number, how it ended, the figure, its settings."""
    names = list(dict.fromkeys(name for trial in trials for name in trial.params))
    lines = [["trial", "ended", goal.title, *names]]
    for trial in trials:
        reached = value_of(trial)
        settings = [_shown(trial.params.get(name, "")) for name in names]
        lines.append([str(trial.number), ended(trial), "-" if reached is None else f"{reached:.5g}", *settings])
    return lines


def ended(trial: FrozenTrial) -> str:
    """How a trial ended, in a word."""
    name = str(trial.state.name)
    return {"COMPLETE": "done", "PRUNED": "stopped early", "FAIL": "failed"}.get(name, "interrupted")


def value_of(trial: FrozenTrial) -> float | None:
    """A trial's figure; for one that was stopped early, the last that was measured."""
    if trial.value is not None:
        return float(trial.value)
    seen = trial.intermediate_values
    return float(seen[max(seen)]) if seen else None


def _shown(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def markdown(lines: Sequence[Sequence[str]]) -> str:
    """The lines as a table in Markdown; the first is its heading."""
    head, *body = lines
    table = [head, ["---"] * len(head), *body]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in table) + "\n"


def plot(trials: Sequence[FrozenTrial], goal: Goal, title: str) -> bytes:
    """A PNG of each trial's figure in order and the best so far; crosses for trials that were stopped early.

    optuna's own picture leaves the stopped trials out, and draws with pyplot, which leaves its style and figures set.
    """
    made, (axes,) = figure(7, 4)
    points = {state: _points(trials, state) for state in (TrialState.COMPLETE, TrialState.PRUNED)}
    if done := points[TrialState.COMPLETE]:
        numbers, values = zip(*done, strict=True)
        best = accumulate(values, min if goal.lower_is_better else max)
        axes.plot(numbers, values, "o", color="tab:blue", label="done")
        axes.step(numbers, list(best), where="post", color="tab:green", label="best so far")
    if stopped := points[TrialState.PRUNED]:
        axes.plot(*zip(*stopped, strict=True), "x", color="tab:gray", label="stopped early")
    axes.set(title=title, xlabel="trial", ylabel=goal.title)
    if done or stopped:
        axes.legend(fontsize=SMALL)
    return png(made)


def _points(trials: Sequence[FrozenTrial], state: TrialState) -> list[tuple[int, float]]:
    found = [(trial.number, value_of(trial)) for trial in trials if trial.state == state]
    return [(number, value) for number, value in found if value is not None]
