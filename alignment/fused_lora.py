"""A layer with an adapter as one step of autograd: base, both factors and their sum, with only the inputs kept.

PEFT computes the base and each factor as layers of their own, multiplies by the scale and adds up, which reads and
writes the layer's output four times and keeps what nobody needs. Under autocast, moreover, every pass rounds the
frozen weights anew, and every layer its input. Here the sum is part of the product, layers that get the same input
round it once, and frozen weights that bf16 holds to the last bit are held in it. Hu et al., "LoRA", 2021.
"""

from __future__ import annotations

from types import MethodType
from typing import Any

import torch
from torch import Tensor, nn

from alignment.rounding import Rounded

# What layers got last: those of one block get the same.
_input = Rounded()
_FULL = (torch.float32, torch.float64)


def fuse(model: Any) -> int:
    """Let a PEFT model's plain LoRA layers be computed at once; returns how many there are.

    A layer decides anew in each call. What is not plain in it (several adapters at once, dropout while training,
    DoRA, quantised or trained weights, merged adapters) is computed by PEFT as ever. Not for weights that lie in
    pieces over devices: they are gathered by the very modules that this goes past.
    """
    from peft.tuners.lora.layer import Linear
    from transformers.pytorch_utils import Conv1D

    found = 0
    for layer in model.modules():
        if type(layer) is Linear and type(layer.get_base_layer()) in (nn.Linear, Conv1D):
            if not hasattr(layer, "_plain_forward"):
                layer._plain_forward = layer.forward
                layer.forward = MethodType(_forward, layer)
            found += 1
    return found


def _forward(self: Any, x: Tensor, *args: Any, **kwargs: Any) -> Any:
    base = self.get_base_layer()
    found = _adapter(self, base)
    rounded = torch.is_autocast_enabled(x.device.type)
    dtype = torch.get_autocast_dtype(x.device.type) if rounded else x.dtype
    # Where the adapter's numbers are finer than the input's, PEFT keeps them so.
    finer = found is not None and found[0] is not None and not rounded and found[0].dtype != x.dtype
    if found is None or finer or args or kwargs:
        if not rounded and not base.weight.requires_grad and base.weight.dtype != x.dtype and x.dtype in _FULL:
            base.weight.data = base.weight.data.to(x.dtype)  # what was held in bf16 comes back to the last bit
        return self._plain_forward(x, *args, **kwargs)
    if rounded:
        _hold(base, dtype)
    weight = base.weight if type(base) is nn.Linear else base.weight.t()
    bias = None if base.bias is None else base.bias.to(dtype)
    a, b, scale = found
    told = x, _input(x, dtype), weight.to(dtype), bias, a, b, scale
    y: Tensor = FusedLora.apply(*told)  # type: ignore[no-untyped-call]  # torch gives it no types
    return y


def _adapter(layer: Any, base: Any) -> tuple[Tensor | None, Tensor | None, float] | None:
    """The factors and the scale of the one adapter that is on, Nones where none is; None if that is not plain."""
    if layer.merged or base.weight.requires_grad or (base.bias is not None and base.bias.requires_grad):
        return None
    on = [] if layer.disable_adapters else [name for name in layer.active_adapters if name in layer.lora_A]
    if not on:
        return None, None, 0.0
    name = on[0]
    a, b, dropout = layer.lora_A[name], layer.lora_B[name], layer.lora_dropout[name]
    if len(on) > 1 or name in layer.lora_variant or a.bias is not None or b.bias is not None:
        return None
    if type(a) is not nn.Linear or (layer.training and not isinstance(dropout, nn.Identity)):
        return None
    return a.weight, b.weight, float(layer.scaling[name])


class FusedLora(torch.autograd.Function):
    """x W' + bias + scale (x A') B' for frozen W; `low` is x as it is multiplied. Without A and B, x W' + bias.

    x has the shape (..., inputs), W (outputs, inputs), A (rank, inputs) and B (outputs, rank).
    """

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, low: Tensor, weight: Tensor, bias: Tensor | None, a: Any, b: Any, scale: float
    ) -> Tensor:
        """See the class."""
        rows = low.reshape(-1, low.shape[-1])
        y = rows @ weight.t() if bias is None else torch.addmm(bias, rows, weight.t())
        inner = None
        if a is not None:
            inner = rows @ a.to(low.dtype).t()
            y.addmm_(inner, b.to(low.dtype).t(), alpha=scale)
        ctx.save_for_backward(low, weight, a, b, inner)
        ctx.scale, ctx.dtype = scale, x.dtype
        # Not a view, which nobody could change in place behind this.
        out: Tensor = torch.ops.aten._unsafe_view(y, [*x.shape[:-1], y.shape[-1]])
        return out

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        """The gradients of x, A and B."""
        low, weight, a, b, inner = ctx.saved_tensors
        rows, gradient = low.reshape(-1, low.shape[-1]), gradients[0].reshape(-1, gradients[0].shape[-1])
        by_x = gradient @ weight if ctx.needs_input_grad[0] else None
        by_a = by_b = None
        if a is not None:
            by_inner = (gradient @ b.to(low.dtype)).mul_(ctx.scale)
            by_a = (by_inner.t() @ rows).to(a.dtype)
            by_b = (gradient.t() @ inner).to(b.dtype).mul_(ctx.scale)
            if by_x is not None:
                by_x.addmm_(by_inner, a.to(low.dtype))
        if by_x is not None:
            by_x = by_x.to(ctx.dtype).view_as(low)
        return by_x, None, None, None, by_a, by_b, None


def _hold(base: Any, dtype: torch.dtype) -> None:
    """Hold a frozen weight in the dtype that it is multiplied in, if no bit of it is lost by that."""
    weight = base.weight
    if weight.dtype == dtype or getattr(base, "_needs_all", None) is dtype:
        return
    low = weight.detach().to(dtype)
    if torch.equal(low.to(weight.dtype), weight):
        weight.data = low
    else:
        base._needs_all = dtype
