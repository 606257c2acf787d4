"""Writes a PEFT LoRA adapter as the LoRA GGUF that llama.cpp's servers load, with the `gguf` package alone.

llama.cpp computes `W x + s * B A x` with `s = adapter.lora.alpha / rank`, and has its own names for the weights. So
an adapter is converted by renaming its tensors, with two exceptions. Some rows are in another order there: Llama's
query and key rows (`permuted_rows`) and GPT-NeoX's fused ones (`unmixed_rows`), and so the rows of their B are too.
And there is one alpha for the whole file, while PEFT can scale each module differently (rsLoRA, alpha and rank
patterns): the difference is multiplied into B.

Anything but LoRA on linear layers is refused rather than half converted.
"""

from __future__ import annotations

import json
import math
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from data.errors import BadInput, nearest

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    Weights = NDArray[np.float32]

# The GGUF name of each model type that is served here. `tests/alignment/conversion` converts, trains and serves each.
ARCHITECTURES: Mapping[str, str] = {
    "gemma3_text": "gemma3",
    "gpt2": "gpt2",
    "gpt_neox": "gptneox",
    "llama": "llama",
    "mistral": "llama",
    "olmo2": "olmo2",
    "phi3": "phi3",
    "qwen2": "qwen2",
    "qwen3": "qwen3",
    "smollm3": "smollm3",
}
# Those whose query and key rows llama.cpp reorders: its rotary embedding turns neighbouring pairs, Hugging Face's one
# half against the other.
_PAIRED = ("llama", "smollm3")
# Settings that give the number of experts of a mixture.
_EXPERTS = ("num_experts", "num_local_experts", "n_routed_experts", "moe_num_experts")

# Settings of an adapter that change nothing about the weights, or that `scaling` follows.
_FOLLOWED = {
    "alpha_pattern", "auto_mapping", "base_model_name_or_path", "exclude_modules", "fan_in_fan_out", "inference_mode",
    "init_lora_weights", "layers_pattern", "layers_to_transform", "lora_alpha", "lora_dropout", "megatron_core",
    "peft_type", "peft_version", "qalora_group_size", "r", "rank_pattern", "revision", "runtime_config",
    "target_modules", "task_type", "use_rslora", "eva_config",
}  # fmt: skip
# Initialisations that leave the base's weights alone. PiSSA, OLoRA, CorDA and LoftQ change them: such an adapter
# belongs to a base that is not the one on disk.
_BEGINNINGS = {True, False, "gaussian", "orthogonal", "eva"}
_WANTED = "The embedded engine serves plain LoRA on linear layers only."

_KEY = re.compile(r"^base_model\.model\.(?P<module>.+)\.lora_(?P<side>[AB])(?:\.default)?\.weight$")


@dataclass(frozen=True, slots=True)
class Pair:
    """The two LoRA matrices of one linear layer: `a` of shape (rank, inputs), `b` of shape (outputs, rank)."""

    module: str
    a: Weights
    b: Weights


