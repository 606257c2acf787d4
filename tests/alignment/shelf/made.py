"""Bases as `add` leaves them, without weights: what the shelf says of them needs none."""

import json
import struct
from pathlib import Path

from data.bases import BaseInfo
from data.home import file_sha256


def safetensors(path: Path, size: int = 64) -> Path:
    """A file with one tensor of `size` bytes."""
    header = json.dumps({"w": {"dtype": "U8", "shape": [size], "data_offsets": [0, size]}}).encode()
    path.write_bytes(struct.pack("<Q", len(header)) + header + b"\x07" * size)
    return path


def base(bases: Path, name: str = "fern", *, gguf: bool = True, **facts: object) -> BaseInfo:
    """A complete base with a few bytes in each file."""
    folder = bases / name
    (folder / "hf").mkdir(parents=True)
    (folder / "hf" / "config.json").write_text('{"model_type": "llama"}')
    safetensors(folder / "hf" / "model.safetensors")
    files = {f"hf/{path.name}": file_sha256(path) for path in (folder / "hf").iterdir()}
    if gguf:
        (folder / "model.gguf").write_bytes(b"GGUF of " + name.encode())
    values = {
        "alias": name,
        "control": ("<|im_end|>",),
        "context_length": 4096,
        "eos_token": "<|im_end|>",
        "template_name": "chatml",
        "licence": "apache-2.0",
        "architecture": "llama",
        "weights_sha256": files["hf/model.safetensors"],
        "gguf_sha256": file_sha256(folder / "model.gguf") if gguf else "",
        "quantisation": "q8_0" if gguf else "",
        "files": files,
    }
    info = BaseInfo(**(values | facts))
    info.save(folder / "base.json")
    return info
