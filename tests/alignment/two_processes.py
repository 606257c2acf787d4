"""What every process of `test_distributed` runs: one task after another, so that the libraries load only once.

torchrun ... -m tests.alignment.two_processes PLAN.json

The plan is a list of {"stage", "argv"} and perhaps
    "other_argv"     the flags of process 1 instead
    "interrupt"      the step after which every process raises
    "crash"          the step after which process 1 alone raises, and nothing here catches it
A task with "sharded", a folder, splits an actor and critic of its "base" over the processes instead.
PPO replays fixed answers instead of sampling.
Each process writes how each task ended to PLAN.<rank>.json: the exit code, or the name and sentence of the exception.
"""

import importlib
import json
import os
import sys
from pathlib import Path

import torch
from transformers import TrainerCallback

from alignment import models
from alignment.rows.tokens import control_strings, encode_answer
from alignment.training import processes
from alignment.training.parent import end_with_parent
from alignment.training.stage import OBSERVER
from data.variables import PARENT
from tests.alignment import sharded


class Interruption(TrainerCallback):
    """Raises after a step."""

    def __init__(self, step: int) -> None:
        self.step = step

    def on_step_end(self, args, state, control, **kwargs):
        """The step is over."""
        if state.global_step == self.step:
            raise RuntimeError(f"interrupted at step {self.step}")


def fixed_rollouts(base: str) -> dict:
    """For PPO: an answer determined by its prompt and the rollout's number, and a reward determined by it."""
    tokenizer = models.load_tokenizer(base)
    control = control_strings(tokenizer)

    def replay(prompts: list, number: int) -> list[list[int]]:
        texts = [f"Little{' and often' * ((len(str(prompt)) + number) % 3)}." for prompt in prompts]
        return [
            encode_answer(tokenizer, prompt, text, control).answer
            for prompt, text in zip(prompts, texts, strict=True)
        ]

    def reward(prompts: list, completions: list, **_kwargs: object) -> list[float]:
        pairs = zip(prompts, completions, strict=True)
        return [len(answer[0]["content"]) / 10 + (len(str(prompt)) % 5) / 5 for prompt, answer in pairs]

    return {"replay": replay, "reward": reward}


def run(task: dict) -> object:
    """Run one stage; returns its result, or how it ended."""
    if "sharded" in task:
        return sharded.run(task["base"], Path(task["sharded"]))
    main = importlib.import_module(f"alignment.{task['stage']}").main
    argv = task.get("other_argv", task["argv"]) if processes.number() else task["argv"]
    crash = task.get("crash") if processes.number() else None
    stop = task.get("interrupt") or crash
    token = OBSERVER.set((lambda _stage: Interruption(stop)) if stop else None)
    try:
        return main(argv, **(fixed_rollouts(task["base"]) if task["stage"] == "ppo" else {}))
    except (Exception, SystemExit) as error:
        if crash:
            raise
        return f"{type(error).__name__}: {error}"
    finally:
        OBSERVER.reset(token)


def main() -> None:
    """Run the plan."""
    # Where a test waited too long and kills torchrun, these processes end too.
    os.environ[PARENT] = str(os.getppid())
    end_with_parent()
    torch.set_num_threads(1)
    plan = Path(sys.argv[1])
    ended = []
    for task in json.loads(plan.read_text()):
        ended.append(run(task))
        plan.with_suffix(f".{processes.number()}.json").write_text(json.dumps(ended))


if __name__ == "__main__":
    main()
