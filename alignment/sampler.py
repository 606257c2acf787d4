"""The order in which rows are trained: like lengths together, shuffled, the same after a resumption."""

from collections.abc import Iterator, Sequence

import torch

# How many batches are drawn together before sorting by length: more means less padding and less chance in who
# shares a batch.
_POOL = 8


class LengthGrouped(torch.utils.data.Sampler[int]):
    """Indices for one epoch, so that each optimizer step gets rows of like length.

    transformers' own grouping draws from the global random state, which a resumed run does not have at the start of
    its epoch. Here the order is a function of seed and epoch. `batch` is the number of rows of one optimizer step,
    over all devices and accumulation steps: how it is cut into smaller batches does not change who is in it.
    """

    def __init__(self, lengths: Sequence[int], batch: int, seed: int) -> None:
        self.lengths, self.batch, self.seed, self.epoch = list(lengths), batch, seed, 0

    def set_epoch(self, epoch: int) -> None:
        """The trainer says which epoch is next."""
        self.epoch = epoch

    def __len__(self) -> int:
        return len(self.lengths)

    def __iter__(self) -> Iterator[int]:
        generator = torch.Generator().manual_seed(self.seed * 1_000_003 + self.epoch)
        order = torch.randperm(len(self.lengths), generator=generator).tolist()
        pool = self.batch * _POOL
        batches: list[list[int]] = []
        for start in range(0, len(order), pool):
            drawn = sorted(order[start : start + pool], key=lambda index: (-self.lengths[index], index))
            batches += [drawn[at : at + self.batch] for at in range(0, len(drawn), self.batch)]
        # Only the last batch may be short, or later ones would be cut across the groups.
        full = [batch for batch in batches if len(batch) == self.batch]
        short = [batch for batch in batches if len(batch) < self.batch]
        for at in torch.randperm(len(full), generator=generator).tolist():
            yield from full[at]
        for batch in short:
            yield from batch
