"""Which files of a model's folder make a base: its weights, and the small files around them. Never a pickle."""

import json
from collections.abc import Iterable, Mapping
from fnmatch import fnmatch
from pathlib import Path

from data.errors import BadInput

WEIGHTS, INDEX = "model.safetensors", "model.safetensors.index.json"
# Configuration, tokenizer, template, and what says who may use it.
_SMALL = (
    "config.json", "generation_config.json", INDEX, "tokenizer.json", "tokenizer_config.json", "tokenizer.model",
    "special_tokens_map.json", "added_tokens.json", "vocab.json", "vocab.txt", "merges.txt", "spiece.model",
    "chat_template.jinja", "chat_template.json", "README.md", "LICENSE*", "LICENCE*", "NOTICE*", "COPYING*",
    "USE_POLICY*",
)  # fmt: skip
# What decides which tokens a text becomes.
_TOKENIZER = ("tokenizer.json", "tokenizer.model", "spiece.model", "vocab.json", "vocab.txt", "merges.txt")
_PICKLES = ("*.bin", "*.pt", "*.pth", "*.ckpt", "*.pkl")


def small_files(names: Iterable[str]) -> list[str]:
    """The files beside the weights that a base keeps, sorted."""
    return sorted(name for name in names if any(fnmatch(name, pattern) for pattern in _SMALL))


def tokenizer_files(names: Iterable[str]) -> list[str]:
    """The files of the tokenizer by whose hash a base is described: `tokenizer.json`, or what stands for it."""
    found = sorted(name for name in names if name in _TOKENIZER)
    return ["tokenizer.json"] if "tokenizer.json" in found else found


def weight_files(folder: Path, sizes: Mapping[str, int], where: str) -> list[str]:
    """The files with the weights: one, or the parts that the index names. `sizes` are all files, in bytes.

    The index must be in `folder`; the weights need not be there yet. `where` is what errors call the model. Raises
    `BadInput` for weights that are missing or in no safetensors file.
    """
    if WEIGHTS in sizes:
        return [WEIGHTS]
    if INDEX in sizes:
        try:
            parts = sorted(set(json.loads((folder / INDEX).read_bytes())["weight_map"].values()))
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            raise BadInput(f"{INDEX} of {where} is damaged: it should say which file holds which weight.") from None
        missing = [part for part in parts if part not in sizes]
        if missing:
            raise BadInput(
                f"{where} lacks {len(missing)} of its {len(parts)} files with weights (the first: {missing[0]}). "
                "Fetch the model again."
            )
        return [str(part) for part in parts]
    if "adapter_config.json" in sizes:
        raise BadInput(
            f"{where} is an adapter, not a base model. Name the base that it belongs to (base_model_name_or_path in "
            "its adapter_config.json)."
        )
    if any(fnmatch(name, pattern) for name in sizes for pattern in _PICKLES):
        raise BadInput(
            f"{where} has its weights in pickles only, which can run programs when they are read. Take a copy in "
            "safetensors, or save it again with transformers' save_pretrained on a machine where you trust it."
        )
    if any(name.endswith(".gguf") for name in sizes):
        raise BadInput(
            f"{where} holds a GGUF and no safetensors files. Training needs those: name the model's own folder or id "
            "with --model, and this file with --gguf."
        )
    raise BadInput(f"{where} has no weights: there is no {WEIGHTS} in it.")


def refuse_broken(folder: Path, names: Iterable[str]) -> None:
    """Raise `BadInput` if a file with weights breaks off or is none; only headers are read."""
    for name in names:
        path = folder / name
        size = path.stat().st_size
        try:
            with path.open("rb") as file:
                length = int.from_bytes(file.read(8), "little")
                header = json.loads(file.read(min(length, size)))
            end = max(tensor["data_offsets"][1] for key, tensor in header.items() if key != "__metadata__")
        except (ValueError, KeyError, TypeError, AttributeError, IndexError):
            raise BadInput(f"{path} is damaged: it is not a safetensors file. Fetch the model again.") from None
        if 8 + length + end != size:
            raise BadInput(
                f"{path} breaks off: it has {size} bytes, and should have {8 + length + end}. Fetch it again."
            )
