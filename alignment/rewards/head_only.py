"""The recipe for few pairs: only the score head is trained, on what the frozen base makes of whole conversations.

An adapter has more numbers than a few hundred pairs can settle. The head alone has as many as the base's hidden state
is wide, each conversation is computed once, and the penalty on the head is chosen on training pairs that are held out
(see `alignment.rewards.logistic`). The result has the usual form: its adapter changes nothing yet, so a critic starts
from it as from any reward model.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from peft import get_peft_model

from alignment.fast.install import share_prefixes, shares
from alignment.gpu import on_gpu
from alignment.rewards.logistic import Fitted, fit
from alignment.rewards.result import keep
from alignment.rewards.trainer import load_start
from alignment.rows.batching import batches, padded, related
from alignment.rows.prepare import Examples
from alignment.training import processes
from alignment.training.machine import peak_memory
from alignment.training.stage import Stage, name_base
from data.errors import BadInput
from data.rows import Row, content_id

BATCH_TOKENS = 4096


def train_head(stage: Stage, ties: Sequence[Row]) -> Path:
    """Fit a head, save it with an adapter that changes nothing, and measure what was saved; returns its folder.

    Raises `BadInput` for settings that ask for something else than a head on the base itself.
    """
    _refuse(stage)
    started = time.monotonic()
    scorer, lora = load_start(stage)
    scorer = on_gpu(scorer.requires_grad_(False).eval())
    if stage.recipe.training.share_prefixes:
        share_prefixes(scorer, stage.console.print)
    examples = stage.rows.train.examples
    found = hidden_states(scorer, stage.tokenizer.pad_token_id, _conversations(stage.rows.train))
    fitted = fit(
        found[: len(examples)] - found[len(examples) :],
        [content_id({"prompt": example.row.data["prompt"]}) for example in examples],
        margins=[example.columns["margin"] for example in examples],
        counts=stage.rows.train.weights,
    )
    with torch.no_grad():
        scorer.score.weight.copy_(torch.from_numpy(fitted.weights)[None])
    model = get_peft_model(scorer, lora)
    name_base(model, stage.source)
    _tell(stage, fitted)
    figures = {
        "eval_before": {},
        "eval_after": {},
        "penalty": fitted.l2,
        "cross_validated_loss": round(fitted.loss, 6),
        "steps": 1,
        "tokens": stage.rows.train.tokens,
        "seconds": round(time.monotonic() - started, 1),
        "peak_memory_bytes": peak_memory(),
    }
    return keep(stage, model, figures, ties)


def hidden_states(scorer: Any, pad: int, sequences: Sequence[Sequence[int]]) -> NDArray[np.float64]:
    """For each conversation (its token ids), the hidden state that the scorer's head turns into its score.

    That is the last layer's, at the conversation's last token. Shape (conversations, hidden).
    """
    device = next(scorer.parameters()).device
    lengths = [len(ids) for ids in sequences]
    seen: list[torch.Tensor] = []
    found = np.zeros((len(sequences), scorer.score.in_features))
    hook = scorer.score.register_forward_pre_hook(lambda _module, inputs: seen.append(inputs[0]))
    try:
        with torch.no_grad():
            for batch in related(sequences, BATCH_TOKENS) if shares(scorer) else batches(lengths, BATCH_TOKENS):
                ids, mask = padded([sequences[index] for index in batch], pad)
                scorer(input_ids=ids.to(device), attention_mask=mask.to(device))
                found[batch] = seen.pop().double().cpu().numpy()
    finally:
        hook.remove()
    return found


def _conversations(examples: Examples) -> list[list[int]]:
    """All chosen conversations, then all rejected ones."""
    columns = [example.columns for example in examples.examples]
    return [[*row["prompt_ids"], *row[side]] for side in ("chosen_ids", "rejected_ids") for row in columns]


def _refuse(stage: Stage) -> None:
    if stage.source.adapter is not None:
        raise BadInput(
            f"head_only fits a head to the base itself, and {stage.source.adapter} is an adapter. Name its base in "
            "--model_name_or_path, or leave head_only off."
        )
    settings = stage.recipe.training
    for name, asked in (("heads", settings.heads > 1), ("thumbs_name", bool(settings.thumbs_name))):
        if asked:
            raise BadInput(f"head_only fits one head to pairs alone. Leave out {name}, or leave head_only off.")
    if stage.observer is not None:
        raise BadInput("head_only leaves nothing to search: it chooses its penalty itself. Leave --search out.")
    if processes.count() > 1:
        raise BadInput("head_only runs in one process: start it without a launcher, or leave head_only off.")


def _tell(stage: Stage, fitted: Fitted) -> None:
    stage.console.print(
        f"The head alone was fitted, with the penalty {fitted.l2:g}. On training pairs that were held out to choose "
        f"it, the loss is {fitted.loss:.3f} (0.693: chance).",
        soft_wrap=True,
    )
