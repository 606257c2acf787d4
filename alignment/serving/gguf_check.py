"""Checks, number by number, that a LoRA GGUF holds what PEFT computes with: against the base's weights, not a
formula.

llama.cpp keeps some weights' rows in another order than Hugging Face does. The base shows which order: the row of the
GGUF's weight that equals a row of the Hugging Face weight tells where that row went, and the adapter's B must be
reordered the same way. So this shares no formula with `gguf_lora.py`, which it checks.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from data.errors import BadInput

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    Weights = NDArray[np.float32]

_ALIKE = 0.9  # cosine of a row and its quantised self; four bits leave about 0.99
_ENOUGH = 128  # numbers of a row that are compared
_CLOSE = 1e-5  # relative, after the file's alpha and PEFT's scale were multiplied in


def expected_layers(model: Any, base_gguf: Path) -> dict[str, tuple[Weights, Weights]]:
    """The matrices that the engine must have for each adapted layer: A, and B in the engine's rows times its scale.

    `model` is a PEFT model with one adapter, `base_gguf` the file that the engine serves. Raises `BadInput` when the
    two are not the same base.
    """
    from gguf import MODEL_ARCH_NAMES, GGUFReader, get_tensor_name_map
    from peft.tuners.lora import LoraLayer

    reader = GGUFReader(base_gguf)
    kind = reader.fields["general.architecture"].contents()
    blocks = int(reader.fields[f"{kind}.block_count"].contents())
    names = get_tensor_name_map(next(k for k, v in MODEL_ARCH_NAMES.items() if v == kind), blocks)
    tensors = {tensor.name: tensor for tensor in reader.tensors}
    layers = {}
    for path, layer in model.named_modules():
        if not isinstance(layer, LoraLayer):
            continue
        module = path.removeprefix("base_model.model.")
        name = str(names.get_name(f"{module}.weight", try_suffixes=(".weight",)))
        if name not in tensors:
            raise BadInput(f"{base_gguf} has no weight for {module}; it is another base than the adapter's.")
        weight = layer.base_layer.weight.detach()
        # GPT-2's layers keep their weights transposed.
        weight = weight.T if type(layer.base_layer).__name__ == "Conv1D" else weight
        if tuple(weight.shape) != tuple(reversed(tensors[name].shape.tolist())):
            raise BadInput(f"{base_gguf} has another shape for {module}; it is another base than the adapter's.")
        stored = _beginnings(tensors[name])
        order = _row_order(stored, weight[:, : stored.shape[1]].float().cpu().numpy(), f"{base_gguf}, {name}")
        (adapter,) = layer.scaling
        b = layer.lora_B[adapter].weight.detach().float().cpu().numpy() * layer.scaling[adapter]
        layers[name] = (layer.lora_A[adapter].weight.detach().float().cpu().numpy(), b[order])
    return layers


def file_difference(gguf: Path, layers: dict[str, tuple[Weights, Weights]]) -> str | None:
    """What is wrong with a LoRA GGUF's numbers, or None when they are exactly the expected ones."""
    import numpy as np
    from gguf import GGUFReader

    reader = GGUFReader(gguf)
    alpha = float(reader.fields["adapter.lora.alpha"].contents())
    found = {tensor.name: np.array(tensor.data, dtype=np.float32) for tensor in reader.tensors}
    if found.keys() != {f"{name}.{side}" for name in layers for side in ("lora_a", "lora_b")}:
        return f"it changes {len(found) // 2} layers, the adapter {len(layers)}"
    for name, (a, b) in layers.items():
        file_a, file_b = found[f"{name}.lora_a"], found[f"{name}.lora_b"]
        if file_a.shape != a.shape or file_b.shape != b.shape:
            return f"{name} has matrices of another shape than the adapter"
        # llama.cpp's rule: the file's alpha over the layer's rank.
        for mine, right in ((file_a, a), (file_b * (alpha / len(a)), b)):
            if not np.allclose(mine, right, rtol=_CLOSE, atol=_CLOSE * float(np.abs(right).max(initial=0))):
                return f"{name} holds other numbers than the adapter (its values, scale or order of rows)"
    return None


def _beginnings(tensor: Any) -> Weights:
    """The first numbers of each row of a GGUF's weight, dequantised: enough to tell the rows apart."""
    from gguf import GGML_QUANT_SIZES, dequantize

    block, size = GGML_QUANT_SIZES[tensor.tensor_type]
    packed = tensor.data.dtype.name == "uint8"  # blocks of bytes, else plain numbers
    cut = -(-_ENOUGH // block) * size if packed else _ENOUGH
    beginnings: Weights = dequantize(tensor.data[:, :cut], tensor.tensor_type)
    return beginnings


def _row_order(stored: Weights, weight: Weights, where: str) -> NDArray[np.int64]:
    """For each row of the engine's weight, the row of the Hugging Face weight that it equals."""
    import numpy as np

    if stored.shape != weight.shape:
        raise BadInput(
            f"{where} has the shape {stored.shape}, the adapter's base {weight.shape}; they are two bases."
        )
    stored = stored / np.maximum(np.linalg.norm(stored, axis=1, keepdims=True), 1e-12)
    weight = weight / np.maximum(np.linalg.norm(weight, axis=1, keepdims=True), 1e-12)
    if ((stored * weight).sum(axis=1) > _ALIKE).all():
        return np.arange(len(stored))
    alike = stored @ weight.T
    order: NDArray[np.int64] = alike.argmax(axis=1)
    if alike.max(axis=1).min() < _ALIKE or len(set(order.tolist())) != len(order):
        raise BadInput(f"{where} holds other weights than the base that the adapter was trained on.")
    return order
