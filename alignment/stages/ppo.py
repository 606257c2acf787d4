"""The stage `ppo`: reinforcement learning. The model learns to answer so that a reward model scores it higher.

PPO with a critic as in Ziegler et al., "Fine-Tuning Language Models from Human Preferences", 2019, and Ouyang et al.,
"Training language models to follow instructions with human feedback", 2022. `--algorithm rloo` and `grpo` run TRL's
trainers with the same prompts and the same reward.
"""

from collections.abc import Callable
from typing import Any

from alignment.rl.making import check_lengths, group_trainer, keep_critic, ppo_trainer
from alignment.rl.rollouts import say_when_saved
from alignment.rl.scoring import scoring
from alignment.rl.settings import settings_class
from alignment.training.policy import refuse_zero3
from alignment.training.stage import begin, finish, train


def run_ppo(
    arguments: list[str],
    *,
    reward: Callable[..., list[float]] | None = None,
    replay: Callable[..., Any] | None = None,
) -> None:
    """Run the stage with these flags; it leaves the policy in `adapter/` and PPO's critic in `critic/`.

    In code, `reward` can replace the reward model (`alignment.rl.scoring.Score`), and `replay` the sampling
    (`alignment.rl.rollouts.Replay`).
    """
    with begin("ppo", "prompt", arguments, settings_class(arguments)) as stage:
        refuse_zero3("ppo")
        check_lengths(stage)
        scores = scoring(stage, reward)
        with_critic = stage.recipe.training.algorithm == "ppo"
        trainer = ppo_trainer(stage, scores) if with_critic else group_trainer(stage, scores)
        trainer.replay = replay
        say_when_saved(stage, trainer)
        figures = train(stage, trainer)
        if with_critic:
            figures |= keep_critic(stage, trainer)
        finish(stage, trainer, figures)
