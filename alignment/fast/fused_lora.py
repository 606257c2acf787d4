"""Computes a layer and its LoRA adapter in one step of autograd (base, both factors, sum), keeping only inputs.

PEFT computes the base and each factor as separate layers, multiplies by the scale and adds up. That reads and writes
the layer's output four times and keeps tensors that nobody needs. Under autocast every pass also rounds the frozen
weights again, and every layer rounds its input. Here the sum is part of the product, layers with the same input round
it once, and frozen weights are held in the dtype of the product. Hu et al., "LoRA", 2021.

A gated block of three such layers is one step too. The backward pass computes the input of the third layer again,
which costs little and saves a quarter of the memory of a training step. `install.fuse` attaches all of this to a
model.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from alignment.fast.rounding import Rounded, hold

# The last input of a layer, rounded: the layers of one block get the same input.
_input = Rounded()
_FULL = (torch.float32, torch.float64)
_GATED = {"gate_proj", "up_proj", "down_proj", "act_fn"}  # transformers' names for the parts of such a block


class Layer(NamedTuple):
    """A plain layer: frozen W (outputs, inputs), its bias, and the active adapter, if there is one.

    The adapter is A (rank, inputs), B (outputs, rank) and a scale.
    """

    weight: Tensor
    bias: Tensor | None
    a: Tensor | None
    b: Tensor | None
    scale: float


@torch.no_grad()
def is_gated(block: Any) -> bool:
    """Whether a block consists of three fused layers and an activation, and computes what `FusedGate` does."""
    if {name for name, _ in block.named_children()} != _GATED:
        return False
    gate, up, down = block.gate_proj, block.up_proj, block.down_proj
    if not all(is_fused(layer) for layer in (gate, up, down)):
        return False
    weight, training = gate.get_base_layer().weight, block.training
    x = torch.linspace(-2, 2, 2 * gate.in_features, device=weight.device, dtype=weight.dtype).view(2, -1)
    block.eval()  # no dropout
    try:
        return torch.equal(block(x), down(block.act_fn(gate(x)) * up(x)))
    finally:
        block.train(training)


def round_frozen(model: Any, dtype: torch.dtype) -> None:
    """Hold the frozen weights of fused layers in the dtype that autocast multiplies in.

    Autocast would round them in each pass, so its results stay the same. Passes without autocast use the rounded
    base from then on.
    """
    layers = [each for each in model.modules() if is_fused(each) and hasattr(each, "get_base_layer")]
    hold(model, {id(layer.get_base_layer().weight) for layer in layers}, dtype)


def is_fused(module: Any) -> bool:
    """Whether a layer or block computes in one step (`install.fuse`); its own forward is `_plain_forward` then."""
    return hasattr(module, "_plain_forward")


def layer_forward(module: Any, x: Tensor, *args: Any, **kwargs: Any) -> Any:
    """The forward of a LoRA layer, for x of shape (..., inputs): in one step if it is plain, else PEFT's."""
    layer = None if args or kwargs else _plain(module, x)
    if layer is None:
        return module._plain_forward(x, *args, **kwargs)
    inputs = x, _input(x, layer.weight.dtype), *layer
    y: Tensor = FusedLora.apply(*inputs)  # type: ignore[no-untyped-call]  # torch gives it no types
    return y


def gated_forward(block: Any, x: Tensor) -> Any:
    """The forward of a gated block, for x of shape (..., inputs): in one step if its layers are plain."""
    gate, up, down = (_plain(module, x) for module in (block.gate_proj, block.up_proj, block.down_proj))
    if gate is None or up is None or down is None:
        return block._plain_forward(x)
    inputs = x, _input(x, gate.weight.dtype), block.act_fn, *gate, *up, *down
    y: Tensor = FusedGate.apply(*inputs)  # type: ignore[no-untyped-call]  # torch gives it no types
    return y


def _plain(layer: Any, x: Tensor) -> Layer | None:
    """The factors of a layer, in the dtype of its result; None if it is not plain."""
    base = layer.get_base_layer()
    found = _adapter(layer, base)
    rounded = torch.is_autocast_enabled(x.device.type)
    dtype = torch.get_autocast_dtype(x.device.type) if rounded else x.dtype
    weight = base.weight
    # PEFT keeps an adapter whose dtype is finer than the input's.
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
    return Layer(weight.to(dtype), bias, a, b, scale)


