"""Reinforcement learning from a reward model: the model learns to answer so that the reward model scores it higher.

    python -m alignment.ppo --config alignment/recipes/ppo.yaml --model_name_or_path out/adapter \\
                            --reward_model out-reward/reward --dataset_name prompts.jsonl --output_dir out-ppo

PPO with a critic as in Ziegler et al., "Fine-Tuning Language Models from Human Preferences", 2019, and Ouyang et al.,
"Training language models to follow instructions with human feedback", 2022. `--algorithm rloo` and `grpo` run TRL's
trainers with the same prompts and the same reward.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from alignment.command import command
from data.errors import run


def main(
    argv: Sequence[str] | None = None,
    *,
    reward: Callable[..., list[float]] | None = None,
    replay: Callable[..., Any] | None = None,
) -> int:
    """Run the stage; the result is `adapter/` in the run folder, the policy alone, and PPO's critic in `critic/`.

    In code, `reward` can replace the reward model (`alignment.rl.scoring.Score`), and `replay` the sampling
    (`alignment.rl.rollouts.Replay`).
    """
    return command("ppo", partial(_train, reward=reward, replay=replay), argv)


def _train(
    arguments: list[str], *, reward: Callable[..., list[float]] | None, replay: Callable[..., Any] | None
) -> None:
    from alignment.rl.making import check_lengths, group_trainer, keep_critic, ppo_trainer
    from alignment.rl.rollouts import say_when_saved
    from alignment.rl.scoring import scoring
    from alignment.rl.settings import settings_class
    from alignment.training.policy import refuse_zero3
    from alignment.training.stage import begin, finish, train

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


if __name__ == "__main__":
    run(main)
