"""Before the first step: show which tokens are trained, and check that DPO and KTO start at their reference."""

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import groupby
from typing import Any

import torch
from rich.text import Text
from trl.trainer.utils import use_adapter

from alignment.rows.prepare import Example
from alignment.training.edits import demonstration_loss
from alignment.training.stage import Stage
from data.errors import ParleyError
from data.home import write_atomic

_SHOWN_CONTEXT = 160  # characters of an untrained part that the screen shows; the file has all of it

# TRL's DPO losses, and the value of each when policy and reference agree. Three depend on beta or label_smoothing,
# `sft` on the rows themselves.
_FIXED = {
    **dict.fromkeys(("sigmoid", "sigmoid_norm", "robust", "aot", "aot_unpaired"), math.log(2)),
    **dict.fromkeys(("nca_pair", "bco_pair"), 2 * math.log(2)),
    **dict.fromkeys(("hinge", "apo_zero", "apo_down"), 1.0),
    "discopop": (math.log(2) + 1) / 2,  # an even mixture there, whatever its temperature
}
DPO_LOSSES = (*_FIXED, "ipo", "sppo_hard", "exo_pair", "sft")


def trained_text(tokenizer: Any, example: Example) -> list[tuple[str, bool]]:
    """A row as the model sees it, in parts: the text, and whether its tokens are trained."""
    columns = example.columns
    if "labels" in columns:
        parts = [(token, label != -100) for token, label in zip(columns["input_ids"], columns["labels"], strict=True)]
    else:
        parts = [(token, False) for token in columns["prompt_ids"]]
        parts += [(token, True) for token in columns.get("chosen_ids", columns.get("completion_ids", ()))]
    return [
        (tokenizer.decode([token for token, _ in group], clean_up_tokenization_spaces=False), trained)
        for trained, group in groupby(parts, key=lambda part: part[1])
    ]


