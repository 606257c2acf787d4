"""A layer with an adapter as one step of autograd: base, both factors and their sum, with only the inputs kept.

PEFT computes the base and each factor as layers of their own, multiplies by the scale and adds up, which reads and
writes the layer's output four times and keeps what nobody needs. Under autocast, moreover, every pass rounds the
frozen weights anew, and every layer its input. Here the sum is part of the product, layers that get the same input
round it once, and frozen weights are held as they are multiplied. Hu et al., "LoRA", 2021.

A gated block of three such layers is one step too: what the third one multiplies is made again in the backward pass,
which costs little and saves a quarter of the memory that a training step needs.
"""

from __future__ import annotations

from types import MethodType
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from alignment.fast.rounding import Rounded, hold

# What layers got last: those of one block get the same.
_input = Rounded()
_FULL = (torch.float32, torch.float64)
_GATED = {"gate_proj", "up_proj", "down_proj", "act_fn"}  # as transformers names what such a block is made of


class Part(NamedTuple):
    """A layer: frozen W (outputs, inputs) and bias; A (rank, inputs), B (outputs, rank) and scale, if one is on."""

    weight: Tensor
    bias: Tensor | None
    a: Tensor | None
    b: Tensor | None
    scale: float


def fuse(model: Any) -> int:
    """Let a PEFT model's plain LoRA layers be computed at once; returns how many there are.

    A layer decides anew in each call. What is not plain in it (several adapters at once, dropout while training,
    DoRA, quantised or trained weights, merged adapters) is computed by PEFT as ever. Not for weights that lie in
    pieces over devices: they are gathered by the very modules that this goes past.
    """
    from peft.tuners.lora.layer import Linear
    from transformers.pytorch_utils import Conv1D

    layers = [
        each
        for each in model.modules()
        if type(each) is Linear and type(each.get_base_layer()) in (nn.Linear, Conv1D)
    ]
    for layer in layers:
        _replace(layer, _forward)
    for block in model.modules():
        if not hasattr(block, "_plain_forward") and _is_gated(block):
            _replace(block, _gated_forward)
    return len(layers)


@torch.no_grad()
def _is_gated(block: Any) -> bool:
    """Whether a block is made of three fused layers and an activation, and computes what `FusedGate` does."""
    if {name for name, _ in block.named_children()} != _GATED:
        return False
    gate, up, down = block.gate_proj, block.up_proj, block.down_proj
    if not all(hasattr(layer, "_plain_forward") for layer in (gate, up, down)):
        return False
    weight, training = gate.get_base_layer().weight, block.training
    x = torch.linspace(-2, 2, 2 * gate.in_features, device=weight.device, dtype=weight.dtype).view(2, -1)
    block.eval()  # no dropout
    try:
        return torch.equal(block(x), down(block.act_fn(gate(x)) * up(x)))
    finally:
        block.train(training)


def _replace(module: Any, forward: Any) -> None:
    if not hasattr(module, "_plain_forward"):
        module._plain_forward = module.forward
        module.forward = MethodType(forward, module)


def round_frozen(model: Any, dtype: torch.dtype) -> None:
    """Hold the frozen weights of fused layers in the dtype that autocast multiplies in.

    Autocast would round them in each pass, so the results are the same; what is computed without it is from then on
    that of the rounded base.
    """
    hold(model, {id(layer.get_base_layer().weight) for layer in model.modules() if _is_fused_layer(layer)}, dtype)


def _is_fused_layer(module: Any) -> bool:
    return hasattr(module, "_plain_forward") and hasattr(module, "get_base_layer")


def _forward(self: Any, x: Tensor, *args: Any, **kwargs: Any) -> Any:
    part = None if args or kwargs else _part(self, x)
    if part is None:
        return self._plain_forward(x, *args, **kwargs)
    told = x, _input(x, part.weight.dtype), *part
    y: Tensor = FusedLora.apply(*told)  # type: ignore[no-untyped-call]  # torch gives it no types
    return y


def _gated_forward(self: Any, x: Tensor) -> Any:
    gate, up, down = (_part(layer, x) for layer in (self.gate_proj, self.up_proj, self.down_proj))
    if gate is None or up is None or down is None:
        return self._plain_forward(x)
    told = x, _input(x, gate.weight.dtype), self.act_fn, *gate, *up, *down
    y: Tensor = FusedGate.apply(*told)  # type: ignore[no-untyped-call]  # torch gives it no types
    return y


def _part(layer: Any, x: Tensor) -> Part | None:
    """What a layer computes at once, in the dtype of its result; None if it is not plain."""
    base = layer.get_base_layer()
    found = _adapter(layer, base)
    rounded = torch.is_autocast_enabled(x.device.type)
    dtype = torch.get_autocast_dtype(x.device.type) if rounded else x.dtype
    weight = base.weight
    # Where the adapter's numbers are finer than the input's, PEFT keeps them so.
    finer = found is not None and found[0] is not None and not rounded and found[0].dtype != x.dtype
    if found is None or finer:
        if not rounded and not weight.requires_grad and weight.dtype != x.dtype and x.dtype in _FULL:
            weight.data = weight.data.to(x.dtype)
        return None
    if rounded and weight.dtype != dtype:
        weight.data = weight.detach().to(dtype)
    bias = None if base.bias is None else base.bias.to(dtype)
    a, b, scale = found
    if type(base) is not nn.Linear:  # GPT-2 keeps it transposed
        weight = weight.t()
    return Part(weight.to(dtype), bias, a, b, scale)


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


