"""The stage `sft`: supervised fine-tuning. The model learns to answer as the demonstrations do."""

from alignment.training.policy import load_policy
from alignment.training.preflight import show_trained
from alignment.training.settings import SftSettings
from alignment.training.stage import begin, finish, train, trainer_arguments
from alignment.training.trainers import Sft


def run_sft(arguments: list[str]) -> None:
    """Run the stage with these flags; it leaves `adapter/` (or `model/`) in the run folder."""
    with begin("sft", "demonstration", arguments, SftSettings) as stage:
        show_trained(stage)
        policy, lora = load_policy(stage)
        trainer = Sft(model=policy, peft_config=lora, **trainer_arguments(stage))
        finish(stage, trainer, train(stage, trainer))
