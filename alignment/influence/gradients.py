"""Gradients of rows and of answers in the weights of an adapter, one at a time.

A row's gradient is that of its own loss, as its stage trains it: the negative log-likelihood of SFT, DPO's loss with
the weights of `alignment.training.edits`, KTO's loss. An answer's gradient is that of its log-likelihood. Two things
are simpler here than in a stage. Of DPO's losses only the sigmoid is known: the others weigh the same difference of
two gradients otherwise. And KTO's KL term, which a stage estimates from the rest of a batch, is zero.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor
from torch.nn.functional import logsigmoid

from alignment.fast.install import fuse, fused_head, share_prefixes
from alignment.gpu import on_gpu
from alignment.models import ADAPTER_WEIGHTS, Base, load_adapter, load_base
from alignment.rows.batching import padded
from alignment.rows.tokens import EncodedAnswer
from alignment.training.edits import demonstration_loss, token_weights
from data.errors import BadInput

_IGNORED = -100


@dataclass(frozen=True, slots=True)
class Loss:
    """The loss of a stage (`sft`, `dpo` or `kto`), with the settings that it has in the recipes."""

    stage: str
    beta: float = 0.1
    demonstration_weight: float = 0.0
    kept_weight: float = 1.0


@dataclass(frozen=True, slots=True)
class Example:
    """A row's sequences of token ids, with labels of -100 where nothing is trained.

    Of a pair the chosen one comes first. `label` is that of a labelled completion.
    """

    ids: list[list[int]]
    labels: list[list[int]]
    label: bool = True

    @property
    def tokens(self) -> int:
        """The length of the longest sequence."""
        return max(map(len, self.ids))


def example(columns: Mapping[str, Any]) -> Example:
    """A row as an example, from the columns that its trainer gets (`alignment.rows.prepare`)."""
    if "labels" in columns:
        return Example([columns["input_ids"]], [columns["labels"]])
    answers = [columns[name] for name in ("chosen_ids", "rejected_ids", "completion_ids") if name in columns]
    made = [_answered(EncodedAnswer(columns["prompt_ids"], answer)) for answer in answers]
    return Example([ids for ids, _ in made], [labels for _, labels in made], bool(columns.get("label", True)))


def _answered(answer: EncodedAnswer) -> tuple[list[int], list[int]]:
    return [*answer.prompt, *answer.answer], [*[_IGNORED] * len(answer.prompt), *answer.answer]


class Adapted:
    """A base with an adapter, whose weights can be moved along the way on which a stage moved them.

    `start` is the adapter that the stage continued, `end` the one that it made. Without a `start`, or with one of
    another shape, the way begins where a new adapter does: with the factors B at zero, so that it changes nothing.
    (The factors A of a new adapter are drawn by chance and hardly move, so `end`'s stand for them.)
    """

    def __init__(self, base: Base | str, start: Path | None, end: Path, pad: int) -> None:
        on_cpu = not torch.cuda.is_available()
        self.model = on_gpu(load_adapter(load_base(base, dtype="float32" if on_cpu else "auto"), end, trainable=True))
        self.pad = pad
        self.model.eval()
        inner = self.model.get_base_model()
        share_prefixes(inner)
        fused_head()(inner)
        fuse(self.model)
        named = [(name, each) for name, each in self.model.named_parameters() if each.requires_grad]
        if not named:
            raise BadInput(f"{end} has no weights that were trained.")
        self.parameters = [each for _, each in named]
        self._end = [each.detach().clone() for each in self.parameters]
        self._start = _weights(start, [name for name, _ in named], self._end)

    @property
    def size(self) -> int:
        """How many weights the adapter has."""
        return sum(each.numel() for each in self.parameters)

    @property
    def tensors(self) -> list[int]:
        """How many weights each of its tensors has, in the order of a gradient."""
        return [each.numel() for each in self.parameters]

    def move(self, share: float) -> None:
        """Put the weights on the straight way from start (0) to end (1)."""
        for each, first, last in zip(self.parameters, self._start, self._end, strict=True):
            each.data.copy_(torch.lerp(first, last, share))

    def log_probs(self, made: Example) -> Tensor:
        """The log-probability of each token but the first, (sequences, tokens - 1); 0 where nothing is trained."""
        ids, mask = padded(made.ids, self.pad)
        labels = torch.full_like(ids, _IGNORED)
        for row, given in enumerate(made.labels):
            labels[row, : len(given)] = torch.tensor(given)
        device = self.model.device
        inputs = {"input_ids": ids.to(device), "attention_mask": mask.to(device), "labels": labels.to(device)}
        found: Tensor = self.model(**inputs, fused_lm_head=True, use_cache=False).log_probs
        return found

    def sums(self, made: Example, loss: Loss) -> Tensor:
        """The log-probabilities of a row's sequences in nats, weighed as the stage weighs their tokens."""
        with torch.no_grad():
            return (self.log_probs(made) * self._token_weights(made, loss)).sum(dim=1)

    def of_answer(self, answer: EncodedAnswer) -> Tensor:
        """The gradient of an answer's log-likelihood: a vector of `size` on the CPU, in float32."""
        ids, labels = _answered(answer)
        return self._gradient(self.log_probs(Example([ids], [labels])).sum())

    def likelihood(self, answer: EncodedAnswer) -> float:
        """An answer's log-probability in nats, end-of-turn included."""
        ids, labels = _answered(answer)
        with torch.no_grad():
            return float(self.log_probs(Example([ids], [labels])).double().sum())

    def of_row(self, made: Example, loss: Loss, reference: Tensor) -> Tensor:
        """The gradient of a row's loss, as `of_answer`; `reference` are its `sums` where the stage began."""
        log_probs, weights = self.log_probs(made), self._token_weights(made, loss)
        if loss.stage == "sft":
            trained = sum(token != _IGNORED for labels in made.labels for token in labels)
            return self._gradient(-log_probs.sum() / max(trained, 1))
        moved = loss.beta * ((log_probs * weights).sum(dim=1) - reference.to(log_probs.device))
        if loss.stage == "kto":
            return self._gradient(1 - torch.sigmoid(moved[0] if made.label else -moved[0]))
        value = -logsigmoid(moved[0] - moved[1])
        if loss.demonstration_weight:
            value = value + loss.demonstration_weight * demonstration_loss(log_probs, weights)
        return self._gradient(value)

    def _token_weights(self, made: Example, loss: Loss) -> Tensor:
        """Shape (sequences, tokens - 1)."""
        ids, _ = padded(made.ids, self.pad)
        trained = torch.zeros(ids.shape, dtype=torch.bool)
        for row, labels in enumerate(made.labels):
            trained[row, : len(labels)] = torch.tensor([token != _IGNORED for token in labels])
        if loss.stage != "dpo" or loss.kept_weight == 1:
            return trained[:, 1:].float().to(self.model.device)
        return token_weights(ids, trained, loss.kept_weight).to(self.model.device)

    def _gradient(self, value: Tensor) -> Tensor:
        found = torch.autograd.grad(value, self.parameters)
        return torch.cat([each.detach().float().flatten().cpu() for each in found])


def _weights(adapter: Path | None, names: Sequence[str], end: Sequence[Tensor]) -> list[Tensor]:
    """The weights of an adapter in the order of these parameters; a new adapter's where there is none that fits."""
    path = adapter / ADAPTER_WEIGHTS if adapter else None
    there = load_file(path) if path and path.is_file() else {}
    found = [there.get(name.replace(".default.", ".")) for name in names]
    if all(each is not None and each.shape == last.shape for each, last in zip(found, end, strict=True)):
        return [each.to(last) for each, last in zip(found, end, strict=True) if each is not None]
    return [last if "lora_A" in name else torch.zeros_like(last) for name, last in zip(names, end, strict=True)]
