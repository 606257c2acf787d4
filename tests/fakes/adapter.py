"""Small LoRA files and releases of the bundled base, made in milliseconds. They change answers but teach nothing."""

from pathlib import Path

import numpy as np
from gguf import GGUFWriter

from data.bases import DEFAULT_BASE, base_info
from data.chat import load_template, template_sha256
from data.releases import Release, Releases

HIDDEN = 576  # of SmolLM2-135M


def write_adapter(path: Path, *, seed: int = 0, strength: float = 0.02) -> Path:
    """A rank-4 adapter on the first layer's attention output with random weights; strength 0 changes nothing."""
    random = np.random.default_rng(seed)
    writer = GGUFWriter(str(path), "llama")
    writer.add_type("adapter")
    writer.add_string("adapter.type", "lora")
    writer.add_float32("adapter.lora.alpha", 4.0)
    a = random.standard_normal((4, HIDDEN)).astype(np.float32)
    b = random.standard_normal((HIDDEN, 4)).astype(np.float32) * strength
    writer.add_tensor("blk.0.attn_output.weight.lora_a", a)
    writer.add_tensor("blk.0.attn_output.weight.lora_b", b)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def make_release(home: Path, *, seed: int = 0, strength: float = 0.02, damaged: bool = False) -> Release:
    """A release in `home` with such an adapter, or with a broken file. Needs the fixture `base_home`."""

    def build(folder: Path) -> dict[str, object]:
        if damaged:
            (folder / "adapter.gguf").write_bytes(b"GGUF, but no more")
        else:
            write_adapter(folder / "adapter.gguf", seed=seed, strength=strength)
        template = load_template(base_info(DEFAULT_BASE).template_name)
        return {"kind": "adapter", "base": DEFAULT_BASE, "template_sha256": template_sha256(template)}

    return Releases(home).create(build)
