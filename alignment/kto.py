"""Kahneman-Tversky optimization: the model learns from thumbs up and down without a pair (`alignment.stages.kto`).

    python -m alignment.kto --config alignment/recipes/kto.yaml --model_name_or_path out/adapter \\
                            --dataset_name rows.jsonl --output_dir out-kto
"""

from collections.abc import Sequence

from alignment.command import command
from data.errors import run


def main(argv: Sequence[str] | None = None) -> int:
    """Run the stage; the result is `adapter/` (or `model/`) in the run folder, and applies to the base itself."""
    return command("kto", _train, argv)


def _train(arguments: list[str]) -> None:
    from alignment.stages.kto import run_kto  # loads torch

    run_kto(arguments)


if __name__ == "__main__":
    run(main)
