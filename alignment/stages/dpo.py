"""The stage `dpo`: direct preference optimization. The model learns which of two answers people preferred.

Rafailov et al., "Direct Preference Optimization: Your Language Model is Secretly a Reward Model", 2023. The loss
keeps the model close to a reference: a frozen copy of the adapter that the stage continues, or else the base itself.
"""

from collections.abc import Callable

from alignment.rl.semi_online_stage import train_on_drawn_pairs
from alignment.training.policy import load_policy, load_reference
from alignment.training.preflight import check_reference, show_trained
from alignment.training.settings import DpoSettings
from alignment.training.stage import begin, finish, train, trainer_arguments
from alignment.training.trainers import Dpo


def run_dpo(arguments: list[str], *, reward: Callable[..., list[float]] | None = None) -> None:
    """Run the stage with these flags; it leaves `adapter/` (or `model/`) in the run folder.

    In code, `reward` can replace the reward model (`alignment.rl.scoring.Score`).
    """
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
