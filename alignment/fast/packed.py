"""A linear layer whose weight oneDNN has laid out for few rows at a time, for sampling on a CPU.

The head is the largest matrix of a small model, and sampling multiplies it with a handful of rows at every token.
MKL, which torch uses for float32, is slow at that shape (`python -m tests.bench.sampling` measures both). Written for
torch 2.13.0, whose compiler uses the same two operations.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn


def packable(layer: nn.Module) -> bool:
    """Whether a layer can be packed: a plain linear layer in float32 on a CPU, in a torch that has oneDNN.

    In bf16 torch multiplies by oneDNN anyway; packing was not measured there.
    """
    return (
        type(layer) is nn.Linear
        and layer.weight.device.type == "cpu"
        and layer.weight.dtype == torch.float32
        and torch.backends.mkldnn.is_available()  # type: ignore[no-untyped-call]  # torch gives it no types
        and hasattr(torch.ops.mkldnn, "_linear_pointwise")
    )


class Packed(nn.Module):
    """Multiplies as the linear layer from which it is made, without gradients. It holds a copy of the weight."""

    def __init__(self, layer: nn.Linear) -> None:
        super().__init__()
        self.bias = None if layer.bias is None else layer.bias.detach()
        self.pack(layer.weight)

    def pack(self, weight: Tensor) -> None:
        """Take a weight, shape (outputs, inputs)."""
        self.packed = torch.ops.mkldnn._reorder_linear_weight(weight.detach())

    def forward(self, x: Tensor) -> Tensor:
        """Outputs, shape (..., outputs), for inputs of the shape (..., inputs)."""
        found: Tensor = torch.ops.mkldnn._linear_pointwise(x, self.packed, self.bias, "none", [], "")
        return found
