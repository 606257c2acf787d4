"""The stage `kto`: Kahneman-Tversky optimization. The model learns from thumbs up and down that have no pair.

Ethayarajh et al., "KTO: Model Alignment as Prospect Theoretic Optimization", 2024. The loss keeps the model close to
a reference: a frozen copy of the adapter that the stage continues, or else the base itself.
"""

from alignment.training.balance import balance
from alignment.training.policy import load_policy, load_reference
from alignment.training.preflight import check_reference, show_trained
from alignment.training.settings import KtoSettings
from alignment.training.stage import begin, finish, train, trainer_arguments
from alignment.training.trainers import Kto


def run_kto(arguments: list[str]) -> None:
    """Run the stage with these flags; it leaves `adapter/` (or `model/`) in the run folder."""
    with begin("kto", "labelled", arguments, KtoSettings) as stage:
        show_trained(stage)
        balance(stage)
        # The reference is chosen as in DPO.
        policy, lora = load_policy(stage)
        reference = load_reference(stage)
        trainer = Kto(model=policy, ref_model=reference, peft_config=lora, **trainer_arguments(stage))
        check_reference(stage, trainer)
        finish(stage, trainer, train(stage, trainer))
