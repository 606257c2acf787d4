"""Forward passes without padding: all rows of a batch end to end in one sequence.

TRL's trainers call `model(input_ids, attention_mask, labels, fused_lm_head=True)` with padded rows and use the
results token by token. This is that call with the padding left out, and the losses stay TRL's. It is exact: positions
start again with each row, and transformers lets no attention cross such a border (a block mask with SDPA and eager
attention, sequence lengths with FlashAttention). `install.leave_out_padding` attaches it to a model.
"""

from collections.abc import Callable
from typing import Any

import torch

_PER_TOKEN = ("log_probs", "entropy", "log_sum_sq_probs", "mean_logits", "is_top1", "label_mask")


def end_to_end(padded_forward: Callable[..., Any], *args: Any, **inputs: Any) -> Any:
    """The result of `padded_forward` (a model's forward with TRL's fused head), computed without padding.

    `input_ids`, `attention_mask` and `labels` have the shape (rows, width), results per token have the
    shape (rows, width - 1). Calls without them, or without the fused head, are passed on.
    """
    if args or not inputs.get("fused_lm_head") or inputs.get("attention_mask") is None or "labels" not in inputs:
        return padded_forward(*args, **inputs)
    kept = inputs.pop("attention_mask").bool()
    ids, labels = inputs.pop("input_ids"), inputs.pop("labels")
    positions = kept.long().cumsum(dim=1) - 1
    # What each position predicts: the next token of its own row, and nothing at the row's end.
    following = torch.nn.functional.pad(labels[:, 1:], (0, 1), value=-100)
    outputs = padded_forward(
        **inputs,
        input_ids=ids[kept][None],
        position_ids=positions[kept][None],
        shift_labels=following[kept][None],
    )
    for name in _PER_TOKEN:
        if (values := getattr(outputs, name)) is not None:
            padded = values.new_zeros(kept.shape).masked_scatter(kept, values[0])
            setattr(outputs, name, padded[:, :-1])
    return outputs