def read_adapter(adapter: Path) -> tuple[dict[str, Any], list[Pair]]:
    """An adapter directory's settings and matrices, sorted by module.

    Raises `BadInput` for a missing or broken file and for anything but plain LoRA on linear layers.
    """
    settings_path, weights_path = adapter / "adapter_config.json", adapter / "adapter_model.safetensors"
    try:
        settings = json.loads(settings_path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise BadInput(
            f"{adapter} is not an adapter directory: it has no adapter_config.json. Give the folder that a training "
            "stage or PEFT's save_pretrained wrote."
        ) from error
    except ValueError as error:
        raise BadInput(f"{settings_path} is not valid JSON: {error}.") from error
    if not isinstance(settings, dict):
        raise BadInput(f"{settings_path} is damaged: it should hold a JSON object with an adapter's settings.")
    refuse_unsupported(settings, str(settings_path))
    if not weights_path.is_file():
        raise BadInput(
            f"{adapter} has no adapter_model.safetensors. Weights in another format (adapter_model.bin is a pickle) "
            "are not read: save the adapter again with safetensors."
        )
    return settings, list(_pairs(weights_path))


def refuse_unsupported(settings: Mapping[str, Any], where: str) -> None:
    """Raise `BadInput` if an adapter's settings ask for more than `W x + s B A x` on linear layers.

    Unknown settings must be off: a newer PEFT's addition is refused, not ignored.
    """
    if settings.get("peft_type") != "LORA":
        raise BadInput(f"{where}: peft_type is {settings.get('peft_type')!r}, expected 'LORA'. {_WANTED}")
    if settings.get("bias", "none") != "none":
        raise BadInput(f"{where}: bias is {settings['bias']!r}, so biases were trained as well. {_WANTED}")
    beginning = settings.get("init_lora_weights", True)
    if beginning not in _BEGINNINGS:
        raise BadInput(
            f"{where}: init_lora_weights is {beginning!r}, which changes the base's own weights, so this adapter "
            "does not belong to the base on disk. Convert it to plain LoRA with PEFT first."
        )
    extras = [k for k, v in settings.items() if v and k not in _FOLLOWED and k not in ("bias", "use_dora")]
    if settings.get("use_dora"):
        extras.append("use_dora")
    if extras:
        raise BadInput(f"{where}: {', '.join(sorted(extras))} is set. {_WANTED}")
    if not settings.get("lora_alpha"):
        raise BadInput(f"{where}: lora_alpha is {settings.get('lora_alpha')!r}, so this adapter changes nothing.")


def _pairs(path: Path) -> Iterator[Pair]:
    import numpy as np
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="pt") as file:  # read as torch tensors, because numpy has no bfloat16
            found: dict[str, dict[str, Weights]] = {}
            for key in file.keys():  # noqa: SIM118 - not a mapping
                match = _KEY.match(key)
                if match is None:
                    raise BadInput(f"{path} holds {key}, which is not a LoRA matrix of a linear layer. {_WANTED}")
                found.setdefault(match["module"], {})[match["side"]] = file.get_tensor(key).float().numpy()
    except SafetensorError as error:
        raise BadInput(f"{path} is not a readable safetensors file: {error}.") from error
    if not found:
        raise BadInput(f"{path} holds no LoRA matrices.")
    for module, sides in sorted(found.items()):
        a, b = sides.get("A"), sides.get("B")
        if a is None or b is None or a.ndim != 2 or b.ndim != 2 or a.shape[0] != b.shape[1]:
            raise BadInput(f"{path}: the LoRA matrices of {module} are not a pair of shapes (r, in) and (out, r).")
        if not (np.isfinite(a).all() and np.isfinite(b).all()):
            raise BadInput(f"{path}: {module} holds values that are not finite; its training went wrong.")
        yield Pair(module, a, b)


def scaling(settings: Mapping[str, Any], module: str, rank: int) -> float:
    """The factor that PEFT puts before `B A x` for one module: alpha / r, or alpha / sqrt(r) for rsLoRA.

    rsLoRA: Kalajdzievski 2023, arXiv 2312.03732.
    """
    alpha = settings["lora_alpha"]
    for pattern, value in (settings.get("alpha_pattern") or {}).items():
        if re.match(rf"(.*\.)?({pattern})$", module):  # PEFT uses the first pattern that matches
            alpha = value
            break
    return float(alpha) / (math.sqrt(rank) if settings.get("use_rslora") else rank)


