"""The model that a stage trains: the base, with a new adapter or one that is continued, and the reference."""

import re
from collections.abc import Collection
from contextlib import suppress
from typing import Any

from transformers.integrations import is_deepspeed_zero3_enabled
from trl import get_peft_config, get_quantization_config

from alignment import models
from alignment.training.recipe import NOT_ADAPTED
from alignment.training.stage import Stage
from data.errors import BadInput, nearest


def load_policy(stage: Stage) -> tuple[Any, Any]:
    """The model to train, and the LoRA configuration of a new adapter (None when one is continued, or without).

    A frozen base on a GPU is held in bf16; weights that are trained are float32 everywhere.
    """
    model = models.load_base(stage.source.base, **base_options(stage))
    models.check_vocabulary(model, stage.tokenizer)
    if stage.source.adapter is not None:
        return models.load_adapter(model, stage.source.adapter, trainable=True), None
    return model, new_adapter(stage, model) if stage.recipe.model.use_peft else None


def load_reference(stage: Stage) -> Any:
    """The reference of a policy that trains all weights: the base, loaded again. None for an adapter."""
    return None if stage.peft else models.load_base(stage.source.base, **base_options(stage))


def base_options(stage: Stage) -> dict[str, Any]:
    """How the base is loaded for training: its dtype, its attention, its quantisation."""
    settings, on_gpu = stage.recipe.model, stage.machine.device == "cuda"
    frozen = "dtype" not in stage.recipe.given and stage.peft and on_gpu and stage.recipe.training.bf16
    options = {
        "dtype": "bfloat16" if frozen else settings.dtype,
        "attn_implementation": settings.attn_implementation,
        "quantization_config": get_quantization_config(settings),
    }
    return {name: value for name, value in options.items() if value is not None}


def new_adapter(stage: Stage, model: Any) -> Any:
    """The LoRA configuration of a new adapter. Raises `BadInput` for targets that the base does not have."""
    config = get_peft_config(stage.recipe.model)
    linear = {name for name, module in model.named_modules() if _is_linear(module)}
    config.target_modules = adapted_layers(config.target_modules, linear, stage.source.base.name)
    # GPT-2 keeps its linear layers transposed.
    config.fan_in_fan_out = any(type(module).__name__ == "Conv1D" for module in model.modules())
    return config


def adapted_layers(asked: Any, linear: Collection[str], base: str) -> str | list[str]:
    """What PEFT is to adapt: "all-linear", a list of layers' names, or a regular expression of their whole names.

    `asked` is lora_target_modules, of which TRL makes one text if it is a list of one; PEFT reads a text as a regular
    expression. `linear` are the whole names of the base's linear layers. Raises `BadInput` for what matches none.
    """
    if not asked or asked in ("all-linear", ["all-linear"]):
        return "all-linear"  # for PEFT this excludes the output head
    leaves = sorted({name.rpartition(".")[2] for name in linear if not NOT_ADAPTED.search(name)})
    targets = [asked] if isinstance(asked, str) else sorted(asked)
    unknown = [each for each in targets if not any(name == each or name.endswith(f".{each}") for name in linear)]
    if not unknown:
        return targets
    with suppress(re.error):
        matched = [name for name in linear if isinstance(asked, str) and re.fullmatch(asked, name)]
        if matched and not any(map(NOT_ADAPTED.search, matched)):
            return str(asked)
    raise BadInput(
        f"lora_target_modules: {base} has no linear layer {unknown[0]!r} that can be adapted; it has "
        f"{', '.join(leaves)}.{nearest(unknown[0], leaves)}"
    )


def refuse_zero3(stage: str) -> None:
    """Raise `BadInput` if DeepSpeed ZeRO-3 holds the weights.

    A stage that loads a second model, or reads weights by itself, would wait for ever or read nothing.
    """
    if is_deepspeed_zero3_enabled():
        raise BadInput(f"{stage} does not run under DeepSpeed ZeRO-3. Take deploy/accelerate/fsdp2.yaml or ddp.yaml.")


def _is_linear(module: Any) -> bool:
    return type(module).__name__ in ("Linear", "Conv1D", "Linear4bit", "Linear8bitLt")