def _adapter(layer: Any, base: Any) -> tuple[Tensor | None, Tensor | None, float] | None:
    """The factors and the scale of the active adapter (None, None, 0 without one); None if it is not plain."""
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


def _times(rows: Tensor, layer: Layer) -> tuple[Tensor, Tensor | None]:
    """rows W' + bias + scale (rows A') B', and rows A'."""
    weight, bias, a, b, scale = layer
    y = rows @ weight.t() if bias is None else torch.addmm(bias, rows, weight.t())
    if a is None or b is None:
        return y, None
    inner = rows @ a.to(rows.dtype).t()
    return y.addmm_(inner, b.to(rows.dtype).t(), alpha=scale), inner


def _by_factors(
    rows: Tensor, gradient: Tensor, layer: Layer, inner: Tensor | None
) -> tuple[Tensor | None, Tensor | None, Tensor | None]:
    """The gradients of rows A' (times the scale), of A and of B."""
    if layer.a is None or layer.b is None or inner is None:
        return None, None, None
    by_inner = (gradient @ layer.b.to(rows.dtype)).mul_(layer.scale)
    by_a = (by_inner.t() @ rows).to(layer.a.dtype)
    return by_inner, by_a, (gradient.t() @ inner).to(layer.b.dtype).mul_(layer.scale)


def _by_rows(gradient: Tensor, layer: Layer, by_inner: Tensor | None) -> Tensor:
    """The gradient of rows."""
    found = gradient @ layer.weight
    return found if by_inner is None or layer.a is None else found.addmm_(by_inner, layer.a.to(found.dtype))


def _shaped(rows: Tensor, like: Tensor) -> Tensor:
    """Rows with the first dimensions of `like`. Not a view: what comes next may change it in place."""
    found: Tensor = torch.ops.aten._unsafe_view(rows, [*like.shape[:-1], rows.shape[-1]])
    return found


class FusedLora(torch.autograd.Function):
    """x W' + bias + scale (x A') B' for frozen W; `low` is x as it is multiplied. Without A and B, x W' + bias.

    x has the shape (..., inputs); see `Layer` for the others.
    """

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, low: Tensor, weight: Tensor, bias: Tensor | None, a: Any, b: Any, scale: float
    ) -> Tensor:
        """See the class."""
        y, inner = _times(low.reshape(-1, low.shape[-1]), Layer(weight, bias, a, b, scale))
        ctx.save_for_backward(low, weight, a, b, inner)
        ctx.scale, ctx.dtype = scale, x.dtype
        return _shaped(y, x)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        """The gradients of x, A and B."""
        low, weight, a, b, inner = ctx.saved_tensors
        rows, gradient = low.reshape(-1, low.shape[-1]), gradients[0].reshape(-1, gradients[0].shape[-1])
        layer = Layer(weight, None, a, b, ctx.scale)
        by_inner, by_a, by_b = _by_factors(rows, gradient, layer, inner)
        by_x = _by_rows(gradient, layer, by_inner).to(ctx.dtype).view_as(low) if ctx.needs_input_grad[0] else None
        return by_x, None, None, None, by_a, by_b, None


class FusedGate(torch.autograd.Function):
    """down(act(gate(x)) * up(x)), each of the three as in `FusedLora`; `flat` holds the three `Layer`s in turn."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, low: Tensor, act: Any, *flat: Any) -> Tensor:
        """See the class."""
        layers = [Layer(*flat[at : at + 5]) for at in (0, 5, 10)]
        rows = low.reshape(-1, low.shape[-1])
        (gate, one), (up, two) = (_times(rows, layer) for layer in layers[:2])
        y, three = _times(act(gate) * up, layers[2])
        ctx.save_for_backward(low, gate, up, one, two, three, *(each for layer in layers for each in layer[:4]))
        ctx.scales, ctx.act, ctx.dtype = [layer.scale for layer in layers], act, x.dtype
        return _shaped(y, x)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        """The gradients of x and of each A and B."""
        low, gate, up, one, two, three, *kept = ctx.saved_tensors
        first, second, third = (Layer._make([*kept[4 * at : 4 * at + 4], ctx.scales[at]]) for at in range(3))
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
