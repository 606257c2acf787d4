"""Makes the GGUF of a base with llama.cpp's own converter, which runs in a process of its own."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from alignment.conversion.converter import fetch_converter
from alignment.conversion.driver import UNKNOWN
from alignment.serving.gguf_lora import architecture
from data.errors import BadInput

# "none" keeps the precision in which the weights are stored, so that the GGUF holds exactly the same numbers.
QUANTISATIONS = ("none", "f32", "f16", "bf16", "q8_0", "q5_1", "q5_0", "q4_1", "q4_0")
_STORED = {"F32": "f32", "F16": "f16", "BF16": "bf16"}
# Bits a weight, with the blocks' scales.
_BITS = {"f32": 32.0, "f16": 16.0, "bf16": 16.0, "q8_0": 8.5, "q5_1": 6.0, "q5_0": 5.5, "q4_1": 5.0, "q4_0": 4.5}
_DRIVER = Path(__file__).with_name("driver.py")
_PROGRESS = re.compile(r"Writing:\s+(\d+)%")
# What a model's folder may hold beside weights; programs in it are left out, and so never run.
_FILES = ("*.safetensors", "*.json", "*.model", "*.txt")


class UnknownPreTokenizer(BadInput):
    """The converter does not know how the base's tokenizer splits a text; `find_pretokenizer` may find it."""


@dataclass(frozen=True, slots=True)
class Job:
    """One model to convert.

    `kind` is a quantisation but "none", or "empty" for the tokenizer on a model of one empty layer. `pre` names the
    pre-tokenizer, or is None where the converter is to know it.
    """

    model: Path
    out: Path
    kind: str
    pre: str | None = None


def convert(
    model: Path, out: Path, quantise: str, *, pre: str | None = None, say: Callable[[str], None] = print
) -> str:
    """Convert a model's folder in Hugging Face's format to a GGUF; returns the kind that was written (`f16`, ...).

    `quantise` is one of `QUANTISATIONS`. The file is complete only when this returns: callers write to a temporary
    name. Raises `UnknownPreTokenizer`, and `BadInput` for a model that cannot be converted, before the weights are
    read; `BadInput` as well when the converter fails or the disk has too little room.
    """
    kind = check_convertible(model, out.parent, quantise)
    say(f"Converting the weights to GGUF ({kind}) with llama.cpp's converter ...")
    run_jobs([Job(model, out, kind, pre)], say=say)
    return kind


def check_convertible(model: Path, folder: Path, quantise: str) -> str:
    """Raise `BadInput`, within a second, for what cannot be converted; else return the kind that would be written.

    `folder` is where the GGUF is going to be.
    """
    if quantise not in QUANTISATIONS:
        raise BadInput(f"There is no quantisation {quantise!r}. Take one of {', '.join(QUANTISATIONS)}.")
    config = _config(model)
    architecture(config, str(model))
    weights, stored = _weights(model)
    kind = _STORED.get(stored, "f32") if quantise == "none" else quantise
    needed = int(weights * _BITS[kind] / 8 * 1.02) + (32 << 20)  # and the vocabulary
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise BadInput(
            f"The GGUF in {kind} takes about {needed / 1e9:.1f} GB, and {folder} has {free / 1e9:.1f} GB left. Make "
            "room, or choose a smaller quantisation."
        )
    return kind


def run_jobs(jobs: Sequence[Job], *, say: Callable[[str], None] = print) -> None:
    """Convert several models in one process. Errors as in `convert`, for the first job that fails."""
    converter = fetch_converter(say)
    with _staged(jobs) as orders:
        process = subprocess.Popen(
            [sys.executable, "-P", str(_DRIVER), str(converter)],
            stdin=subprocess.PIPE,  # stays open until this process ends; then the converter ends too
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
            env=_environment(),
        )
        assert process.stdin is not None
        try:
            with suppress(BrokenPipeError):  # it ended before it read; its last line says why
                process.stdin.write(f"{json.dumps(orders)}\n")
                process.stdin.flush()
            last = _follow(process, say)
            code = process.wait()
        finally:
            process.kill()
            process.wait()
            with suppress(BrokenPipeError):
                process.stdin.close()
    if code:
        number = int(last[0].removeprefix("job ")) if len(last) > 1 and last[0].startswith("job ") else 0
        raise _refusal(jobs[number], code, last[-1] if last else "")


