"""Makes small LoRA files and releases of the bundled base in milliseconds; their weights are random."""

from pathlib import Path

import numpy as np
from gguf import GGUFWriter

from data.bases import DEFAULT_BASE, base_info
from data.chat import load_template, template_sha256
from data.home import file_sha256
from data.release_manifest import ReleaseManifest
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
    """A release in `home` with such an adapter, or with a file that was damaged from the start.

    Its manifest has the hashes of its files, as that of every release from a round. Needs the fixture `base_home`.
    """

    def build(folder: Path) -> ReleaseManifest:
        if damaged:
            (folder / "adapter.gguf").write_bytes(b"GGUF, but no more")
        else:
            write_adapter(folder / "adapter.gguf", seed=seed, strength=strength)
        base = base_info(DEFAULT_BASE)
        return ReleaseManifest(
            base=DEFAULT_BASE,
            template_sha256=template_sha256(load_template(base.template_name)),
            base_sha256=base.gguf_sha256,
            adapter_gguf_sha256=file_sha256(folder / "adapter.gguf"),
        )

    return Releases(home).create(build)
