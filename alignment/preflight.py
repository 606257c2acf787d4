"""Looked at before the first step: what is trained, and that DPO starts where its reference stands."""

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import groupby
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.text import Text

from alignment.prepare import Example
from data.errors import ParleyError
from data.home import write_atomic

_SHOWN_CONTEXT = 160  # characters of an untrained stretch on the screen; the file has all of it


def trained_text(tokenizer: Any, example: Example) -> list[tuple[str, bool]]:
    """A row as the model sees it, in stretches: the text, and whether its tokens are trained."""
    columns = example.columns
    if "labels" in columns:
        parts = [(token, label != -100) for token, label in zip(columns["input_ids"], columns["labels"], strict=True)]
    else:
        parts = [(token, False) for token in columns["prompt_ids"]]
        parts += [(token, True) for token in columns["chosen_ids"]]
    return [
        (tokenizer.decode([token for token, _ in group], clean_up_tokenization_spaces=False), trained)
        for trained, group in groupby(parts, key=lambda part: part[1])
    ]


def show_trained(tokenizer: Any, examples: Sequence[Example], console: Console, path: Path) -> None:
    """Show three rows with the untrained parts dimmed, and write them in full to a private file.

    In the file, trained stretches stand between ⟦ and ⟧. Of a preference the chosen answer is shown. The rows are
    people's words: where the output is no terminal, but a log perhaps, only the file's name is printed.
    """
    shown = [examples[len(examples) * part // 4] for part in (1, 2, 3)] if len(examples) > 3 else examples
    written = []
    if console.is_terminal:
        console.print("[bold]What is trained[/bold] (three rows; the dim part is only read):")
    else:
        console.print(f"What is trained of three rows stands in {path}.")
    for example in shown:
        stretches = trained_text(tokenizer, example)
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
    losses: Sequence[str], weights: Sequence[float], beta: float, label_smoothing: float = 0.0, tau: float = 0.05
) -> float | None:
    """What TRL's DPO losses come to when policy and reference agree; None if one depends on the rows themselves.

    `tau` is DiscoPOP's temperature: at a ratio of zero its mixture is half and half whatever the temperature.
    """
    del tau
    eps = label_smoothing
    log2 = math.log(2)
    known: dict[str, Callable[[], float]] = {
        "sigmoid": lambda: log2,
        "sigmoid_norm": lambda: log2,
        "robust": lambda: log2,
        "aot": lambda: log2,
        "aot_unpaired": lambda: log2,
        "hinge": lambda: 1.0,
        "ipo": lambda: (1 / (2 * beta)) ** 2,
        "exo_pair": lambda: -log2 - (math.log1p(-eps) + math.log(eps)) / 2,
        "nca_pair": lambda: 2 * log2,
        "bco_pair": lambda: 2 * log2,
        "sppo_hard": lambda: 2 * (0.5 / beta) ** 2,
        "apo_zero": lambda: 1.0,
        "apo_down": lambda: 1.0,
        "discopop": lambda: (log2 + 1) / 2,
    }
    if any(loss not in known for loss in losses):
        return None
    return sum(weight * known[loss]() for loss, weight in zip(losses, weights, strict=True))


def check_reference(trainer: Any, *, tolerance: float = 1e-4) -> float:
    """Check on two rows that DPO's policy is its reference, and that the loss is what it must be there.

    Runs without dropout and without autocast, so in float32 unless the frozen base is stored in bf16 (on a GPU),
    where both sides still do the very same arithmetic. Returns the loss. Raises `ParleyError` with the reason when a
    token's log-ratio exceeds `tolerance`, or the loss is off by more than 1e-3.
    """
    import torch
    from trl.trainer.utils import use_adapter

    model = trainer.model
    rows = [trainer.train_dataset[index] for index in range(min(2, len(trainer.train_dataset)))]
    batch = {name: tensor.to(model.device) for name, tensor in trainer.data_collator(rows).items()}
    completion = batch["completion_mask"]
    inputs = {
        "input_ids": batch["input_ids"],
        "attention_mask": batch["attention_mask"],
        "labels": batch["input_ids"].masked_fill(completion == 0, -100),
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
        batch["ref_chosen_logps"], batch["ref_rejected_logps"] = reference.sum(dim=1).chunk(2)
        loss = float(trainer.compute_loss(model, batch))
    if not worst < tolerance:
        raise ParleyError(
            f"DPO does not start from its reference: a token's log-probability differs by {worst:.2g} (allowed: "
            f"{tolerance:g}). The model that is trained is not the one that the reference was made of; start from a "
            "saved adapter or a directory on disk."
        )
    args = trainer.args
    expected = zero_ratio_loss(trainer.loss_types, trainer.loss_weights, args.beta, args.label_smoothing)
    if (
        expected is not None
        and not args.use_weighting
        and not trainer.aux_loss_enabled
        and abs(loss - expected) > 1e-3
    ):
        raise ParleyError(
            f"The DPO loss is {loss:.4f} where policy and reference agree; {'+'.join(trainer.loss_types)} must be "
            f"{expected:.4f} there. The rows or the loss function are not what they seem."
        )
    return loss


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
