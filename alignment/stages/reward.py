"""The stage `reward`: a reward model. It learns to score an answer as people would, from pairs of answers.

Ouyang et al., "Training language models to follow instructions with human feedback", 2022, section 3.5. Thumbs can
teach it too (`--thumbs_name`), and several heads say how unsure it is (`--heads 3`).
"""

from alignment.rewards.head_only import train_head
from alignment.rewards.result import check_enough, finish, read_ties
from alignment.rewards.thumbs import with_thumbs
from alignment.rewards.trainer import Reward, RewardSettings, graded_preference, load_start
from alignment.training.policy import refuse_zero3
from alignment.training.stage import begin, train, trainer_arguments


def run_reward(arguments: list[str]) -> None:
    """Run the stage with these flags; it leaves `reward/` in the run folder."""
    with begin("reward", "preference", arguments, RewardSettings, encoder=graded_preference) as stage:
        refuse_zero3("reward")
        check_enough(stage)
        ties = read_ties(stage)
        if stage.recipe.training.head_only:
            train_head(stage, ties)
            return
        model, lora = load_start(stage)
        both = with_thumbs(stage)
        trainer = Reward(model=model, peft_config=lora, **trainer_arguments(both))
        finish(stage, trainer, train(both, trainer), ties)
