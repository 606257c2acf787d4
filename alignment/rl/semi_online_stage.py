"""The DPO stage with `online_every`: what it reads, checks and leaves in the run folder. `semi_online` trains."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from alignment.rl.drawn_pairs import Columns
from alignment.rl.rollouts import say_when_saved
from alignment.rl.samples import forget_samples_after
from alignment.rl.scoring import Score, scoring
from alignment.rl.semi_online import SemiOnlineDpo
from alignment.rows.prepare import Example, Examples, longest_sequence, prepare
from alignment.training import plots, processes
from alignment.training.checkpoints import step_of
from alignment.training.policy import load_policy, load_reference, refuse_zero3
from alignment.training.preflight import check_reference, show_trained
from alignment.training.stage import Stage, finish, note_same, train, trainer_arguments
from data.errors import BadInput


def train_on_drawn_pairs(stage: Stage, reward: Score | None) -> None:
    """Run the DPO stage on pairs that the policy draws. `reward` can replace the reward model, in code.

    Raises `BadInput` for settings that do not go with it.
    """
    _refuse(stage)
    scores = scoring(stage, reward)
    prompts = _prompts(stage)
    # Drawn pairs are new, so their reference cannot be computed before training.
    stage.recipe.training.precompute_ref_log_probs = False
    policy, lora = load_policy(stage)
    reference = load_reference(stage)
    samples = stage.run.path / "samples.jsonl"
    checkpoint = stage.run.last_checkpoint()
    forget_samples_after(samples, step_of(checkpoint))
    trainer = SemiOnlineDpo(
        model=policy,
        ref_model=reference,
        peft_config=lora,
        prompts=prompts,
        offline=stage.rows.train,
        scores=scores,
        samples=samples,
        **{**trainer_arguments(stage), "train_dataset": prompts.dataset()},
    )
    say_when_saved(stage, trainer)
    if checkpoint is None:  # a run that is resumed was checked when it began
        first = trainer.begin()
        show_trained(_with_rows(stage, _examples(first, prompts)))
        check_reference(stage, trainer)
    figures = train(_with_rows(stage, prompts), trainer)
    metrics = stage.run.metrics()
    title = f"dpo on {stage.source.base.name}, new pairs every {trainer.steps_per_rollout} steps"
    plots.plot_curve(metrics, stage.run.path / "curve.png", title, plots.DRAWN_CURVES)
    rewards = [entry["reward"] for entry in metrics if "reward" in entry]
    finish(
        stage,
        trainer,
        {
            **figures,
            "drawn": dict(trainer.counts),
            "first_reward": rewards[0] if rewards else None,
            "last_reward": rewards[-1] if rewards else None,
        },
    )


def _refuse(stage: Stage) -> None:
    settings = stage.recipe.training
    refuse_zero3("online_every")
    if processes.count() > 1:
        raise BadInput(
            "online_every draws pairs in one process. Start it without a launcher, or take `python -m alignment.ppo "
            "--algorithm rloo`, which samples in all of them."
        )
    if settings.sync_ref_model:
        raise BadInput("sync_ref_model does not go with online_every: the reference stays where training began.")
    if settings.demonstration_weight or settings.kept_weight != 1:
        raise BadInput(
            "demonstration_weight and kept_weight are for corrections, and what online_every draws are none. Leave "
            "them out, or train corrections in a stage of their own (alignment/recipes/edits.yaml)."
        )


def _prompts(stage: Stage) -> Examples:
    """The prompts to answer; their hash and counts are noted in the manifest."""
    settings, name = stage.recipe.training, stage.recipe.training.prompts
    room = None if settings.max_length is None else settings.max_length - settings.max_completion_length
    if room is not None and room < 1:
        raise BadInput(
            f"max_length ({settings.max_length}) must be above max_completion_length "
            f"({settings.max_completion_length}): it is for a prompt and its answer."
        )
    found = prepare(
        "prompt",
        stage.tokenizer,
        name,
        eval_fraction=0,
        max_length=room,
        max_dropped=stage.recipe.parley.max_dropped,
        allow_download=stage.recipe.parley.allow_download,
    )
    note_same(stage, "prompts_sha256", found.hashes["train"], f"{name} is not the file of prompts")
    stage.run.note(prompt_rows=found.train.facts())
    stage.console.print(f"  prompts: {found.train.rows}, {settings.num_generations} answers to each")
    return found.train


def _with_rows(stage: Stage, rows: Examples) -> Stage:
    return replace(stage, rows=replace(stage.rows, train=rows))


def _examples(pairs: Sequence[Columns], prompts: Examples) -> Examples:
    """Drawn pairs as rows to show; their numbers are those of the pairs."""
    row = prompts.examples[0].row
    made = [Example(dict(pair), longest_sequence(pair), number, row) for number, pair in enumerate(pairs, start=1)]
    return Examples(made, rows=len(made))