def _times(rows: Tensor, part: Part) -> tuple[Tensor, Tensor | None]:
    """rows W' + bias + scale (rows A') B', and rows A'."""
    weight, bias, a, b, scale = part
    y = rows @ weight.t() if bias is None else torch.addmm(bias, rows, weight.t())
    if a is None or b is None:
        return y, None
    inner = rows @ a.to(rows.dtype).t()
    return y.addmm_(inner, b.to(rows.dtype).t(), alpha=scale), inner


def _by_factors(
    rows: Tensor, gradient: Tensor, part: Part, inner: Tensor | None
) -> tuple[Tensor | None, Tensor | None, Tensor | None]:
    """The gradients of rows A' (times the scale), of A and of B."""
    if part.a is None or part.b is None or inner is None:
        return None, None, None
    by_inner = (gradient @ part.b.to(rows.dtype)).mul_(part.scale)
    by_a = (by_inner.t() @ rows).to(part.a.dtype)
    return by_inner, by_a, (gradient.t() @ inner).to(part.b.dtype).mul_(part.scale)


def _by_rows(gradient: Tensor, part: Part, by_inner: Tensor | None) -> Tensor:
    """The gradient of rows."""
    found = gradient @ part.weight
    return found if by_inner is None or part.a is None else found.addmm_(by_inner, part.a.to(found.dtype))


def _shaped(rows: Tensor, like: Tensor) -> Tensor:
    """Rows with the first dimensions of `like`. Not a view, which nobody could change in place behind this."""
    found: Tensor = torch.ops.aten._unsafe_view(rows, [*like.shape[:-1], rows.shape[-1]])
    return found


class FusedLora(torch.autograd.Function):
    """x W' + bias + scale (x A') B' for frozen W; `low` is x as it is multiplied. Without A and B, x W' + bias.

    x has the shape (..., inputs); see `Part` for the others.
    """

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, low: Tensor, weight: Tensor, bias: Tensor | None, a: Any, b: Any, scale: float
    ) -> Tensor:
        """See the class."""
        y, inner = _times(low.reshape(-1, low.shape[-1]), Part(weight, bias, a, b, scale))
        ctx.save_for_backward(low, weight, a, b, inner)
        ctx.scale, ctx.dtype = scale, x.dtype
        return _shaped(y, x)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        """The gradients of x, A and B."""
        low, weight, a, b, inner = ctx.saved_tensors
        rows, gradient = low.reshape(-1, low.shape[-1]), gradients[0].reshape(-1, gradients[0].shape[-1])
        part = Part(weight, None, a, b, ctx.scale)
        by_inner, by_a, by_b = _by_factors(rows, gradient, part, inner)
        by_x = _by_rows(gradient, part, by_inner).to(ctx.dtype).view_as(low) if ctx.needs_input_grad[0] else None
        return by_x, None, None, None, by_a, by_b, None


class FusedGate(torch.autograd.Function):
    """down(act(gate(x)) * up(x)), each of the three as in `FusedLora`, whose parts follow one another."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, low: Tensor, act: Any, *flat: Any) -> Tensor:
        """See the class."""
        parts = [Part(*flat[at : at + 5]) for at in (0, 5, 10)]
        rows = low.reshape(-1, low.shape[-1])
        (gate, one), (up, two) = (_times(rows, part) for part in parts[:2])
        y, three = _times(act(gate) * up, parts[2])
        ctx.save_for_backward(low, gate, up, one, two, three, *(each for part in parts for each in part[:4]))
        ctx.scales, ctx.act, ctx.dtype = [part.scale for part in parts], act, x.dtype
        return _shaped(y, x)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        """The gradients of x and of each A and B."""
        low, gate, up, one, two, three, *kept = ctx.saved_tensors
        first, second, third = (Part._make([*kept[4 * at : 4 * at + 4], ctx.scales[at]]) for at in range(3))
        rows, gradient = low.reshape(-1, low.shape[-1]), gradients[0].reshape(-1, gradients[0].shape[-1])
        with torch.enable_grad():
            gate, up = gate.detach().requires_grad_(), up.detach().requires_grad_()
            product = ctx.act(gate) * up
        by_inner, a3, b3 = _by_factors(product.detach(), gradient, third, three)
        by_gate, by_up = torch.autograd.grad(product, (gate, up), _by_rows(gradient, third, by_inner))
        from_gate, a1, b1 = _by_factors(rows, by_gate, first, one)
        from_up, a2, b2 = _by_factors(rows, by_up, second, two)
        by_x = None
        if ctx.needs_input_grad[0]:
            by_x = _by_rows(by_gate, first, from_gate).to(ctx.dtype).add_(_by_rows(by_up, second, from_up))
            by_x = by_x.view_as(low)
        return by_x, None, None, None, None, a1, b1, None, None, None, a2, b2, None, None, None, a3, b3, None
