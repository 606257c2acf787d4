"""Makes the trainers of PPO, RLOO and GRPO for a stage, and saves PPO's critic."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from peft import get_peft_model
from transformers import set_seed

from alignment.models import positions
from alignment.rl.critic import actor_critic, critic_state, save_critic
from alignment.rl.groups import Grpo, Rloo
from alignment.rl.overoptimised import OverOptimisation
from alignment.rl.rollouts import end_of_turn
from alignment.rl.samples import forget_samples_after
from alignment.rl.scoring import Scoring
from alignment.rl.trainer import Ppo
from alignment.rl.watched_pairs import load_pairs
from alignment.rows.prepare import longest_sequence, preference
from alignment.rows.tokens import control_strings
from alignment.training.checkpoints import step_of
from alignment.training.plots import plot_curve
from alignment.training.policy import load_policy
from alignment.training.stage import Stage, name_base, note_same, trainer_arguments
from data.errors import BadInput
from data.home import private_dir, rows_sha256
from data.rows import Row


def ppo_trainer(stage: Stage, scoring: Scoring) -> Ppo:
    """PPO's trainer, with a policy and a critic on one frozen base."""
    if not stage.peft:
        raise BadInput("use_peft: policy and critic are adapters that share the frozen base. Leave it on.")
    pairs = _watched_pairs(stage)
    policy, lora = load_policy(stage)
    # As TRL does: a process's first model draws more from the random state while it loads than its second.
    set_seed(stage.recipe.training.seed)
    if lora is not None:
        policy = get_peft_model(policy, lora)
    mean = scoring.mean + scoring.doubt
    model = actor_critic(
        policy, continued=lora is None, reward=scoring.critic, mean=mean, deviation=scoring.deviation
    )
    name_base(model, stage.source)
    samples = stage.run.path / "samples.jsonl"
    checkpoint = stage.run.last_checkpoint()
    if stage.run.writes:
        forget_samples_after(samples, step_of(checkpoint))
    arguments = _arguments(stage)
    arguments["args"].beta = 0.0  # TRL's own reference is not used: the KL is in the rewards
    trainer = Ppo(
        model=model,
        reward_funcs=[scoring.score],
        scale=(scoring.mean, scoring.deviation),
        samples=samples,
        tell=stage.console.print,
        **arguments,
    )
    if pairs is not None:
        watch = OverOptimisation(
            lambda: trainer.margins(pairs),
            trainer.rewards,
            stage.run,
            stage.console.print,
            every=trainer.args.watch_rollouts,
            steps_per_rollout=trainer.steps_per_rollout,
        )
        trainer.add_callback(watch)
    return trainer


def group_trainer(stage: Stage, scoring: Scoring) -> Rloo | Grpo:
    """RLOO's or GRPO's trainer, which compare the answers to one prompt with each other."""
    policy, lora = load_policy(stage)
    # If all weights are trained, TRL loads the reference again from the place named here.
    name, policy.config._name_or_path = policy.config._name_or_path, stage.source.base.path
    kind = Rloo if stage.recipe.training.algorithm == "rloo" else Grpo
    try:
        return kind(model=policy, reward_funcs=[scoring.score], peft_config=lora, **_arguments(stage))
    finally:
        policy.config._name_or_path = name


def _arguments(stage: Stage) -> dict[str, Any]:
    """Arguments of all three trainers. vLLM's own settings need the end of turn before the trainer starts it."""
    arguments = trainer_arguments(stage)
    args = arguments["args"]
    if args.use_vllm:
        args.generation_kwargs = {"stop_token_ids": [end_of_turn(stage.tokenizer)], **(args.generation_kwargs or {})}
    return arguments


def _watched_pairs(stage: Stage) -> list[Row] | None:
    """The held-out preferences of the over-optimisation watch, if there are any."""
    name = stage.recipe.training.watch_name
    if name is None:
        return None
    control, limit = control_strings(stage.tokenizer), positions(stage.source.base)

    def fits(row: Row) -> bool:
        columns = preference(stage.tokenizer, control, row)
        return not isinstance(columns, str) and (limit is None or longest_sequence(columns) <= limit)

    pairs = load_pairs(name, fits)
    note_same(stage, "watch_sha256", rows_sha256(Path(name)), f"{name} is not the file of preferences")
    return pairs


def check_lengths(stage: Stage) -> None:
    """Raise `BadInput` if a prompt and the longest answer do not fit the base's positions."""
    limit = positions(stage.source.base)
    examples = [*stage.rows.train.examples, *stage.rows.held_out.examples]
    longest = max(example.tokens for example in examples) + stage.recipe.training.max_completion_length
    if limit and longest > limit:
        raise BadInput(
            f"A prompt and its answer may take {longest} tokens, but {stage.source.base.name} takes {limit}. Lower "
            "max_length (prompts) or max_completion_length (answers)."
        )


def keep_critic(stage: Stage, trainer: Ppo) -> dict[str, Any]:
    """Save the critic and the learning curve beside the policy; returns more figures for the manifest."""
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
