"""Reinforcement learning from a reward model: the model learns to answer so that the reward model scores it higher.

    python -m alignment.ppo --config alignment/recipes/ppo.yaml --model_name_or_path out/adapter \\
                            --reward_model out-reward/reward --dataset_name prompts.jsonl --output_dir out-ppo

PPO with a critic as in Ziegler et al., "Fine-Tuning Language Models from Human Preferences", 2019, and Ouyang et al.,
"Training language models to follow instructions with human feedback", 2022. `--algorithm rloo` and `grpo` run TRL's
trainers with the same prompts and the same reward.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from alignment.training.recipe import help_text, wants_help, wants_search
from data.errors import BadInput, run

if TYPE_CHECKING:
    from alignment.rewards.model import RewardModel
    from alignment.training.stage import Stage
    from data.rows import Row

# A reward: called with `prompts`, `completions` (one assistant message each) and more by name; a number for each.
Reward = Callable[..., list[float]]


class ModelReward:
    """A reward model as a reward function: it reads decoded text through its own tokenizer and template."""

    __name__ = "reward_model"

    def __init__(self, model: RewardModel, *, bf16: bool = False) -> None:
        self.model, self.bf16 = model, bf16
        if bf16:
            model.hold_in_bf16()

    def __call__(self, prompts: Sequence[Any], completions: Sequence[Any], **_: Any) -> list[float]:
        """The score of each completion, in the reward model's own unit."""
        texts = [completion[0]["content"] for completion in completions]
        return self.model.score(prompts, texts, bf16=self.bf16)


def main(
    argv: Sequence[str] | None = None, *, reward: Reward | None = None, replay: Callable[..., Any] | None = None
) -> int:
    """Run the stage; the result is `adapter/` in the run folder, the policy alone, and PPO's critic in `critic/`.

    In code, `reward` may stand for a reward model, and `replay` (`alignment.rl.rollouts.Replay`) for sampling.
    """
    arguments = list(sys.argv[1:] if argv is None else argv)
    if wants_help(arguments):
        print(help_text("ppo"))
        return 0
    if wants_search(arguments):
        from alignment.search.trials import search

        return search("ppo", lambda told: main(told, reward=reward, replay=replay), arguments)

    from alignment.rl.settings import settings_class
    from alignment.training.stage import begin, finish, refuse_zero3, train

    with begin("ppo", "prompt", arguments, settings_class(arguments), encoder=prompt_columns) as stage:
        if stage.run.done:
            return 0
        refuse_zero3("ppo")
        reward, scale, source = _reward(stage, reward)
        _check_lengths(stage)
        if stage.recipe.training.algorithm == "ppo":
            trainer = _ppo(stage, reward, scale, source)
        else:
            trainer = _others(stage, reward)
        trainer.replay = replay
        trainer.row_weights = stage.rows.train.weights
        _say_when_saved(stage, trainer)
        figures = train(stage, trainer)
        if stage.recipe.training.algorithm == "ppo":
            figures |= _after_ppo(stage, trainer)
        finish(stage, trainer, figures)
    return 0


def prompt_columns(tokenizer: Any, control: Sequence[str], row: Row) -> dict[str, Any]:
    """The columns of a prompt: the messages, for the reward, and their token ids."""
    from alignment.rows.tokens import prompt_ids

    messages = [{"role": message["role"], "content": message["content"]} for message in row.data["prompt"]]
    return {"prompt": messages, "prompt_ids": prompt_ids(tokenizer, row.data["prompt"], control)}


def _reward(stage: Stage, given: Reward | None) -> tuple[Reward, tuple[float, float], Path | None]:
    """The reward function, the mean and deviation of its scores, and where a critic can start from."""
    from alignment.models import adapter_sha256, base_sha256
    from alignment.rewards.model import load_reward_model

    name = stage.recipe.training.reward_model
    if given is not None:
        return given, (0.0, 1.0), None
    if name is None:
        raise BadInput("Name a reward model: --reward_model out/reward (`python -m alignment.reward` makes one).")
    shared = stage.recipe.training.share_prefixes
    model = load_reward_model(Path(name), share=stage.console.print if shared else None)
    facts, sha256 = model.facts, adapter_sha256(Path(name))
    _same_as_before(stage, "reward_sha256", sha256, f"{name} is not the reward model")
    spread = float(facts.get("std") or 1.0)
    scale = (float(facts.get("mean") or 0.0), spread)
    same = facts.get("base_sha256") == base_sha256(stage.source.base)
    if not same and stage.recipe.training.algorithm == "ppo":
        stage.console.print(f"The reward model is on another base ({model.base}), so the critic starts anew.")
    return ModelReward(model, bf16=stage.recipe.training.bf16), scale, Path(name) if same else None


def _same_as_before(stage: Stage, name: str, sha256: str, what: str) -> None:
    """Note a hash in the manifest. Raises `BadInput` where a resumed run began with another."""
    if stage.run.manifest.get(name, sha256) != sha256:
        raise BadInput(f"{what} that this run began with. Name another --output_dir.")
    stage.run.note(**{name: sha256})


def _watched(stage: Stage) -> list[Row] | None:
    """The held-out preferences to watch by, if there are any."""
    from alignment.rl.watched_pairs import load_pairs
    from alignment.rows.prepare import longest_sequence, preference
    from alignment.rows.tokens import control_strings
    from data.home import file_sha256

    name = stage.recipe.training.watch_name
    if name is None:
        return None
    control, limit = control_strings(stage.tokenizer), _positions(stage)

    def fits(row: Row) -> bool:
        columns = preference(stage.tokenizer, control, row)
        return not isinstance(columns, str) and (limit is None or longest_sequence(columns) <= limit)

    pairs = load_pairs(name, fits)
    _same_as_before(stage, "watch_sha256", file_sha256(Path(name)), f"{name} is not the file of preferences")
    return pairs