def _refusal(job: Job, code: int, line: str) -> BadInput:
    """Why a job failed, as a sentence."""
    if UNKNOWN in line:
        return UnknownPreTokenizer(
            f"llama.cpp's converter does not know how the tokenizer of {job.model} splits a text before it makes "
            "tokens."
        )
    if code < 0:
        return BadInput(
            f"llama.cpp's converter was stopped by signal {-code} while it converted {job.model}. Look at the free "
            "memory, and run the same command again."
        )
    return BadInput(f"llama.cpp's converter cannot convert {job.model}: {line.strip() or 'it gave no reason'}.")


def _follow(process: subprocess.Popen[str], say: Callable[[str], None]) -> list[str]:
    """Read the converter's messages until it ends, say how far it is, and return the last two lines."""
    last: list[str] = []
    told = 0
    assert process.stderr is not None
    for line in process.stderr:  # a progress bar's carriage return ends a line, too
        if not line.strip():
            continue
        found = _PROGRESS.search(line)
        if found and int(found[1]) >= told + 25:
            told = int(found[1]) // 25 * 25
            say(f"  {told} % written")
        last = [*last[-1:], line.strip()]
    return last


@contextmanager
def _staged(jobs: Sequence[Job]) -> Iterator[list[dict[str, Any]]]:
    """The jobs for the converter's process, each with a folder of links to the model's files.

    Programs that a model brings along are left out, and so is their mention in config.json.
    """
    with tempfile.TemporaryDirectory(prefix="parley-convert-") as name:
        orders: list[dict[str, Any]] = []
        for number, job in enumerate(jobs):
            folder = Path(name, str(number))
            folder.mkdir()
            for path in sorted({path for pattern in _FILES for path in job.model.glob(pattern)}):
                if path.name != "config.json":
                    (folder / path.name).symlink_to(path.resolve())
            config = {key: value for key, value in _config(job.model).items() if key != "auto_map"}
            (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
            orders.append(
                {
                    "model": str(folder),
                    "out": str(job.out.absolute()),
                    "kind": job.kind,
                    "pre": job.pre,
                    "name": _name(job.model, config),
                }
            )
        yield orders


def _name(model: Path, config: dict[str, Any]) -> str:
    """What the GGUF calls the model. llama.cpp goes by that name where it should go by the tokenizer.

    It takes away the white space after control tokens for a "phi-3". The real ones, whose tokenizers are
    SentencePiece's, need that; any other base that somebody calls so would get other tokens, or not load.
    """
    return "phi-3" if config["model_type"] == "phi3" and (model / "tokenizer.model").is_file() else "base"


def _config(model: Path) -> dict[str, Any]:
    """A model's config.json. Raises `BadInput` where there is none."""
    path = model / "config.json"
    try:
        found = json.loads(path.read_bytes())
    except FileNotFoundError:
        raise BadInput(f"{model} holds no model: there is no config.json in it.") from None
    except ValueError as error:
        raise BadInput(f"{path} is not valid JSON: {error}.") from None
    if not isinstance(found, dict) or not isinstance(found.get("model_type"), str):
        raise BadInput(f"{path} does not say which type of model this is (model_type).")
    return found


def _weights(model: Path) -> tuple[int, str]:
    """How many weights a model has, and in which type most of them are stored, from the headers of its files."""
    counts: dict[str, int] = {}
    for path in sorted(model.glob("*.safetensors")):
        try:
            with path.open("rb") as file:
                header = json.loads(file.read(min(int.from_bytes(file.read(8), "little"), 1 << 28)))
            for name, tensor in header.items():
                if name != "__metadata__":
                    size = 1
                    for length in tensor["shape"]:
                        size *= length
                    counts[tensor["dtype"]] = counts.get(tensor["dtype"], 0) + size
        except (ValueError, KeyError, TypeError, AttributeError):
            raise BadInput(f"{path} is damaged: it is not a safetensors file. Fetch the model again.") from None
    if not counts:
        raise BadInput(f"{model} has no weights in safetensors files. Save the model in that format first.")
    return sum(counts.values()), max(counts, key=lambda name: counts[name])


def _environment() -> dict[str, str]:
    """The environment of the converter's process: nothing that points Python at our packages, and no network."""
    left_out = ("PYTHONPATH", "PARLEY_", "HF_TOKEN", "DISCORD_")
    found = {name: value for name, value in os.environ.items() if not name.startswith(left_out)}
    return found | {"HF_HUB_OFFLINE": "1", "HF_HUB_DISABLE_TELEMETRY": "1", "PYTHONUNBUFFERED": "1"}
