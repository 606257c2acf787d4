"""A reward model: the model learns to score an answer as people would (`alignment.stages.reward`).

    python -m alignment.reward --config alignment/recipes/reward.yaml --model_name_or_path smollm2-135m \\
                               --dataset_name rows.jsonl --output_dir out-reward

The result is one folder, `reward/`: an adapter with its score heads, and `reward.json`: how far to trust it.
"""

from collections.abc import Sequence

from alignment.command import command
from data.errors import run


def main(argv: Sequence[str] | None = None) -> int:
    """Run the stage; the result is `reward/` in the run folder, and applies to the base itself."""
    return command("reward", _train, argv)


def _train(arguments: list[str]) -> None:
    from alignment.stages.reward import run_reward  # loads torch

    run_reward(arguments)


if __name__ == "__main__":
    run(main)