def _positions(stage: Stage) -> int | None:
    """How many tokens the base takes, where its configuration says so."""
    from transformers import AutoConfig

    config = AutoConfig.from_pretrained(stage.source.base.path).get_text_config()
    found: int | None = getattr(config, "max_position_embeddings", None)
    return found


def _ppo(stage: Stage, reward: Reward, scale: tuple[float, float], source: Path | None) -> Any:
    from peft import get_peft_model
    from transformers import set_seed

    from alignment.rl.critic import actor_critic
    from alignment.rl.overoptimised import OverOptimisation
    from alignment.rl.samples import forget_samples_after
    from alignment.rl.trainer import Ppo
    from alignment.training.stage import load_policy, name_base, training_arguments

    if not stage.peft:
        raise BadInput("use_peft: policy and critic are adapters that share the frozen base. Leave it on.")
    pairs = _watched(stage)
    policy, lora = load_policy(stage)
    # As TRL does: what loading drew from the random state differs from a process's first model to its second.
    set_seed(stage.recipe.training.seed)
    if lora is not None:
        policy = get_peft_model(policy, lora)
    model = actor_critic(policy, continued=lora is None, reward=source, mean=scale[0], deviation=scale[1])
    name_base(model, stage.source)
    args = training_arguments(stage)
    args.beta = 0.0  # TRL's own reference is not used: the KL is in the rewards
    samples = stage.run.path / "samples.jsonl"
    checkpoint = stage.run.last_checkpoint()
    if stage.run.writes:
        forget_samples_after(samples, int(checkpoint.name.rpartition("-")[2]) if checkpoint else 0)
    trainer = Ppo(
        model=model,
        reward_funcs=[reward],
        args=_stopping(stage, args),
        train_dataset=stage.rows.train.dataset(),
        eval_dataset=stage.rows.held_out.dataset() if stage.rows.held_out.examples else None,
        processing_class=stage.tokenizer,
        scale=scale,
        samples=samples,
        tell=stage.console.print,
    )
    if pairs is not None:
        watch = OverOptimisation(
            lambda: trainer.margins(pairs),
            trainer.rewards,
            stage.run,
            stage.console.print,
            every=args.watch_rollouts,
            steps_per_rollout=trainer.steps_per_rollout,
        )
        trainer.add_callback(watch)
    return trainer


def _others(stage: Stage, reward: Reward) -> Any:
    from alignment.rl.trainer import Grpo, Rloo
    from alignment.training.stage import load_policy, training_arguments

    policy, lora = load_policy(stage)
    # Where all weights are trained, TRL loads the reference once more from the place that this names.
    name, policy.config._name_or_path = policy.config._name_or_path, stage.source.base.path
    try:
        return (Rloo if stage.recipe.training.algorithm == "rloo" else Grpo)(
            model=policy,
            reward_funcs=[reward],
            args=_stopping(stage, training_arguments(stage)),
            train_dataset=stage.rows.train.dataset(),
            eval_dataset=stage.rows.held_out.dataset() if stage.rows.held_out.examples else None,
            processing_class=stage.tokenizer,
            peft_config=lora,
        )
    finally:
        policy.config._name_or_path = name


def _stopping(stage: Stage, args: Any) -> Any:
    """With vLLM the end of turn has to be among its own settings before the trainer starts it."""
    from alignment.rl.rollouts import end_of_turn

    if args.use_vllm:
        args.generation_kwargs = {"stop_token_ids": [end_of_turn(stage.tokenizer)], **(args.generation_kwargs or {})}
    return args


def _check_lengths(stage: Stage) -> None:
    """A prompt and the longest answer must fit the base's positions."""
    limit = _positions(stage)
    examples = [*stage.rows.train.examples, *stage.rows.held_out.examples]
    longest = max(example.tokens for example in examples) + stage.recipe.training.max_completion_length
    if limit and longest > limit:
        raise BadInput(
            f"A prompt and its answer may take {longest} tokens, but {stage.source.base.name} takes {limit}. Lower "
            "max_length (prompts) or max_completion_length (answers)."
        )


def _say_when_saved(stage: Stage, trainer: Any) -> None:
    steps, wanted = trainer.steps_per_rollout, trainer.args.save_steps
    if wanted >= 1 and wanted % steps:
        stage.console.print(
            f"Checkpoints lie at the ends of rollouts only, every {steps} steps: save_steps {wanted:g} comes to "
            f"{-(-wanted // steps) * steps:g}."
        )


def _after_ppo(stage: Stage, trainer: Any) -> dict[str, Any]:
    """Save the critic and the learning curve beside the policy; more figures for the manifest."""
    from alignment.rl.critic import critic_state, save_critic
    from alignment.training.ppo_report import plot_curve
    from data.home import private_dir

    metrics = stage.run.metrics()
    model = trainer.accelerator.unwrap_model(trainer.model)
    critic = critic_state(model)
    if stage.run.writes:
        save_critic(model, private_dir(stage.run.path / "critic"), critic)
        plot_curve(metrics, stage.run.path / "curve.png", f"ppo on {stage.source.base.name}")
    rollouts = [entry for entry in metrics if "kl" in entry]
    names = ("reward", "kl", "kl_coef", "explained_variance", "length")
    return {
        "first_rollout": {name: rollouts[0][name] for name in names} if rollouts else None,
        "last_rollout": {name: rollouts[-1][name] for name in names} if rollouts else None,
        "stopped": trainer.stopped,
    }


if __name__ == "__main__":
    run(main)
