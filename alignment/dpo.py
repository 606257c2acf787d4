"""Direct preference optimization: the model learns which of two answers people preferred.

    python -m alignment.dpo --config alignment/recipes/dpo.yaml --model_name_or_path out/adapter \\
                            --dataset_name rows.jsonl --output_dir out-dpo

Rafailov et al., "Direct Preference Optimization: Your Language Model is Secretly a Reward Model", 2023. The loss
keeps the model close to a reference: a frozen copy of the adapter that the stage continues, or else the base itself.

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
    from alignment.rl.semi_online_stage import train_on_drawn_pairs
    from alignment.training.policy import load_policy, load_reference
    from alignment.training.preflight import check_reference, show_trained
    from alignment.training.settings import DpoSettings
    from alignment.training.stage import begin, finish, train, trainer_arguments
    from alignment.training.trainers import Dpo

    with begin("dpo", "preference", arguments, DpoSettings) as stage:
        if stage.recipe.training.online_every:
            train_on_drawn_pairs(stage, reward)
            return
        show_trained(stage)
        # The reference:
        #   a continued adapter     its frozen copy, which TRL keeps beside it under the name `ref`
        #   a new adapter           the base, with adapters switched off
        #   all weights             the base, loaded again from disk
        policy, lora = load_policy(stage)
        reference = load_reference(stage)
        trainer = Dpo(model=policy, ref_model=reference, peft_config=lora, **trainer_arguments(stage))
        check_reference(stage, trainer)
        finish(stage, trainer, train(stage, trainer))


if __name__ == "__main__":
    run(main)
