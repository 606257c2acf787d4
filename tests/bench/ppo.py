"""Where the time of a PPO step goes: sampling, reward, scoring, training.

    python -m tests.bench.ppo                       # short rows, 16 answers of at most 64 tokens
    python -m tests.bench.ppo --rows multi --limit 8
    python -m tests.bench.ppo --max_completion_length 16        # further flags go to the stage

Runs Parley's part of `tests.bench.training --stages ppo` and adds up the seconds and CPU seconds of each part,
without those of the parts inside it.
"""

import argparse
import functools
import tempfile
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from data.errors import run
from tests.bench import training
from tests.bench.ran_on import ran_on


class Clock:
    """Adds up seconds and CPU seconds of functions by a name, without those of watched functions inside them."""

    def __init__(self) -> None:
        self.spent: dict[str, list[float]] = defaultdict(lambda: [0.0, 0.0])
        self.inside: list[str] = []

    def watch(self, owner: Any, function: str, name: str) -> None:
        """Count a method's time under a name."""
        usual = getattr(owner, function)

        @functools.wraps(usual)
        def timed(*args: Any, **kwargs: Any) -> Any:
            began = time.monotonic(), time.process_time()
            self.inside.append(name)
            try:
                return usual(*args, **kwargs)
            finally:
                self.inside.pop()
                for at, passed in enumerate((time.monotonic() - began[0], time.process_time() - began[1])):
                    self.spent[name][at] += passed
                    if self.inside:
                        self.spent[self.inside[-1]][at] -= passed

        setattr(owner, function, timed)


def watched() -> Clock:
    """A clock on the parts of a PPO step."""
    from accelerate.optimizer import AcceleratedOptimizer
    from transformers import Trainer

    from alignment.rl.sampling import PlainCopy
    from alignment.rl.trainer import Ppo

    clock = Clock()
    for owner, function, name in (
        (Trainer, "train", "everything else"),
        (PlainCopy, "__init__", "making the copy that samples"),
        (PlainCopy, "take", "its weights"),
        (PlainCopy, "_read", "reading the prompts"),
        (PlainCopy, "sample", "sampling the answers"),
        (Ppo, "_calculate_rewards", "the reward model"),
        (Ppo, "_score", "scoring: policy, critic, reference"),
        (Trainer, "training_step", "training: backward passes"),
        (Ppo, "_roll_out", "the rollout's formulas"),
        (Ppo, "_compute_loss", "training: forward passes"),
        (AcceleratedOptimizer, "step", "optimizer"),
    ):
        clock.watch(owner, function, name)
    return clock


def main() -> int:
    """Read the command line and measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", choices=list(training.KINDS), default="short")
    parser.add_argument("--limit", type=int, default=16, help="rows; each second one's prompt gets two answers")
    parser.add_argument("--base", default="smollm2-135m")
    options, flags = parser.parse_known_args()
    from alignment.quiet import quiet

    quiet()
    clock = watched()
    with tempfile.TemporaryDirectory() as folder:
        training._by_parley("ppo", options.rows, options.base, Path(folder), "parley", options.limit, flags)
    table = Table(title=f"PPO on {options.rows} rows. On {ran_on()}.")
    for column in ("part", "seconds", "share", "CPU seconds"):
        table.add_column(column)
    total = sum(seconds for seconds, _ in clock.spent.values())
    for name, (seconds, cpu) in sorted(clock.spent.items(), key=lambda item: -item[1][0]):
        table.add_row(name, f"{seconds:.2f}", f"{seconds / total:.0%}", f"{cpu:.2f}")
    table.add_row("together", f"{total:.2f}", "", f"{sum(cpu for _, cpu in clock.spent.values()):.2f}")
    Console(width=110).print(table)
    return 0


if __name__ == "__main__":
    run(main)
