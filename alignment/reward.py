"""A reward model: the model learns to score an answer as people would, from pairs of answers.

    python -m alignment.reward --config alignment/recipes/reward.yaml --model_name_or_path smollm2-135m \\
                               --dataset_name rows.jsonl --output_dir out-reward

Ouyang et al., "Training language models to follow instructions with human feedback", 2022, section 3.5. The result is
one folder, `reward/`: an adapter with a score head, and `reward.json` with how far it can be trusted.
"""

from __future__ import annotations

import dataclasses
import json
import math
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from alignment.training.errors import DIVERGED, Diverged
from alignment.training.recipe import help_text, wants_help, wants_search
from data.errors import BadInput, ParleyError, run

if TYPE_CHECKING:
    from collections.abc import Sequence

    from alignment.rewards.model import RewardModel
    from alignment.rewards.report import Figures
    from alignment.rows.prepare import Examples
    from alignment.training.stage import Stage
    from data.rows import Row

MINIMUM_PAIRS = 4
# Below this many held-out pairs the interval of an accuracy is wider than 0.4: it is shown, with a warning.
FEW_HELD_OUT = 20
# Training answers that mean and deviation of the scores are taken from, evenly over their lengths.
SAMPLED = 64
RELOADED = 1e-4  # by how much a score may differ once the model is loaded from its folder


