"""How long a run is: its warm-up, and whether its steps are enough for its rows."""

from collections.abc import Callable
from typing import Any

# In fewer steps than this an adapter hardly leaves its start, at any sensible learning rate.
FEW_STEPS = 10


def warmup(asked: int, steps: int) -> int:
    """The steps of warm-up of a run with this many steps: at most half of them, and none if there is only one."""
    return min(asked, steps // 2)


def warmed(rate: Callable[[int], float], warm: int) -> Callable[[int], float]:
    """A schedule (from the step, counted from 0, to the share of the learning rate) whose first step is not lost.

    transformers begins a warm-up at a rate of 0. Here it rises in equal parts from the first step on, and the step
    after it has the whole rate.
    """
    return lambda step: (step + 1) / (warm + 1) if step < warm else float(rate(step))


def warm_from_the_first_step(scheduler: Any, warm: int) -> None:
    """Change a torch `LambdaLR` that has not stepped yet, and its optimizer's rates, to `warmed`."""
    scheduler.lr_lambdas = [warmed(rate, warm) for rate in scheduler.lr_lambdas]
    rates = [base * rate(0) for base, rate in zip(scheduler.base_lrs, scheduler.lr_lambdas, strict=True)]
    for group, rate in zip(scheduler.optimizer.param_groups, rates, strict=True):
        group["lr"] = rate
    scheduler._last_lr = rates


def too_few(steps: int, seen: int | None, rows: int) -> str | None:
    """A sentence if a run's steps are too few for its rows to count, else None.

    `seen` is how many rows they draw, None if that is not known; `rows` how many there are.
    """
    if seen is not None and seen < rows:
        return (
            f"In {_steps(steps)} at most {seen} of the {rows} rows are seen. Raise max_steps, or leave it out: "
            "num_train_epochs then says how often each row is trained."
        )
    if steps < FEW_STEPS:
        return (
            f"{_steps(steps)} may be too few for the rows to count. Raise num_train_epochs, or lower "
            "gradient_accumulation_steps or per_device_train_batch_size."
        )
    return None


def _steps(steps: int) -> str:
    return "1 optimizer step" if steps == 1 else f"{steps} optimizer steps"
