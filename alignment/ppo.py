"""Reinforcement learning from a reward model: the model learns to answer so that it scores higher.

    python -m alignment.ppo --config alignment/recipes/ppo.yaml --model_name_or_path out/adapter \\
                            --reward_model out-reward/reward --dataset_name prompts.jsonl --output_dir out-ppo

`--algorithm rloo` and `grpo` run TRL's trainers with the same prompts and the same reward (`alignment.stages.ppo`).
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from alignment.command import command
from data.errors import run


def main(
    argv: Sequence[str] | None = None,
    *,
    reward: Callable[..., list[float]] | None = None,
    replay: Callable[..., Any] | None = None,
) -> int:
    """Run the stage; the result is `adapter/` in the run folder, the policy alone, and PPO's critic in `critic/`.

    In code, `reward` can replace the reward model (`alignment.rl.scoring.Score`), and `replay` the sampling
    (`alignment.rl.rollouts.Replay`).
    """
    return command("ppo", partial(_train, reward=reward, replay=replay), argv)


def _train(
    arguments: list[str], *, reward: Callable[..., list[float]] | None, replay: Callable[..., Any] | None
) -> None:
    from alignment.stages.ppo import run_ppo  # loads torch

    run_ppo(arguments, reward=reward, replay=replay)


if __name__ == "__main__":
    run(main)