def main(argv: Sequence[str] | None = None) -> int:
    """Run the stage; the result is `reward/` in the run folder, and applies to the base itself."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    if wants_help(arguments):
        print(help_text("reward"))
        return 0
    if wants_search(arguments):
        from alignment.search.trials import search

        return search("reward", main, arguments)

    from alignment.rewards.trainer import Reward, RewardSettings, graded_preference, load_start
    from alignment.training.stage import begin, refuse_zero3, train, training_arguments

    with begin("reward", "preference", arguments, RewardSettings, encoder=graded_preference) as stage:
        if stage.run.done:
            return 0
        refuse_zero3("reward")
        _check_enough(stage)
        ties = _read_ties(stage)
        model, lora = load_start(stage)
        trainer = Reward(
            model=model,
            args=training_arguments(stage),
            train_dataset=stage.rows.train.dataset(),
            eval_dataset=stage.rows.held_out.dataset() if stage.rows.held_out.examples else None,
            processing_class=stage.tokenizer,
            peft_config=lora,
        )
        trainer.row_weights = stage.rows.train.weights
        _finish(stage, trainer, train(stage, trainer), ties)
    return 0


def _check_enough(stage: Stage) -> None:
    if len(stage.rows.train) < MINIMUM_PAIRS:
        names = ", ".join(stage.recipe.parley.dataset_name or [])
        raise BadInput(
            f"{names}: {len(stage.rows.train)} preferences are left to train on, and a reward model needs at least "
            f"{MINIMUM_PAIRS} (a good one hundreds). Collect more comparisons, or lower eval_fraction."
        )
    held_out = len(stage.rows.held_out)
    if held_out < FEW_HELD_OUT:
        stage.console.print(
            f"Only {held_out} pairs are held out; what is measured on fewer than {FEW_HELD_OUT} says little."
        )


def _read_ties(stage: Stage) -> list[Row]:
    """The rows of `--ties_name` that are short enough to score."""
    from alignment.rewards.trainer import graded_preference
    from alignment.rows.prepare import encode_rows
    from alignment.rows.tokens import control_strings
    from data.rows import read_rows

    settings = stage.recipe.training
    if not settings.ties_name:
        return []
    rows = read_rows(Path(settings.ties_name), "preference")
    control = control_strings(stage.tokenizer)
    kept = encode_rows(graded_preference, stage.tokenizer, control, rows, settings.max_length)
    if kept.dropped:
        reasons = ", ".join(f"{count}: {reason}" for reason, count in kept.dropped.items())
        stage.console.print(f"{settings.ties_name}: {sum(kept.dropped.values())} ties left out ({reasons}).")
    return [example.row for example in kept.examples]


def _finish(stage: Stage, trainer: Any, figures: dict[str, Any], ties: Sequence[Row]) -> Path:
    """Save the model, load it again from what was saved, and measure that."""
    from alignment.rewards.report import plot_rewards, table
    from alignment.training import plots
    from alignment.training.stage import gathered_weights

    run_folder, title = stage.run, f"reward on {stage.source.base.name}"
    weights = gathered_weights(trainer)
    # Without accelerate's wrapper, which calculates in bf16: what is reported is float32.
    model = trainer.accelerator.unwrap_model(trainer.model, keep_fp32_wrapper=False)
    found: Figures | None = None

    def save(folder: Path) -> None:
        nonlocal found
        model.save_pretrained(folder, selected_adapters=["default"], save_embedding_layers=False, state_dict=weights)
        (folder / "README.md").unlink(missing_ok=True)
        loaded = _reloaded(stage, model, folder)
        if weights is None and not getattr(model, "is_quantized", False):
            _compare(model, loaded, _probe_ids(stage))
        scores = _scores(loaded, stage.rows.held_out)
        found = _measured(stage, loaded, scores, ties)
        _write_facts(folder, loaded, stage, found)
        if found:
            plot_rewards(*scores, found, run_folder.path / "rewards.png", title)
            run_folder.note_figures(held_out=found.facts())
        plots.plot_loss(run_folder.metrics(), run_folder.path / "loss.png", title)

    result = run_folder.finish("reward", save, **figures)
    if found:
        stage.console.print(table(found))
        stage.console.print(_worth(found), soft_wrap=True)
    stage.console.print(
        f"reward: {figures['steps']} steps in {figures['seconds']:.0f} s, "
        f"at most {figures['peak_memory_bytes'] / 2**30:.1f} GiB; the result is in {result}",
        soft_wrap=True,
    )
    return result


def _probe_ids(stage: Stage) -> list[list[int]]:
    examples = (stage.rows.held_out.examples or stage.rows.train.examples)[:4]
    return [[*example.columns["prompt_ids"], *example.columns["chosen_ids"]] for example in examples]


def _reloaded(stage: Stage, model: Any, folder: Path) -> RewardModel:
    """The reward model as anybody will load it."""
    from alignment.rewards.model import RewardModel, attach, load_scorer

    if next(model.parameters()).is_cuda and not getattr(model, "is_quantized", False):
        model.to("cpu")  # both would not fit where one just does
    scorer = attach(load_scorer(stage.source.base, seed=1), folder)
    return RewardModel(stage.source.base.name, scorer, stage.tokenizer, {})


def _compare(model: Any, loaded: RewardModel, probes: list[list[int]]) -> None:
    """Raise `ParleyError` when what was saved scores otherwise than what was trained, on the same base.

    (While training, its frozen weights may have been held in bf16.)
    """
    whole = dict(loaded.model.named_parameters())
    for name, parameter in model.named_parameters():
        if not parameter.requires_grad:
            parameter.data = whole[name].data
    model.to(loaded.model.device)
    again = loaded.score_ids(probes)
    trained = dataclasses.replace(loaded, model=model).score_ids(probes)
    if not all(map(math.isfinite, [*trained, *again])):
        raise Diverged(f"The scores are no numbers any more: {DIVERGED}")
    apart = max(abs(one - other) for one, other in zip(trained, again, strict=True))
    if not apart <= RELOADED * max(1.0, *map(abs, trained)):
        raise ParleyError(
            f"The saved reward model scores otherwise than the trained one (by {apart:.2g}); it was not kept. "
            "This is an error of Parley or of the installed PEFT: report it with the manifest."
        )


def _scores(loaded: RewardModel, examples: Examples) -> tuple[list[float], list[float]]:
    columns = [example.columns for example in examples.examples]
    both = [[*row["prompt_ids"], *row[side]] for side in ("chosen_ids", "rejected_ids") for row in columns]
    scores = loaded.score_ids(both)
    return scores[: len(columns)], scores[len(columns) :]


def _measured(
    stage: Stage, loaded: RewardModel, scores: tuple[list[float], list[float]], ties: Sequence[Row]
) -> Figures | None:
    from alignment.rewards.report import length_rule, measure
    from data.rows import content_id

    if not scores[0]:
        return None
    margins = None
    if ties:
        prompts = [row.data["prompt"] for row in ties]
        sides = [
            loaded.score(prompts, [row.data[side][0]["content"] for row in ties]) for side in ("chosen", "rejected")
        ]
        margins = [one - other for one, other in zip(*sides, strict=True)]
    return measure(
        *scores,
        _lengths(stage.rows.held_out),
        rule=length_rule(_lengths(stage.rows.train)),
        prompts=[content_id({"prompt": row["prompt"]}) for row in (e.row.data for e in stage.rows.held_out.examples)],
        ties=margins,
        seed=stage.recipe.training.seed,
    )


def _lengths(examples: Examples) -> list[tuple[int, int]]:
    """Characters of the chosen and of the rejected answers."""
    rows = [example.row.data for example in examples.examples]
    return [(len(row["chosen"][0]["content"]), len(row["rejected"][0]["content"])) for row in rows]


def _write_facts(folder: Path, loaded: RewardModel, stage: Stage, found: Figures | None) -> None:
    import numpy as np

    from alignment.models import adapter_sha256
    from alignment.rewards.model import FACTS
    from alignment.rows.prepare import Examples
    from data.home import write_atomic

    examples = stage.rows.train.examples
    every = max(1, -(-2 * len(examples) // SAMPLED))
    chosen, rejected = _scores(loaded, Examples(examples[::every]))
    manifest = stage.run.manifest
    measured = found.facts() if found else {}
    facts = {
        **{name: manifest[name] for name in ("base", "base_sha256", "tokenizer_sha256", "template_sha256", "seed")},
        "adapter_sha256": adapter_sha256(folder),
        "max_length": stage.recipe.training.max_length,
        "training_pairs": len(examples),
        "mean": round(float(np.mean([*chosen, *rejected])), 6),
        "std": round(float(np.std([*chosen, *rejected])), 6),
        "pairs": measured.get("pairs", 0),
        "accuracy": measured.get("accuracy"),
        "length_accuracy": measured["lengths"]["accuracy"] if measured else None,
        "length_rule": measured["lengths"]["rule"] if measured else None,
        "beyond_length": measured.get("beyond_length"),
        "calibration": measured.get("calibration"),
        "ties": measured.get("ties"),
    }
    write_atomic(folder / FACTS, json.dumps(facts, ensure_ascii=False, indent=2) + "\n")


def _worth(found: Figures) -> str:
    if found.accuracy.low <= 0.5:
        return (
            f"It may know nothing: the interval of its accuracy begins at {found.accuracy.low:.3f}, not above one "
            "half. Train on more pairs before it judges anything."
        )
    if found.beyond_length.low <= 0:
        return (
            "It may know no more than the length of the answers: the interval of what it is right beyond that begins "
            f"at {found.beyond_length.low:+.3f}. It can't be told apart from a ruler on these pairs."
        )
    return "It knows more than chance and more than the length of the answers: both intervals say so."


if __name__ == "__main__":
    run(main)
