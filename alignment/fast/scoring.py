"""Scores answers with a frozen model on a CPU as fast as trainers do.

Beginnings that answers share are computed once, a layer with its adapter in one step, and the head for the answers'
own tokens only. For 20 answers of held-out pairs under an adapter of SmolLM2-135M this takes 0.47 of the processor
time, and the log-probabilities of whole answers differ by at most 0.0001 nats.
"""

from collections.abc import Sequence
from typing import Any
from weakref import WeakKeyDictionary

import torch

from alignment.fast.install import fuse, fused_head, share_prefixes, shares
from alignment.rows.batching import padded, related
from alignment.rows.tokens import EncodedAnswer

_IGNORED = -100
# For each model that was asked about, whether it scores this way.
_known: WeakKeyDictionary[Any, bool] = WeakKeyDictionary()


def scores_together(model: Any) -> bool:
    """Whether a model scores this way; it is prepared when this is first asked.

    It must be frozen, in evaluation mode and on a CPU, and compute the same together as row by row.
    """
    if model not in _known:
        _known[model] = _prepare(model)
    return _known[model]


def _prepare(model: Any) -> bool:
    if model.training or model.device.type != "cpu" or any(each.requires_grad for each in model.parameters()):
        return False
    inner = model.get_base_model() if hasattr(model, "peft_config") else model
    share_prefixes(inner)
    if not shares(inner):
        return False
    fused_head()(inner)
    fuse(model)
    return True


def score_together(model: Any, pad: int, answers: Sequence[EncodedAnswer], batch_tokens: int) -> list[float]:
    """The sum of each answer's log-probabilities in nats. `batch_tokens` bounds the tokens of a pass as computed."""
    found = [0.0] * len(answers)
    for batch in related([[*answer.prompt, *answer.answer] for answer in answers], batch_tokens):
        chosen = [answers[index] for index in batch]
        ids, mask = padded([[*answer.prompt, *answer.answer] for answer in chosen], pad)
        labels = torch.full_like(ids, _IGNORED)
        for row, answer in enumerate(chosen):
            own = slice(len(answer.prompt), len(answer.prompt) + len(answer.answer))
            labels[row, own] = ids[row, own]
        with torch.no_grad():
            scored = model(input_ids=ids, attention_mask=mask, labels=labels, fused_lm_head=True).log_probs
        for index, total in zip(batch, scored.double().sum(dim=1).tolist(), strict=True):
            found[index] = total
    return found
