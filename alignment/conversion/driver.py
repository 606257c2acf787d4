"""Runs llama.cpp's converter. This file is a program of its own: `python -P driver.py CONVERTER`, with jobs as JSON.

The first line of standard input is a list of jobs: `model` (a folder), `out` (a file), `kind` (f32, f16, bf16, q8_0,
q4_0, q4_1, q5_0 or q5_1; `empty` for the tokenizer on a model of one empty layer), `pre` (the pre-tokenizer's name,
or null where the converter is to know it) and `name` (what the file calls the model). One process may convert several
models, because its imports take seconds. It stops at the first job that fails, with exit code 1; the last two lines
of standard error are then its number and its error. Standard input stays open until the process that started this one
is gone, and then this one ends as well.

Three things are changed in the converter: a pre-tokenizer may be named, settings that transformers 5 no longer has
under their old names are given back, and there are four quantisations that it does not offer. It imports neither our
packages nor the `gguf` package that is installed here, but the one beside it.
"""

import json
import os
import sys
import threading
from pathlib import Path
from typing import Any

_OURS = ("q4_0", "q4_1", "q5_0", "q5_1")
UNKNOWN = "unknown-pre-tokenizer"


def main() -> int:
    """Do all jobs of standard input, in their order."""
    folder, jobs = Path(sys.argv[1]), json.loads(sys.stdin.readline())
    threading.Thread(target=_end_with_parent, daemon=True).start()
    os.environ["HF_HUB_OFFLINE"] = "1"
    # The converter's own `gguf` must come first: the installed one is of another age.
    sys.path[:0] = [str(folder), str(folder / "gguf-py")]
    import conversion  # type: ignore[import-not-found]  # it lies in the converter's folder
    import convert_hf_to_gguf  # type: ignore[import-not-found]  # the same

    conversion.ModelBase.load_hparams = staticmethod(_completed(conversion.ModelBase.load_hparams))
    named = conversion.TextModel.get_vocab_base_pre
    for number, job in enumerate(jobs):
        conversion.TextModel.get_vocab_base_pre = _pre_tokenizer(named, job["pre"], job["kind"] == "empty")
        try:
            if job["kind"] == "empty":
                _empty(conversion, convert_hf_to_gguf.gguf, job)
            elif job["kind"] in _OURS:
                _quantise(conversion, convert_hf_to_gguf.gguf, job)
            else:
                sys.argv = ["convert_hf_to_gguf.py", job["model"], "--outfile", job["out"]]
                sys.argv += ["--outtype", job["kind"], "--model-name", job["name"]]
                convert_hf_to_gguf.main()
        except Exception as error:
            line = (str(error).strip().splitlines() or [""])[0]
            print(f"\njob {number}\n{type(error).__name__}: {line}", file=sys.stderr)
            return 1
    return 0


def _end_with_parent() -> None:
    # Not `sys.stdin`: a thread that waits in it would keep this process from ending properly.
    while os.read(0, 1024):
        pass
    os._exit(1)


def _pre_tokenizer(known: Any, name: str | None, empty: bool) -> Any:
    """What the converter asks for the name of a pre-tokenizer: the given name, else what it knows.

    A vocabulary without its model is converted with an unknown one, too, because that is how it is found.
    """

    def ask(model: Any, tokenizer: Any) -> str:
        if name:
            return name
        try:
            return str(known(model, tokenizer))
        except NotImplementedError:
            if empty:
                return "default"
            raise ValueError(UNKNOWN) from None

    return ask


def _completed(load: Any) -> Any:
    """The converter's reader of a configuration, with the names that it reads and transformers 5 no longer writes."""

    def completed(*given: Any, **named: Any) -> Any:
        found = load(*given, **named)
        if found.get("model_type") == "gpt2":
            found.setdefault("n_ctx", found.get("n_positions", 1024))
        if found.get("model_type") == "gpt_neox":
            found.setdefault("rotary_pct", (found.get("rope_parameters") or {}).get("partial_rotary_factor", 0.25))
        return found

    return completed


def _quantise(conversion: Any, gguf: Any, job: dict[str, Any]) -> None:
    """Convert to a quantisation that `gguf.quants` has but the converter does not offer.

    The matrices in the blocks get it; embeddings and head get Q8_0, because they suffer most and are read once a
    token.
    """
    import torch

    wanted = gguf.GGMLQuantizationType[job["kind"].upper()]
    known: Any = _model_class(conversion, job)

    class Quantised(known):  # type: ignore[misc]  # a class that is chosen at run time
        model_arch = known.model_arch  # every class of the converter names its own

        def tensor_force_quant(self, name: str, new_name: str, bid: int | None, n_dims: int) -> Any:
            inside = new_name.startswith("blk.")
            if n_dims == 2 and new_name.endswith(".weight") and (inside or new_name in _ENDS):
                return wanted if inside else gguf.GGMLQuantizationType.Q8_0
            return super().tensor_force_quant(name, new_name, bid, n_dims)

    kind = gguf.LlamaFileType[f"MOSTLY_{job['kind'].upper()}"]
    with torch.inference_mode():
        Quantised(Path(job["model"]), kind, Path(job["out"]), model_name=job["name"]).write()


def _empty(conversion: Any, gguf: Any, job: dict[str, Any]) -> None:
    """Write a model of one empty layer with the tokenizer that the base's GGUF would have.

    Name of the pre-tokenizer and a padding have one length together and stand side by side, so that another name
    changes nothing else in the file (`alignment.conversion.candidates`).
    """
    import numpy as np

    model = _model_class(conversion, job)(Path(job["model"]), gguf.LlamaFileType.MOSTLY_F16, Path(job["out"]))
    model.set_vocab()
    (values,) = model.gguf_writer.kv_data
    size = len(values["tokenizer.ggml.tokens"].value)
    writer = gguf.GGUFWriter(job["out"], "llama")
    writer.add_name(job["name"])
    writer.add_context_length(64)
    writer.add_embedding_length(_WIDTH)
    writer.add_block_count(1)
    writer.add_feed_forward_length(_WIDTH)
    writer.add_head_count(1)
    writer.add_rope_dimension_count(_WIDTH)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_vocab_size(size)
    kept = {name: value for name, value in values.items() if name.startswith("tokenizer.") and name not in _APART}
    writer.kv_data[0].update(kept)
    pre = values["tokenizer.ggml.pre"].value if "tokenizer.ggml.pre" in values else "default"
    writer.add_string("tokenizer.ggml.pre", pre)
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


def _model_class(conversion: Any, job: dict[str, Any]) -> Any:
    """The converter's class for a model."""
    hparams = conversion.ModelBase.load_hparams(Path(job["model"]), False)
    return conversion.get_model_class(conversion.get_model_architecture(hparams, conversion.ModelType.TEXT))


_ENDS = ("token_embd.weight", "output.weight")
_WIDTH = 32  # numbers a token in the empty model
_LONGEST = 64  # bytes that its file keeps free for a name
_APART = ("tokenizer.ggml.pre", "tokenizer.chat_template")

if __name__ == "__main__":
    sys.exit(main())