def permuted_rows(b: Weights, heads: int) -> Weights:
    """The rows of a query or key matrix in the order that llama.cpp's `llama` architecture keeps them in.

    Hugging Face stores the two coordinates that the rotary embedding turns together half a head apart; llama.cpp
    stores them side by side: row `j` of the head's half `i` becomes row `2 j + i` of that head.
    """
    rows, rank = b.shape
    return b.reshape(heads, 2, rows // heads // 2, rank).swapaxes(1, 2).reshape(rows, rank)


def unmixed_rows(b: Weights, heads: int) -> Weights:
    """The rows of GPT-NeoX's fused matrix as llama.cpp keeps them: all queries, then all keys, then all values.

    Hugging Face stores query, key and value of one head together, head after head.
    """
    rows, rank = b.shape
    return b.reshape(heads, 3, rows // heads // 3, rank).swapaxes(0, 1).reshape(rows, rank)


def engine_tensors(
    config: Mapping[str, Any], settings: Mapping[str, Any], pairs: list[Pair], where: str
) -> Iterator[tuple[str, Weights]]:
    """The tensors of the GGUF in the order in which they are written: names, and values in float32.

    `config` is the base model's config.json. Raises `BadInput` for an architecture, a layer or a shape that the
    engine does not know.
    """
    import numpy as np
    from gguf import MODEL_ARCH_NAMES, get_tensor_name_map

    name = architecture(config, where)
    arch = next(key for key, value in MODEL_ARCH_NAMES.items() if value == name)
    names = get_tensor_name_map(arch, int(config.get("num_hidden_layers") or config.get("n_layer") or 0))
    for pair in pairs:
        target = names.get_name(f"{pair.module}.weight", try_suffixes=(".weight",))
        # The engine applies LoRA to the layers' own matrices; embeddings and the head share one tensor there.
        if target is None or not target.startswith("blk."):
            raise BadInput(
                f"{where}: {pair.module} is not a linear layer that {name} has inside its blocks. {_WANTED}"
            )
        a, rank = pair.a, len(pair.a)
        b = pair.b * np.float32(scaling(settings, pair.module, rank) * rank / alpha(settings))
        b = _reordered(b, name, target, config, f"{where}: {pair.module}")
        yield f"{target}.lora_a", np.ascontiguousarray(a, dtype=np.float32)
        yield f"{target}.lora_b", np.ascontiguousarray(b, dtype=np.float32)


def _reordered(b: Weights, name: str, target: str, config: Mapping[str, Any], where: str) -> Weights:
    """The rows of one layer's B in the order in which llama.cpp keeps the layer's own rows."""
    queries = int(config.get("num_attention_heads") or 1)
    if name in _PAIRED and target.endswith(("attn_q.weight", "attn_k.weight")):
        heads = queries if target.endswith("attn_q.weight") else int(config.get("num_key_value_heads") or queries)
        parts, order = 2, permuted_rows
    elif name == "gptneox" and target.endswith("attn_qkv.weight"):
        heads, parts, order = queries, 3, unmixed_rows
    else:
        return b
    if len(b) % (parts * heads):
        raise BadInput(f"{where} has {len(b)} outputs, which {heads} heads cannot share.")
    return order(b, heads)


def alpha(settings: Mapping[str, Any]) -> float:
    """The one alpha of the file; modules with another scale have the difference in their B."""
    return float(settings["lora_alpha"])


def architecture(config: Mapping[str, Any], where: str) -> str:
    """The GGUF architecture of a base model, by its config.json.

    Raises `BadInput` for one that the embedded engine is not known to compute rightly with an adapter.
    """
    kind = str(config.get("model_type"))
    if any((config.get(key) or 0) > 1 for key in _EXPERTS):
        raise BadInput(
            f"{where}: a base of the type {kind!r} is a mixture of experts, and llama.cpp has no adapters for these. "
            "Serve it with vLLM instead, or take a dense base."
        )
    if "vision_config" in config:
        raise BadInput(
            f"{where}: a base of the type {kind!r} sees images, which is not supported. Take the family's text-only "
            "base."
        )
    if kind not in ARCHITECTURES:
        raise BadInput(
            f"{where}: no GGUF with an adapter can be made for a base of the type {kind!r} (known: "
            f"{', '.join(sorted(ARCHITECTURES))}).{nearest(kind, ARCHITECTURES)} Serve it with vLLM instead."
        )
    return ARCHITECTURES[kind]


def write_gguf(adapter: Path, config: Mapping[str, Any], out: Path) -> int:
    """Write `out` as the LoRA GGUF of an adapter; returns how many layers it changes.

    `config` is the base model's config.json. The file is complete on disk only when this returns: callers write to
    a temporary name. Raises `BadInput` before anything is written.
    """
    from gguf import GGUFWriter

    settings, pairs = read_adapter(adapter)
    tensors = list(engine_tensors(config, settings, pairs, str(adapter)))
    writer = GGUFWriter(out, architecture(config, str(adapter)))
    writer.add_type("adapter")
    writer.add_string("adapter.type", "lora")
    writer.add_float32("adapter.lora.alpha", alpha(settings))
    for name, values in tensors:
        writer.add_tensor(name, values)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return len(pairs)
