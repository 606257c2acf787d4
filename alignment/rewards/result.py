"""The reward stage's work around training: enough rows, ties, and a result that is loaded again and measured."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from alignment.models import adapter_sha256
from alignment.rewards.heads import spread
from alignment.rewards.model import FACTS, RewardModel, attach, load_scorer
from alignment.rewards.report import FEW_HELD_OUT, Figures, length_rule, measure, plot_rewards, table, worth
from alignment.rewards.trainer import graded_preference
from alignment.rows.prepare import Examples, encode_rows
from alignment.rows.tokens import control_strings
from alignment.training import plots
from alignment.training.errors import DIVERGED, Diverged
from alignment.training.stage import Stage, gathered_weights, save_adapter
from alignment.training.telling import say_end
from data.errors import BadInput, ParleyError
from data.home import write_atomic
from data.rows import Row, content_id, read_rows

MINIMUM_PAIRS = 4
# How many training answers, evenly over their lengths, give the mean and deviation of the scores.
SAMPLED = 64
RELOADED = 1e-4  # by how much a score may differ once the model is loaded from its folder


def check_enough(stage: Stage) -> None:
    """Warn of few held-out pairs. Raises `BadInput` if too few pairs are left to train on."""
    if len(stage.rows.train) < MINIMUM_PAIRS:
        names = ", ".join(stage.recipe.parley.dataset_name or [])
        raise BadInput(
            f"{names}: {len(stage.rows.train)} preferences are left to train on, and a reward model needs at least "
            f"{MINIMUM_PAIRS} (a good one hundreds). Collect more comparisons, or lower eval_fraction."
        )
    held_out = len(stage.rows.held_out)
    if held_out < FEW_HELD_OUT:
        stage.console.print(f"Only {held_out} pairs are held out; figures on fewer than {FEW_HELD_OUT} say little.")


def read_ties(stage: Stage) -> list[Row]:
    """The rows of `--ties_name` that are short enough to score."""
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


def finish(stage: Stage, trainer: Any, figures: dict[str, Any], ties: Sequence[Row]) -> Path:
    """Save the model, load it again from what was saved, and measure what was loaded."""
    run_folder, title = stage.run, f"reward on {stage.source.base.name}"
    weights = gathered_weights(trainer)
    # Without accelerate's wrapper, which computes in bf16: the figures are float32's.
    model = trainer.accelerator.unwrap_model(trainer.model, keep_fp32_wrapper=False)
    found: Figures | None = None

    def save(folder: Path) -> None:
        nonlocal found
        save_adapter(model, folder, weights)
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
        stage.console.print(worth(found), soft_wrap=True)
    say_end(stage.console, "reward", run_folder.manifest.figures, result)
    return result


def _probe_ids(stage: Stage) -> list[list[int]]:
    examples = (stage.rows.held_out.examples or stage.rows.train.examples)[:4]
    return [[*example.columns["prompt_ids"], *example.columns["chosen_ids"]] for example in examples]


def _reloaded(stage: Stage, model: Any, folder: Path) -> RewardModel:
    """The reward model as others will load it."""
    if next(model.parameters()).is_cuda and not getattr(model, "is_quantized", False):
        model.to("cpu")  # both might not fit where one does
    scorer = attach(load_scorer(stage.source.base, seed=1, heads=stage.recipe.training.heads), folder)
    return RewardModel(stage.source.base.name, scorer, stage.tokenizer, {})


def _compare(model: Any, loaded: RewardModel, probes: list[list[int]]) -> None:
    """Raise `ParleyError` when the saved adapter scores differently from the trained one, on the same base.

    (The training may have held the frozen weights in bf16.)
    """
    whole = dict(loaded.model.named_parameters())
    for name, parameter in model.named_parameters():
        if not parameter.requires_grad:
            parameter.data = whole[name].data
    model.to(loaded.model.device)
    again = loaded.score_ids(probes)
    trained = dataclasses.replace(loaded, model=model).score_ids(probes)
    if not all(map(math.isfinite, [*trained, *again])):
        raise Diverged(f"The scores are no longer finite: {DIVERGED}")
    apart = max(abs(one - other) for one, other in zip(trained, again, strict=True))
    if not apart <= RELOADED * max(1.0, *map(abs, trained)):
        raise ParleyError(
            f"The saved reward model scores otherwise than the trained one (by {apart:.2g}); it was not kept. "
            "This is an error of Parley or of the installed PEFT: report it with the manifest."
        )


def _scores(loaded: RewardModel, examples: Examples) -> tuple[list[float], list[float]]:
    scores = loaded.score_ids(_conversations(examples))
    return scores[: len(examples)], scores[len(examples) :]


def _conversations(examples: Examples) -> list[list[int]]:
    """The token ids of all chosen conversations, then of all rejected ones."""
    columns = [example.columns for example in examples.examples]
    return [[*row["prompt_ids"], *row[side]] for side in ("chosen_ids", "rejected_ids") for row in columns]


def _measured(
    stage: Stage, loaded: RewardModel, scores: tuple[list[float], list[float]], ties: Sequence[Row]
) -> Figures | None:
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
    examples = stage.rows.train.examples
    every = max(1, -(-2 * len(examples) // SAMPLED))
    heads = np.asarray(loaded.head_scores(_conversations(Examples(examples[::every]))), dtype=np.float64)
    scores = heads.mean(axis=1)
    manifest = stage.run.manifest
    measured = found.facts() if found else {}
    facts = {
        "base": manifest.base,
        "base_sha256": manifest.base_sha256,
        "tokenizer_sha256": manifest.tokenizer_sha256,
        "template_sha256": manifest.template_sha256,
        "seed": manifest.seed,
        "adapter_sha256": adapter_sha256(folder),
        "max_length": stage.recipe.training.max_length,
        "training_pairs": len(examples),
        "mean": round(float(scores.mean()), 6),
        "std": round(float(scores.std()), 6),
        "pairs": measured.get("pairs", 0),
        "accuracy": measured.get("accuracy"),
        "length_accuracy": measured["lengths"]["accuracy"] if measured else None,
        "length_rule": measured["lengths"]["rule"] if measured else None,
        "beyond_length": measured.get("beyond_length"),
        "calibration": measured.get("calibration"),
        "ties": measured.get("ties"),
    }
    if heads.shape[1] > 1:
        centres = torch.tensor(heads.mean(axis=0))
        facts |= {
            "heads": heads.shape[1],
            "head_means": [round(mean, 6) for mean in centres.tolist()],
            "spread": round(float(spread(torch.tensor(heads), centres).mean()), 6),
        }
    if thumbs := manifest.more.get("thumbs"):
        facts["training_thumbs"] = thumbs["rows"]
    write_atomic(folder / FACTS, json.dumps(facts, ensure_ascii=False, indent=2) + "\n")
