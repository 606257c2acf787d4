"""Finds how a base's tokenizer splits a text before it makes tokens, under the name that llama.cpp has for it.

The converter knows a pre-tokenizer by a hash of a few token ids, and so refuses a tokenizer that it has not seen,
for example a family's own with another vocabulary. Here the tokenizer is converted without the model, which takes
seconds, and put on an empty one. llama.cpp loads that under one name after another and makes tokens of 2,000 texts,
until a name gives the ids that transformers gives. A name that the converter knows is tested first, in the same way.
"""

from __future__ import annotations

import json
import os
import struct
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from alignment.conversion.candidates import rename
from alignment.conversion.gguf import Job, run_jobs
from alignment.conversion.texts import shown, texts
from alignment.rows.tokens import control_strings
from data.errors import BadInput
from data.variables import PARENT

if TYPE_CHECKING:
    from collections.abc import Callable

# One name for each way of splitting that llama.cpp knows, the common ones first. Under the names of the first group
# it takes a word that is a token before it merges, as some tokenizers do (`ignore_merges`).
_WHOLE = ("llama-bpe", "tekken", "granite-embed-multi-97m", "minicpm5", "youtu")
_MERGED = (
    "gpt-2", "qwen2", "smollm", "smaug-bpe", "gpt-4o", "deepseek-llm", "deepseek-v3", "deepseek-coder", "qwen35",
    "falcon", "jais-2", "bloom", "viking", "seed-coder", "bailingmoe", "grok-2", "tiny_aya", "kimi-k2", "superbpe",
    "chameleon", "afmoe", "laguna", "exaone-moe", "gemma4", "sarvam-moe", "default",
)  # fmt: skip


def find_pretokenizer(model: Path, *, tokenizer: Any = None, say: Callable[[str], None] = print) -> str:
    """The name of a model's pre-tokenizer in llama.cpp, shown to give transformers' token ids on 2,000 texts.

    `model` is a folder in Hugging Face's format, `tokenizer` what transformers loads from it (loaded here if not
    given). A tokenizer of another kind than byte-level BPE has no such name, but its ids are compared as well. Takes
    about 25 seconds of one core for a vocabulary of 49,152. Raises `BadInput`, with a text on which the ids differ,
    if no name fits.
    """
    if tokenizer is None:
        from transformers import AutoTokenizer

        tokenizer = AutoTokenizer.from_pretrained(model)
    say("Comparing llama.cpp's tokenizer with transformers' ...")
    asked = texts(control_strings(tokenizer))
    wanted = [list(tokenizer(text, add_special_tokens=False)["input_ids"]) for text in asked]
    with tempfile.TemporaryDirectory(prefix="parley-vocabulary-") as folder:
        empty = Path(folder, "empty.gguf")
        run_jobs([Job(model, empty, "empty")], say=say)
        found = _try(empty, _names(tokenizer), asked, wanted)
    if found and found[-1]["differs"] is None:
        name = str(found[-1]["name"])
        say(f"Token ids are equal on {len(asked)} texts (pre-tokenizer {name}).")
        return name
    best = max(found, key=lambda tried: tried["differs"] or 0, default=None)
    if best is None:
        raise BadInput(f"llama.cpp could not load the tokenizer of {model} under any name, so it cannot serve it.")
    raise BadInput(
        f"llama.cpp makes other tokens than transformers with the tokenizer of {model}, whichever of its "
        f"{len(found)} pre-tokenizers it takes; with the nearest one ({best['name']}) they differ on "
        f"{shown(asked[best['differs']])}. So no GGUF of it can be served; serve it with vLLM instead."
    )


def _names(tokenizer: Any) -> list[str]:
    """All names, in the order in which they are likely for this tokenizer."""
    whole = json.loads(tokenizer.backend_tokenizer.to_str())["model"].get("ignore_merges")
    return [*_WHOLE, *_MERGED] if whole else [*_MERGED, *_WHOLE]


def _try(empty: Path, names: list[str], asked: list[str], wanted: list[list[int]]) -> list[dict[str, Any]]:
    """Load the empty model under its own and these names until one gives the wanted ids; returns what was tried.

    An entry has the `name` and in `differs` the number of the first text with other ids, None if all are equal.
    `differs` is missing for a name that this llama.cpp does not know, and for one under which it ended the process or
    did not return: the next process goes on after that name.
    """
    try:
        left = list(dict.fromkeys([rename(empty, None), *names]))
    except (ValueError, struct.error) as error:
        raise BadInput("llama.cpp's converter could not make a file of this tokenizer alone.") from error
    found: list[dict[str, Any]] = []
    while left:
        process = subprocess.run(
            [sys.executable, "-m", "alignment.conversion.candidates", str(empty)],
            input=json.dumps({"names": left, "texts": asked, "ids": wanted}),
            capture_output=True,
            text=True,
            check=False,
            env={**os.environ, PARENT: str(os.getpid())},
        )
        lines = [json.loads(line) for line in process.stdout.splitlines() if line.startswith("{")]
        found += [line for line in lines if "name" in line]
        tried = [line["tries"] for line in lines if "tries" in line]
        if not tried:
            reason = (process.stderr.strip().splitlines() or ["it gave no reason"])[-1]
            raise BadInput(f"llama.cpp could not be tried on this tokenizer: {reason}.")
        if not process.returncode or (found and found[-1]["differs"] is None):
            break
        left = left[left.index(tried[-1]) + 1 :]
    return found
