"""Makes a bundled base's GGUF loadable by transformers, once."""

import contextlib
import io
import json
import shutil
from pathlib import Path
from typing import Any

from filelock import FileLock

from alignment.quiet import quiet
from data import bases
from data.chat import load_template
from data.errors import BadInput
from data.home import make_private, sync_dir
from data.unfinished import remove_unfinished_of, unfinished_folder

# Raised whenever the conversion below changes, so that folders made by an older one are made again.
_VERSION = 1


def converted(alias: str) -> Path:
    """The folder with a bundled base in transformers' format (float32), made from its GGUF at first use (12 s).

    The folder appears under its name when it is complete; a kill leaves a temporary one, which the next call
    removes. Concurrent callers wait for the first.
    """
    parent = bases.base_dir(alias)
    folder = parent / "hf"
    wanted = {"version": _VERSION, "gguf_sha256": bases.base_info(alias).gguf_sha256}
    if _made_from(folder) == wanted:
        return folder
    with FileLock(parent / ".hf.lock", mode=0o600):
        if _made_from(folder) == wanted:
            return folder
        remove_unfinished_of(folder)  # the folder need not be in the home, where every start does this
        with unfinished_folder(folder) as staging:
            # Loading shows a progress bar for a few seconds that cannot be switched off.
            with contextlib.redirect_stderr(io.StringIO()):
                _convert(alias, bases.gguf_path(alias), staging)
            (staging / "parley.json").write_text(json.dumps(wanted) + "\n", encoding="utf-8")
            make_private(staging)
            shutil.rmtree(folder, ignore_errors=True)
            staging.rename(folder)
            sync_dir(parent)
    return folder


def _made_from(folder: Path) -> Any:
    try:
        return json.loads((folder / "parley.json").read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None


def _convert(alias: str, gguf: Path, folder: Path) -> None:
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig

    quiet()
    info = bases.base_info(alias)
    # Without dequantize=True the weights stay packed and cannot be saved.
    model = AutoModelForCausalLM.from_pretrained(
        gguf.parent, gguf_file=gguf.name, dtype=torch.float32, quantization_config=GgufConfig(dequantize=True)
    )
    model.config._name_or_path = alias
    model.save_pretrained(folder)
    tokenizer = AutoTokenizer.from_pretrained(gguf.parent, gguf_file=gguf.name)
    _restore_pre_tokenizer(tokenizer, gguf)
    tokenizer.chat_template = load_template(info.template_name)
    tokenizer.model_max_length = info.context_length
    tokenizer.save_pretrained(folder)


def _restore_pre_tokenizer(tokenizer: Any, gguf: Path) -> None:
    """Give a converted tokenizer the pre-tokenizer that its GGUF names.

    transformers uses a plain byte-level one for every GGUF. SmolLM2 splits digits first, so 169 of 1,500 random texts
    got other tokens than from llama.cpp (around digits and white space); with the right pre-tokenizer none did.
    """
    from gguf import GGUFReader
    from tokenizers import pre_tokenizers

    name = GGUFReader(gguf).fields["tokenizer.ggml.pre"].contents()
    if name != "smollm":
        raise BadInput(f"The pre-tokenizer {name!r} of {gguf} is not known here; the base cannot be converted.")
    tokenizer.backend_tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Digits(individual_digits=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True),
        ]
    )
