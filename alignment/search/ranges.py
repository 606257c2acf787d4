"""What a search varies and which figure it compares: the `search:` mapping of a recipe, checked name by name."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from data.errors import BadInput, nearest

Value = str | int | float | bool

# Names that may not vary between the trials of one search, and why.
_FIXED = dict.fromkeys(
    ("dataset_name", "eval_dataset_name", "eval_fraction", "max_dropped", "max_length"),
    "it decides which rows are held out, and trials that are measured on other rows cannot be compared",
) | {
    "output_dir": "each trial has a folder of its own",
    "model_name_or_path": "each base measures in its own tokens; search on one base at a time",
    "seed": "a lucky seed does not carry over to the next run",
    "eval_strategy": "all trials are measured at the same times",
    "eval_steps": "all trials are measured at the same times",
}
# These change the scale of the loss, so trials that differ in them cannot be compared by it.
_LOSS_SCALE = {"beta", "loss_type", "loss_weights", "label_smoothing", "desirable_weight", "undesirable_weight"}
_BETTER_LOW = ("loss", "entropy", "kl", "perplexity", "calibration_error")
_BETTER_HIGH = ("accuracy", "accuracies", "margin", "margins", "reward", "score")


@dataclass(frozen=True, slots=True)
class Range:
    """The values that one setting may take: `choices`, or a span from `low` to `high` (both included)."""

    name: str
    choices: tuple[Value, ...] = ()
    low: float = 0.0
    high: float = 0.0
    log: bool = False
    whole: bool = False

    def suggest(self, trial: Any) -> Value:
        """The value for an optuna trial."""
        found: Value
        if self.choices:
            found = trial.suggest_categorical(self.name, list(self.choices))
        elif self.whole:
            found = trial.suggest_int(self.name, int(self.low), int(self.high), log=self.log)
        else:
            found = trial.suggest_float(self.name, self.low, self.high, log=self.log)
        return found


@dataclass(frozen=True, slots=True)
class Goal:
    """The figure by which a search compares trials. `held_out`: whether it is measured on held-out rows."""

    metric: str
    lower_is_better: bool
    held_out: bool = True

    @property
    def logged_as(self) -> str:
        """The name under which the trainer logs it."""
        return f"eval_{self.metric}" if self.held_out else self.metric

    @property
    def title(self) -> str:
        """The name for a table or a picture."""
        return f"held-out {self.metric}" if self.held_out else self.metric

    @property
    def direction(self) -> Literal["minimize", "maximize"]:
        """As optuna calls it."""
        return "minimize" if self.lower_is_better else "maximize"


def goal(stage: str, metric: str | None) -> Goal:
    """The figure that a search of this stage compares: the named one, else the held-out loss (PPO: reward).

    Raises `BadInput` for a metric when it is not known whether a high value is good.
    """
    held_out = stage != "ppo"  # PPO's loss means nothing here; the reward of its own answers does
    name = (metric or ("loss" if held_out else "reward")).removeprefix("eval_")
    last = name.replace("/", "_").rpartition("_")[2]
    for endings, low in ((_BETTER_LOW, True), (_BETTER_HIGH, False)):
        if name in endings or last in endings:
            return Goal(name, low, held_out)
    known = [*_BETTER_LOW, *_BETTER_HIGH]
    raise BadInput(
        f"--search_metric {name}: it is not known whether more or less of it is better. "
        f"Name one that ends in {', '.join(known)}.{nearest(last, known)}"
    )


def ranges(mapping: Any, goal: Goal, where: str) -> list[Range]:
    """The ranges under `search:` in a recipe (`where`, for the sentences). Raises `BadInput` for an invalid range.

    The reader of the recipe checks that the names are settings of the stage.
    """
    if not mapping:
        raise BadInput(
            f"{where} has no ranges to search. Add, for example, "
            "`search: {learning_rate: {low: 1.0e-5, high: 1.0e-3, log: true}, lora_r: {choices: [8, 16, 32]}}`."
        )
    if not isinstance(mapping, Mapping):
        raise BadInput(f"{where}: under search, expected lines of `name: {{low: ..., high: ...}}`.")
    found = []
    for name, given in mapping.items():
        if name in _FIXED:
            raise BadInput(f"{where}: {name} cannot be searched: {_FIXED[name]}.")
        if name in _LOSS_SCALE and goal.metric == "loss" and goal.held_out:
            raise BadInput(
                f"{where}: {name} changes what the held-out loss measures, so trials cannot be compared by it. Name "
                "another metric, such as --search_metric preference_accuracy."
            )
        found.append(_range(str(name), given, f"{where}: the range of {name}"))
    return found


def _range(name: str, given: Any, where: str) -> Range:
    if not isinstance(given, Mapping):
        raise BadInput(f"{where} must be {{low: ..., high: ...}} or {{choices: [...]}}.")
    known = ("low", "high", "log", "choices")
    for key in given:
        if key not in known:
            raise BadInput(f"{where} has the unknown key {key!r}.{nearest(str(key), known)}")
    if "choices" in given:
        choices = given["choices"]
        if len(given) > 1:
            raise BadInput(f"{where} has choices and a span; give one of them.")
        if not isinstance(choices, list) or len(choices) < 2:
            raise BadInput(f"{where} needs a list of at least two choices.")
        if not all(isinstance(choice, Value) for choice in choices):
            raise BadInput(f"{where}: a choice is a text, a number, true or false.")
        return Range(name, choices=tuple(choices))
    ends = [_number(given.get(key)) for key in ("low", "high")]
    log = given.get("log", False)
    if not isinstance(log, bool):
        raise BadInput(f"{where}: log is true or false, not {log!r}.")
    low, high = ends
    if low is None or high is None or not low < high:
        raise BadInput(f"{where} needs two numbers, low below high.")
    if log and low <= 0:
        raise BadInput(f"{where} is logarithmic, so low must be above 0.")
    whole = all(isinstance(given[key], int) for key in ("low", "high"))
    return Range(name, low=low, high=high, log=log, whole=whole)


def _number(value: Any) -> float | None:
    """A finite number, else None. YAML reads `1e-5`, without a point, as text; here it counts as a number."""
    if isinstance(value, bool):
        return None
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    return number if math.isfinite(number) else None
