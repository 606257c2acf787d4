"""Supervised fine-tuning: the model learns to answer as the demonstrations do.

python -m alignment.sft --config alignment/recipes/sft.yaml --dataset_name rows.jsonl --output_dir out
"""

from collections.abc import Sequence

from alignment.command import command
from data.errors import run


def main(argv: Sequence[str] | None = None) -> int:
    """Run the stage; the result is `adapter/` (or `model/`) in the run folder."""
    return command("sft", _train, argv)


def _train(arguments: list[str]) -> None:
    from alignment.training.policy import load_policy
    from alignment.training.preflight import show_trained
    from alignment.training.settings import SftSettings
    from alignment.training.stage import begin, finish, train, trainer_arguments
    from alignment.training.trainers import Sft

    with begin("sft", "demonstration", arguments, SftSettings) as stage:
        show_trained(stage)
        policy, lora = load_policy(stage)
        trainer = Sft(model=policy, peft_config=lora, **trainer_arguments(stage))
        finish(stage, trainer, train(stage, trainer))


if __name__ == "__main__":
    run(main)
