"""Which kinds of models can be bases, told by their configuration alone."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from alignment.serving.gguf_lora import ARCHITECTURES
from data.errors import BadInput, nearest

_EXPERTS = ("num_experts", "num_local_experts", "n_routed_experts", "moe_num_experts", "num_moe_experts")
_SENSES = ("vision_config", "audio_config", "vision_tower")


def read_config(folder: Path, where: str) -> dict[str, Any]:
    """A model's config.json; `where` is what errors call the model. Raises `BadInput` for a damaged file."""
    try:
        found = json.loads((folder / "config.json").read_bytes())
    except ValueError as error:
        raise BadInput(f"config.json of {where} is not valid JSON: {error}.") from None
    if not isinstance(found, dict) or not isinstance(found.get("model_type"), str):
        raise BadInput(f"config.json of {where} does not say which type of model it is (model_type).")
    return found


def refuse_unsupported(config: Mapping[str, Any], where: str, *, served: bool) -> None:
    """Raise `BadInput` for a model that cannot be a base. `served`: the embedded engine is to serve it."""
    kind = str(config["model_type"])
    if any(isinstance(config.get(key), int) and config[key] > 1 for key in _EXPERTS) or "moe" in kind:
        raise BadInput(
            f"{where} is a mixture of experts ({kind}), which Parley cannot train: adapters are on plain linear "
            "layers only. Take a dense model."
        )
    if any(config.get(key) for key in _SENSES):
        raise BadInput(
            f"{where} is made for pictures or sounds as well as text ({kind}). Take a model for text alone; of some, "
            "such as Gemma 3, the smaller ones are."
        )
    if config.get("quantization_config"):
        method = dict(config["quantization_config"]).get("quant_method") or "quantised"
        raise BadInput(
            f"The weights of {where} are stored quantised ({method}). Take the original ones: Parley makes its own "
            "GGUF, and QLoRA quantises while it trains."
        )
    if served and kind not in ARCHITECTURES:
        raise BadInput(
            f"{where} is a model of the type {kind!r}, which the embedded engine cannot serve with an adapter "
            f"(known: {', '.join(sorted(ARCHITECTURES))}).{nearest(kind, ARCHITECTURES)} To train it and serve it "
            "with vLLM, which nobody has tried with this type, add --no_gguf."
        )
    if not served:
        _refuse_unknown(kind, where)


def _refuse_unknown(kind: str, where: str) -> None:
    from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING_NAMES as KNOWN

    if kind not in KNOWN:
        raise BadInput(
            f"{where} is a model of the type {kind!r}, which transformers does not know as one that writes text."
            f"{nearest(kind, KNOWN)} Programs that a model brings along are never run."
        )
