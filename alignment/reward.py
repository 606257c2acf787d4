"""A reward model: the model learns to score an answer as people would, from pairs of answers.

    python -m alignment.reward --config alignment/recipes/reward.yaml --model_name_or_path smollm2-135m \\
                               --dataset_name rows.jsonl --output_dir out-reward

Ouyang et al., "Training language models to follow instructions with human feedback", 2022, section 3.5. Thumbs can
teach it too (`--thumbs_name`), and several heads say how unsure it is (`--heads 3`). The result is one folder,
`reward/`: an adapter with its score heads, and `reward.json` with how far it can be trusted.
"""

from collections.abc import Sequence

from alignment.command import command
from data.errors import run


def main(argv: Sequence[str] | None = None) -> int:
    """Run the stage; the result is `reward/` in the run folder, and applies to the base itself."""
    return command("reward", _train, argv)


def _train(arguments: list[str]) -> None:
    from alignment.rewards.result import check_enough, finish, read_ties
    from alignment.rewards.thumbs import with_thumbs
    from alignment.rewards.trainer import Reward, RewardSettings, graded_preference, load_start
    from alignment.training.policy import refuse_zero3
    from alignment.training.stage import begin, train, trainer_arguments

    with begin("reward", "preference", arguments, RewardSettings, encoder=graded_preference) as stage:
        refuse_zero3("reward")
        check_enough(stage)
        ties = read_ties(stage)
        model, lora = load_start(stage)
        both = with_thumbs(stage)
        trainer = Reward(model=model, peft_config=lora, **trainer_arguments(both))
        finish(stage, trainer, train(both, trainer), ties)


if __name__ == "__main__":
    run(main)
