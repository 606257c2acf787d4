"""What a search leaves behind: the best recipe, a table of the trials and a picture of them."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from alignment.search.ranges import Goal


def best_recipe(text: str, settings: Mapping[str, Any], head: Sequence[str] = ()) -> str:
    """A recipe with these settings that keeps the comments of the recipe `text` it was searched from.

    `head` are lines of comment to put in front. A name that the text sets (or shows in a comment) is set in its
    place, others follow at the end, and ranges to search are left out.
    """
    import yaml

    left = dict(settings)
    lines: list[str] = []
    skipping = False
    for line in text.splitlines():
        # What belongs to a setting that was replaced or left out: its indented lines, its list.
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
    # A layout that lines cannot follow: the settings matter more than its comments.
    return made if kept else str(yaml.safe_dump(dict(settings), sort_keys=False, allow_unicode=True))


def _drop_comment(lines: list[str]) -> None:
    while lines and lines[-1].startswith("#"):
        lines.pop()


def _yaml(value: Any) -> str:
    import yaml

    return str(yaml.safe_dump([value], default_flow_style=True, width=10**6, allow_unicode=True)).strip()[1:-1]


def rows(trials: Sequence[Any], goal: Goal) -> list[list[str]]:
    """A line for each trial: its number, its end, the figure, its settings; a heading line first."""
    names = list(dict.fromkeys(name for trial in trials for name in trial.params))
    lines = [["trial", "ended", ("held-out " if goal.held_out else "") + goal.metric, *names]]
    for trial in trials:
        reached = value_of(trial)
        settings = [_shown(trial.params.get(name, "")) for name in names]
        lines.append([str(trial.number), ended(trial), "-" if reached is None else f"{reached:.5g}", *settings])
    return lines


def ended(trial: Any) -> str:
    """How a trial ended, in a word."""
    name = str(trial.state.name)
    return {"COMPLETE": "done", "PRUNED": "stopped early", "FAIL": "failed"}.get(name, "running")


def value_of(trial: Any) -> float | None:
    """A trial's figure; of one that was stopped early, the last that was seen."""
    if trial.value is not None:
        return float(trial.value)
    seen = trial.intermediate_values
    return float(seen[max(seen)]) if seen else None


def _shown(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def markdown(lines: Sequence[Sequence[str]]) -> str:
    """A table of lines, the first of them its heading."""
    head, *body = lines
    table = [head, ["---"] * len(head), *body]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in table) + "\n"


def plot(trials: Sequence[Any], goal: Goal, path: Path, title: str) -> None:
    """Draw each trial's figure in their order, and the best so far, into a PNG file."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 4), layout="tight")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    done = [(trial.number, float(trial.value)) for trial in trials if trial.state.name == "COMPLETE"]
    stopped = [
        (trial.number, value)
        for trial in trials
        if trial.state.name == "PRUNED" and (value := value_of(trial)) is not None
    ]
    pick = min if goal.lower_is_better else max
    best = [(number, pick(value for _, value in done[: at + 1])) for at, (number, _) in enumerate(done)]
    if done:
        axes.plot(*zip(*done, strict=True), "o", color="tab:blue", label="done")
        axes.step(*zip(*best, strict=True), where="post", color="tab:green", label="best so far")
    if stopped:
        axes.plot(*zip(*stopped, strict=True), "x", color="tab:gray", label="stopped early")
    axes.set(title=title, xlabel="trial", ylabel=("held-out " if goal.held_out else "") + goal.metric)
    axes.grid(alpha=0.3)
    if done or stopped:
        axes.legend()
    figure.savefig(path, dpi=120)
    path.chmod(0o600)
