"""Tiny bases for PPO."""

from pathlib import Path

import torch
from transformers import AutoModelForCausalLM

from tests.alignment import tiny


def telling_bases(folder: Path) -> dict[str, Path]:
    """Tiny bases by family whose words differ enough in likelihood for a policy to choose among them."""
    made = {}
    for family in ("qwen", "gpt2"):
        made[family] = tiny.build(family, folder / family)
        model = AutoModelForCausalLM.from_pretrained(made[family])
        with torch.no_grad():
            for name, tensor in model.named_parameters():
                if tensor.dim() == 2 and not any(part in name for part in ("embed", "wte", "wpe", "lm_head")):
                    tensor.mul_(8)  # so that the prompt matters at the last position
        model.config.tie_word_embeddings = False
        head = model.get_output_embeddings()
        head.weight = torch.nn.Parameter(head.weight.detach().clone() * 15)
        model.save_pretrained(made[family])
    return made
