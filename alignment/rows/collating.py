"""How rows become batches, where TRL's way does not fit Parley's rows."""

from collections.abc import Sequence
from itertools import chain
from typing import Any

import torch
from trl.trainer.kto_trainer import DataCollatorForUnpairedPreference


class Mismatched(DataCollatorForUnpairedPreference):  # type: ignore[misc]  # TRL has no types
    """KTO batches: each row also gets its prompt with another row's answer, from which KTO estimates its KL term.

    Ethayarajh et al., "KTO: Model Alignment as Prospect Theoretic Optimization", 2024, section 4.1. All answers move
    on by the same number of rows, chosen so that the fewest meet an equal prompt (a weighted row can be in a batch
    twice, and a prompt may have several answers). An answer that still meets one, or has no other row, is left empty:
    its part of the KL term is then zero, instead of the very reward that the term is compared with.
    """

    def torch_call(self, examples: Sequence[dict[str, Any]]) -> dict[str, Any]:
        """TRL's batch, `KL_...` fields included; the two labels may be in any proportion."""
        count = len(examples)
        prompts = [tuple(example["prompt_ids"]) for example in examples]
        shift = min(
            range(1, max(count, 2)), key=lambda by: sum(prompts[at - by] == prompts[at] for at in range(count))
        )
        answers = [
            [] if prompts[at - shift] == prompts[at] else examples[at - shift]["completion_ids"]
            for at in range(count)
        ]
        rows = [{**row, "KL_completion_ids": answer} for row, answer in zip(examples, answers, strict=True)]
        found: dict[str, Any] = super().torch_call(rows)
        return found


class PackedRows(torch.utils.data.Dataset[dict[str, Any]]):
    """SFT's rows, several at a time: an item is found by the list of its rows (see `order.Packs`)."""

    def __init__(self, rows: Any) -> None:
        self.rows = rows

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, pack: Sequence[int]) -> dict[str, list[int]]:
        """The rows end to end; `seq_lengths` tells TRL's collator where positions restart."""
        rows = [self.rows[at] for at in pack]
        joined = {name: list(chain.from_iterable(row[name] for row in rows)) for name in ("input_ids", "labels")}
        return {**joined, "seq_lengths": [len(row["input_ids"]) for row in rows]}
