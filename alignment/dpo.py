"""Direct preference optimization: the model learns which of two answers people preferred (`alignment.stages.dpo`).

    python -m alignment.dpo --config alignment/recipes/dpo.yaml --model_name_or_path out/adapter \\
                            --dataset_name rows.jsonl --output_dir out-dpo

With `--online_every N --reward_model out-reward/reward --prompts prompts.jsonl` the model draws new pairs itself,
every N steps (`alignment.rl.semi_online`). `--dataset_name` may then be left out.
"""

from collections.abc import Callable, Sequence
from functools import partial

from alignment.command import command
from data.errors import run


def main(argv: Sequence[str] | None = None, *, reward: Callable[..., list[float]] | None = None) -> int:
    """Run the stage; the result is `adapter/` (or `model/`) in the run folder, and applies to the base itself.

    In code, `reward` can replace the reward model (`alignment.rl.scoring.Score`).
    """
    return command("dpo", partial(_train, reward=reward), argv)


def _train(arguments: list[str], *, reward: Callable[..., list[float]] | None) -> None:
    from alignment.stages.dpo import run_dpo  # loads torch

    run_dpo(arguments, reward=reward)


if __name__ == "__main__":
    run(main)
