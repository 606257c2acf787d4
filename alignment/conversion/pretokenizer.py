"""Finds how a base's tokenizer splits a text before it makes tokens, under the name that llama.cpp has for it.

The converter knows a pre-tokenizer by a hash of a few token ids, and so refuses a tokenizer that it has not seen, a
family's own cut to another vocabulary say. Here the vocabulary is converted alone, which takes seconds, and put before
an empty model. llama.cpp loads that under one name after another and makes tokens of 2,000 texts, until a name gives
the ids that transformers gives. What the converter takes for known is tested in the same way, and first.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from alignment.conversion.gguf import Job, run_jobs
from alignment.conversion.texts import shown, texts
from data.errors import BadInput

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

# One name for each way of splitting that llama.cpp knows, the common ones first. `llama-bpe` and others also take a
# word that is a token itself before they merge.
KNOWN = (
    "gpt-2", "qwen2", "llama-bpe", "smollm", "smaug-bpe", "gpt-4o", "tekken", "deepseek-llm", "deepseek-v3",
    "deepseek-coder", "qwen35", "falcon", "jais-2", "bloom", "viking", "seed-coder", "bailingmoe", "grok-2", "minicpm5",
    "granite-embed-multi-97m", "tiny_aya", "kimi-k2", "superbpe", "youtu", "chameleon", "afmoe", "laguna", "exaone-moe",
    "gemma4", "sarvam-moe", "default",
)  # fmt: skip
_WIDTH = 32  # numbers a token in the empty model
_LONGEST = 64  # bytes that the file keeps free for a name
_PRE = "tokenizer.ggml.pre"


def find_pretokenizer(model: Path, *, tokenizer: Any = None, say: Callable[[str], None] = print) -> str:
    """The name of a model's pre-tokenizer in llama.cpp, shown to give transformers' token ids on 2,000 texts.

    `model` is a folder in Hugging Face's format, `tokenizer` what transformers loads from it (loaded here if not
    given). A tokenizer of another kind than byte-level BPE has none to be found; its ids are compared as well. Takes
    about ten seconds, and up to a minute where the converter does not know it. Raises `BadInput`, with a text on which
    the ids differ, if no name fits.
    """
    if tokenizer is None:
        from transformers import AutoTokenizer

        tokenizer = AutoTokenizer.from_pretrained(model)
    from alignment.rows.tokens import control_strings

    say("Comparing llama.cpp's tokenizer with transformers' ...")
    asked = texts(control_strings(tokenizer))
    wanted = [list(tokenizer(text, add_special_tokens=False)["input_ids"]) for text in asked]
    with tempfile.TemporaryDirectory(prefix="parley-vocabulary-") as folder:
        vocabulary, empty = Path(folder, "vocabulary.gguf"), Path(folder, "empty.gguf")
        run_jobs([Job(model, vocabulary, "f32", vocabulary=True)], say=say)
        kind, first = write_empty(vocabulary, empty)
        names = list(dict.fromkeys([first, *(KNOWN if kind == "gpt2" else ())]))
        found = _try(empty, names, asked, wanted)
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


def write_empty(vocabulary: Path, out: Path) -> tuple[str, str]:
    """Write a model of one empty layer with the tokenizer of a GGUF; returns the tokenizer's kind and pre-tokenizer.

    The file keeps room for other names (`rename`).
    """
    import numpy as np
    from gguf import GGUFReader, GGUFValueType, GGUFWriter

    fields = GGUFReader(vocabulary).fields
    pre = fields[_PRE].contents() if _PRE in fields else "default"
    size = len(fields["tokenizer.ggml.tokens"].data)
    writer = GGUFWriter(out, "llama")
    writer.add_context_length(64)
    writer.add_embedding_length(_WIDTH)
    writer.add_block_count(1)
    writer.add_feed_forward_length(_WIDTH)
    writer.add_head_count(1)
    writer.add_rope_dimension_count(_WIDTH)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_vocab_size(size)
    for name, field in fields.items():
        if not name.startswith("tokenizer.") or name in (_PRE, "tokenizer.chat_template"):
            continue
        if field.types[0] == GGUFValueType.ARRAY:
            writer.add_array(name, field.contents())
        else:
            writer.add_key_value(name, field.contents(), field.types[0])
    # Name and padding have one length together and stand side by side: another name changes nothing else.
    writer.add_string(_PRE, pre)
    writer.add_string("parley.padding", "-" * (_LONGEST - len(pre)))
    writer.add_tensor("token_embd.weight", np.zeros((size, _WIDTH), np.float16))
    writer.add_tensor("output_norm.weight", np.zeros(_WIDTH, np.float32))
    for name in ("attn_q", "attn_k", "attn_v", "attn_output", "ffn_gate", "ffn_up", "ffn_down"):
        writer.add_tensor(f"blk.0.{name}.weight", np.zeros((_WIDTH, _WIDTH), np.float16))
    for name in ("attn_norm", "ffn_norm"):
        writer.add_tensor(f"blk.0.{name}.weight", np.zeros(_WIDTH, np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return str(fields["tokenizer.ggml.model"].contents()), str(pre)


def _try(empty: Path, names: Sequence[str], asked: list[str], wanted: list[list[int]]) -> list[dict[str, Any]]:
    """Load the empty model under each name until one gives the wanted ids; what was tried, in order.

    An entry has the `name` and in `differs` the number of the first text with other ids, None if all are equal. Names
    that this llama.cpp does not know have none.
    """
    process = subprocess.run(
        [sys.executable, "-m", "alignment.conversion.candidates", str(empty)],
        input=json.dumps({"names": list(names), "texts": asked, "ids": wanted}),
        capture_output=True,
        text=True,
        check=False,
    )
    found = [json.loads(line) for line in process.stdout.splitlines() if line.startswith("{")]
    if process.returncode and not found:
        reason = (process.stderr.strip().splitlines() or ["it gave no reason"])[-1]
        raise BadInput(f"llama.cpp could not be tried on this tokenizer: {reason}.")
    return found
