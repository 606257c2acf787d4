"""Measures in seconds how fast a base answers on this machine: with an adapter on top, and merged.

How fast it is does not depend on an adapter's numbers. So the adapter is made up, as large as the recipes train it,
and the base's own GGUF stands for a merged one of the same kind.
"""

import re
import secrets
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from typing import Any

from alignment.serving.engine import RunningEngine, serve
from data.bases import BaseInfo, gguf_path
from data.errors import ParleyError

_RANK = 16  # of the recipes' adapters, on all linear layers
_LAYER = re.compile(r"blk\.\d+\.(attn_(q|k|v|qkv|output)|ffn_(gate|up|down))\.weight")
_AT_ONCE, _PROMPT, _ANSWER = 4, 128, 24  # conversations, and their tokens
_ROUNDS = 5
_PATIENCE = 15.0  # seconds of measuring for each form; a slow machine is asked once


@dataclass(frozen=True, slots=True)
class Forms:
    """Seconds that the same answers took in both forms: the best of several measurements."""

    lora: float
    merged: float

    @property
    def ratio(self) -> float:
        """How many times as fast the merged form is."""
        return self.lora / self.merged


def compare_forms(info: BaseInfo) -> Forms:
    """Serve the base in both forms, in turn, and ask the same. Raises `ParleyError` when an engine breaks off."""
    best: dict[bool, float] = {}
    with tempfile.TemporaryDirectory(prefix="parley-speed-") as folder:
        adapter = made_up_adapter(gguf_path(info.alias), Path(folder) / "adapter.gguf")
        for lora in (True, False, True, False):
            took = _seconds(info.alias, adapter if lora else None)
            best[lora] = min(took, best.get(lora, took))
    return Forms(lora=best[True], merged=best[False])


def made_up_adapter(base: Path, out: Path, rank: int = _RANK) -> Path:
    """Write a LoRA GGUF that fits all linear layers of a base's GGUF and changes next to nothing; returns `out`."""
    import numpy as np
    from gguf import GGUFReader, GGUFWriter

    reader = GGUFReader(base)
    draw = np.random.default_rng(17)
    writer = GGUFWriter(out, str(reader.fields["general.architecture"].contents()))
    writer.add_type("adapter")
    writer.add_string("adapter.type", "lora")
    writer.add_float32("adapter.lora.alpha", float(rank))
    for tensor in reader.tensors:
        if _LAYER.fullmatch(tensor.name):
            inputs, outputs = (int(size) for size in tensor.shape[:2])
            writer.add_tensor(f"{tensor.name}.lora_a", draw.normal(0, 1e-3, (rank, inputs)).astype(np.float32))
            writer.add_tensor(f"{tensor.name}.lora_b", draw.normal(0, 1e-3, (outputs, rank)).astype(np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return out


def _seconds(base: str, adapter: Path | None) -> float:
    """The least time in which an engine gives its answers to several prompts that are new to it."""
    try:
        with serve(base, adapter) as engine:
            _answers(engine, _prompts(engine))  # the first ones find cold memory
            took: list[float] = []
            until = time.monotonic() + _PATIENCE / 2
            while not took or (len(took) < _ROUNDS and time.monotonic() < until):
                asked, began = _prompts(engine), time.perf_counter()
                _answers(engine, asked)
                took.append(time.perf_counter() - began)
    except (OSError, HTTPException) as error:
        raise ParleyError(f"The engine broke off while its speed was measured ({error}).") from error
    return min(took)


def _prompts(engine: RunningEngine) -> list[list[int]]:
    """Prompts as token ids, each with another beginning, so that nothing of them is cached."""
    text = "Water your ferns little and often, and ask again when the leaves turn brown. " * 12
    ids = engine.post("/tokenize", {"content": text, "add_special": False, "parse_special": False})["tokens"]
    return [list(_shifted(ids)) for _ in range(_AT_ONCE)]


def _shifted(ids: list[int]) -> Iterator[int]:
    for at in range(_PROMPT):
        yield ids[secrets.randbelow(len(ids))] if at < 4 else ids[at % len(ids)]


def _answers(engine: RunningEngine, prompts: list[list[int]]) -> None:
    def ask(prompt: list[int]) -> Any:
        body = {"prompt": prompt, "n_predict": _ANSWER, "ignore_eos": True, "temperature": 0.0, "cache_prompt": False}
        return engine.post("/completion", body)

    with ThreadPoolExecutor(max_workers=_AT_ONCE) as pool:
        list(pool.map(ask, prompts))