def show_trained(stage: Stage) -> None:
    """Show three rows with the untrained parts dimmed, and write them in full to a private file.

    In the file, trained parts stand between ⟦ and ⟧. Of a preference the chosen answer is shown. Rows are people's
    texts: if the output is not a terminal (it may be a log), only the file's name is printed.
    """
    examples, console, path = stage.rows.train.examples, stage.console, stage.run.path / "trained_tokens.txt"
    shown = [examples[len(examples) * part // 4] for part in (1, 2, 3)] if len(examples) > 3 else examples
    written = []
    if console.is_terminal:
        console.print("[bold]What is trained[/bold] (three rows; the dim part is only read):")
    else:
        console.print(f"{path} shows which tokens of three rows are trained.")
    for example in shown:
        stretches = trained_text(stage.tokenizer, example)
        line = Text(f"row {example.line}: ", style="cyan")
        for text, trained in stretches:
            short = text if trained or len(text) <= _SHOWN_CONTEXT else f"... {text[-_SHOWN_CONTEXT:]}"
            line.append(short.replace("\n", "⏎"), style="green" if trained else "dim")
        if console.is_terminal:
            console.print(line)
        whole = "".join(f"⟦{text}⟧" if trained else text for text, trained in stretches)
        written.append(f"--- row {example.line}\n{whole}\n")
    write_atomic(path, "\n".join(written))


def zero_ratio_loss(
    losses: Sequence[str], weights: Sequence[float], beta: float, label_smoothing: float = 0.0
) -> float | None:
    """The value of TRL's DPO losses when policy and reference agree; None if one depends on the rows themselves."""
    starts = dict(_FIXED)
    starts["ipo"] = (1 / (2 * beta)) ** 2
    starts["sppo_hard"] = 2 * (0.5 / beta) ** 2
    if 0 < label_smoothing < 1:
        starts["exo_pair"] = -math.log(2) - (math.log1p(-label_smoothing) + math.log(label_smoothing)) / 2
    if any(loss not in starts for loss in losses):
        return None
    return sum(weight * starts[loss] for loss, weight in zip(losses, weights, strict=True))


def check_reference(stage: Stage, trainer: Any) -> None:
    """Check that DPO's or KTO's policy is its reference before training, and print where the loss starts."""
    loss = loss_at_reference(trainer)
    stage.console.print(f"Policy equals reference on two rows; the loss starts at {loss:.4f}.")


def loss_at_reference(trainer: Any, *, tolerance: float = 1e-4) -> float:
    """The loss of DPO or KTO on two rows, where the policy must equal its reference.

    Runs without dropout and without autocast, so in float32 unless the frozen base is stored in bf16 (on a GPU),
    where both sides still do exactly the same arithmetic. Raises `ParleyError` with the reason when a
    token's log-ratio exceeds `tolerance`, or the loss is off by more than 1e-3.
    """
    model, name = trainer.model, trainer._name
    batch = {key: tensor.to(model.device) for key, tensor in trainer.data_collator(_two_rows(trainer)).items()}
    inputs = {
        "input_ids": batch["input_ids"],
        "attention_mask": batch["attention_mask"],
        "labels": batch["input_ids"].masked_fill(batch["completion_mask"] == 0, -100),
        "use_cache": False,
        "fused_lm_head": True,
    }
    with _evaluating(trainer), torch.no_grad(), torch.autocast(model.device.type, enabled=False):
        policy = model(**inputs).log_probs
        if trainer.ref_model is not None:
            reference = trainer.ref_model(**inputs).log_probs
        else:
            with use_adapter(model, "ref" if "ref" in model.peft_config else None):
                reference = model(**inputs).log_probs
        worst = float((policy - reference).abs().max())
        weights = None if "label" in batch else trainer.token_weights(batch)
        sums = (reference if weights is None else reference * weights).sum(dim=1)
        if "label" in batch:
            batch["ref_logps"] = sums
        else:
            batch["ref_chosen_logps"], batch["ref_rejected_logps"] = sums.chunk(2)
        loss = float(trainer.compute_loss(model, batch))
    if not worst < tolerance:
        raise ParleyError(
            f"{name} does not start from its reference: a token's log-probability differs by {worst:.2g} (allowed: "
            f"{tolerance:g}). The model that is trained is not the one that the reference was made of; start from a "
            "saved adapter or a directory on disk."
        )
    expected = _first_loss(trainer, batch)
    if expected is not None and weights is not None:
        expected += trainer.args.demonstration_weight * float(demonstration_loss(reference, weights))
    if expected is not None and abs(loss - expected) > 1e-3:
        losses = [trainer.args.loss_type] if isinstance(trainer.args.loss_type, str) else trainer.args.loss_type
        raise ParleyError(
            f"The {name} loss is {loss:.4f} where policy and reference agree; {'+'.join(losses)} must be "
            f"{expected:.4f} there. The rows or the loss function are not what they seem."
        )
    return loss


def _two_rows(trainer: Any) -> list[dict[str, Any]]:
    rows = trainer.train_dataset
    if "label" in rows.column_names:  # a thumb up and a thumb down
        labels = rows["label"]
        return [rows[list(labels).index(side)] for side in (True, False)]
    return [rows[index] for index in range(min(2, len(rows)))]


def _first_loss(trainer: Any, batch: dict[str, Any]) -> float | None:
    """The loss where policy and reference agree; None if it depends on more than that."""
    args = trainer.args
    if trainer.aux_loss_enabled or getattr(args, "use_weighting", False):
        return None
    if "label" in batch:
        # It is a half for each row: its log-ratio and the KL term that it is compared with are both zero.
        weights = [args.desirable_weight if label else args.undesirable_weight for label in batch["label"].tolist()]
        return float(sum(weights) / len(weights) / 2)
    return zero_ratio_loss(trainer.loss_types, trainer.loss_weights, args.beta, args.label_smoothing)


@contextmanager
def _evaluating(trainer: Any) -> Iterator[None]:
    """Dropout off; the trainer's running metrics as they were."""
    training = trainer.model.training
    trainer.model.eval()
    try:
        yield
    finally:
        trainer.model.train(training)
        trainer._metrics["eval"].clear()
