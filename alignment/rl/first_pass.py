"""The forward pass that scores a rollout, kept to be trained: the first optimizer step has the weights that sampled.

A rollout is scored before anything is learnt from it, and its first optimizer step computes the same numbers from the
same weights again. Here that pass runs with gradients, as much of it as fits into `ROOM`, and the step goes on from
it. Its ratios are exactly 1 either way, and the gradients are the same.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

# Bytes of activations that are kept for the backward pass. The last micro-batch that is kept may exceed it: training
# one takes as much.
ROOM = 2**30


class FirstPass:
    """The passes of the first optimizer step's micro-batches, by their numbers; each is used once.

    `room`: bytes that may be kept; 0 keeps nothing.
    """

    def __init__(self, model: Any, room: int) -> None:
        self.room = room
        self.weights = {parameter.untyped_storage().data_ptr() for parameter in model.parameters()}
        self.found: dict[int, dict[str, Tensor]] = {}
        self.held = 0  # bytes

    def compute(self, micro: int, forward: Callable[[], dict[str, Tensor]]) -> dict[str, Tensor]:
        """Results of a micro-batch's forward pass, without gradients. The pass itself is kept if there is room."""
        if self.held >= self.room:
            return forward()
        with torch.enable_grad(), self._counted():
            self.found[micro] = forward()
        return {name: tensor.detach() for name, tensor in self.found[micro].items()}

    def take(self, step: int, micro: int) -> dict[str, Tensor] | None:
        """The kept pass of a micro-batch of an optimizer step on the rollout, if there is one."""
        return self.found.pop(micro, None) if step == 0 else None

    @contextmanager
    def _counted(self) -> Iterator[None]:
        """Inside the block, what autograd saves is added up; tensors that share memory, and weights, are not."""
        seen = set(self.weights)

        def count(tensor: Tensor) -> Tensor:
            memory = tensor.untyped_storage()
            if memory.data_ptr() not in seen:
                seen.add(memory.data_ptr())
                self.held += memory.nbytes()
            return tensor.detach()  # a result that is saved itself would keep its operation, which keeps the result

        with torch.autograd.graph.saved_tensors_hooks(count, lambda tensor: tensor):
            yield
