"""Makes an adapter servable: as the LoRA GGUF that llama.cpp's servers load, or merged into a plain model directory.

The file can be checked before it gets its name, so a refused export, like a killed one, leaves nothing that could be
served.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from alignment.models import load_model, load_tokenizer, locate
from alignment.serving.gguf_lora import read_adapter, write_gguf
from alignment.serving.passages import TOKENS, NotServable, log_probs, real_passages
from data.chat import engine_template
from data.errors import BadInput
from data.home import make_private, sync_dir
from data.unfinished import remove_unfinished_of, unfinished_folder

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

# Mean difference in nats between a merged model and PEFT's by stored precision; SmolLM2-135M had 6e-6, 0.027, 0.003.
_MERGED_LIMIT = {"float32": 1e-3, "bfloat16": 0.1, "float16": 0.02}


def to_gguf(adapter: Path, base: str, out: Path, *, check: Callable[[Path], object] | None = None) -> Path:
    """Write a PEFT adapter as the LoRA GGUF that llama.cpp's servers load; returns `out`.

    `check` gets the finished file under its temporary name and may refuse it by raising. Raises `BadInput` when
    `out` exists, for anything but LoRA on linear layers, and for architectures not supported here.
    """
    _refuse_copy(adapter)
    with staged(out) as temporary:
        write_gguf(adapter, _config(base), temporary)
        if check:
            check(temporary)
    return out


def merge(adapter: Path, base: str, out: Path, *, check: Callable[[Path], object] | None = None) -> Path:
    """Write the base with the adapter merged into it as a directory that transformers loads; returns `out`.

    The sum is made in float32 and stored in the base's own precision, with the tokenizer and the chat template as
    an engine can parse it. `check` and errors as in `to_gguf`.
    """
    import torch

    _refuse_copy(adapter)
    read_adapter(adapter)  # it refuses what PEFT would merge, but not always as it was trained
    with staged(out) as temporary:
        model = load_model(base, adapter, dtype=torch.float32).merge_and_unload(safe_merge=True)
        model.to(getattr(torch, _stored_dtype(base))).save_pretrained(temporary)
        tokenizer = load_tokenizer(base)
        tokenizer.chat_template = engine_template(tokenizer.chat_template)
        tokenizer.save_pretrained(temporary)
        if check:
            check(temporary)
    return out


def check_merged(adapter: Path, base: str, merged: Path) -> float:
    """Compare a merged directory, loaded afresh, with PEFT's; returns the mean difference in nats.

    Raises `NotServable` when it is larger than rounding explains.
    """
    import numpy as np
    import torch

    passages = real_passages(load_tokenizer(base))
    if [p.ids for p in real_passages(load_tokenizer(str(merged)))] != [p.ids for p in passages]:
        raise NotServable(f"The tokenizer saved in {merged} makes other tokens than the base's; nothing was kept.")
    wanted = log_probs(load_model(base, adapter, dtype=torch.float32), passages)
    found = log_probs(load_model(str(merged), dtype=torch.float32), passages)
    top = np.argsort(-wanted, axis=1)[:, :TOKENS]
    mean = float(np.abs(np.take_along_axis(found, top, 1) - np.take_along_axis(wanted, top, 1)).mean())
    limit = _MERGED_LIMIT[_stored_dtype(base)]
    if not mean <= limit:
        raise NotServable(
            f"The merged model is {mean:.4f} nats off PEFT's on average (limit {limit}); nothing was kept."
        )
    return mean


@contextmanager
def staged(out: Path) -> Iterator[Path]:
    """A temporary name beside `out` to write a file or a folder under; it becomes `out` when the block is done.

    After an error nothing is left; what a killed process left is removed by the next export. Raises `BadInput` when
    `out` exists or its folder does not.
    """
    refuse_existing(out)
    if not out.parent.is_dir():
        raise BadInput(f"There is no folder {out.parent} to write {out.name} in.")
    remove_unfinished_of(out)
    with unfinished_folder(out) as folder:
        temporary = folder / out.name
        yield temporary
        make_private(temporary)
        for path in [temporary, *temporary.rglob("*")]:
            sync_dir(path)  # fsync takes a file's descriptor as well as a folder's
        refuse_existing(out)  # another process was faster
        temporary.rename(out)
        sync_dir(out.parent)


def refuse_existing(out: Path) -> None:
    """Raise `BadInput` where something has the name already."""
    if out.exists():
        raise BadInput(f"{out} exists already and is left as it is. Give another name, or remove it first.")


def _refuse_copy(adapter: Path) -> None:
    if adapter.name == "ref" and (adapter.parent / "adapter_config.json").is_file():
        raise BadInput(
            f"{adapter} is the frozen copy that a DPO stage compared itself with, not what it trained. "
            f"Export {adapter.parent} instead."
        )


def _config(base: str) -> dict[str, Any]:
    from transformers import AutoConfig

    settings: dict[str, Any] = AutoConfig.from_pretrained(locate(base).path).to_dict()
    return settings


def _stored_dtype(base: str) -> str:
    dtype = str(_config(base).get("dtype") or "float32").removeprefix("torch.")
    return dtype if dtype in _MERGED_LIMIT else "float32"
