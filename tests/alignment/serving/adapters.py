"""Random adapters instead of trained ones, so that everything they should change changes."""

from pathlib import Path

import torch
from peft import LoraConfig, get_peft_model
from transformers import AutoModelForCausalLM


def adapter(base: Path | str, folder: Path, *, seed: int = 1, std: float = 0.5, **settings) -> Path:
    """Save an adapter whose B is random and not zero."""
    model = AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32)
    config = {"r": 4, "lora_alpha": 8, "target_modules": "all-linear", "task_type": "CAUSAL_LM", **settings}
    peft = get_peft_model(model, LoraConfig(**config))
    generator = torch.Generator().manual_seed(seed)
    for name, weight in peft.named_parameters():
        if "lora_" in name and weight.ndim == 2:
            spread = std if "lora_B" in name else weight.shape[1] ** -0.5
            weight.data = torch.randn(weight.shape, generator=generator) * spread
    peft.save_pretrained(folder)
    return folder
