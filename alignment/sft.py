"""Supervised fine-tuning: the model learns to answer as the demonstrations do (`alignment.stages.sft`).

python -m alignment.sft --config alignment/recipes/sft.yaml --dataset_name rows.jsonl --output_dir out
"""

from collections.abc import Sequence

from alignment.command import command
from data.errors import run


def main(argv: Sequence[str] | None = None) -> int:
    """Run the stage; the result is `adapter/` (or `model/`) in the run folder."""
    return command("sft", _train, argv)


def _train(arguments: list[str]) -> None:
    from alignment.stages.sft import run_sft  # loads torch

    run_sft(arguments)


if __name__ == "__main__":
    run(main)
