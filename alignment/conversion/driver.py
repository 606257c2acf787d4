"""Runs llama.cpp's converter. This file is a program of its own: `python -P driver.py CONVERTER`, with jobs as JSON.

Standard input holds a list of jobs: `model` (a folder), `out` (a file), `kind` (f32, f16, bf16, q8_0, q4_0, q4_1, q5_0
or q5_1), `vocabulary` (true: the tokenizer only) and `pre` (the pre-tokenizer's name, or null where the converter
shall know it). One process may convert several models, because its imports take seconds. What went wrong with a job is
the last line of standard error, and the exit code is 1; the job's number is on the line before it.

Two things are changed in the converter: a pre-tokenizer may be named, and there are four quantisations that it does
not offer. It imports neither our packages nor the `gguf` package that is installed here, but the one beside it.
"""

import json
import os
import sys
from pathlib import Path
from typing import Any

_OURS = ("q4_0", "q4_1", "q5_0", "q5_1")
UNKNOWN = "unknown-pre-tokenizer"


def main() -> int:
    """Do all jobs of standard input, in their order."""
    folder, jobs = Path(sys.argv[1]), json.load(sys.stdin)
    os.environ["HF_HUB_OFFLINE"] = "1"
    # The converter's own `gguf` must come first: the installed one is of another age.
    sys.path[:0] = [str(folder), str(folder / "gguf-py")]
    import conversion  # type: ignore[import-not-found]
    import convert_hf_to_gguf  # type: ignore[import-not-found]

    named = conversion.TextModel.get_vocab_base_pre
    for number, job in enumerate(jobs):
        conversion.TextModel.get_vocab_base_pre = _pre_tokenizer(named, job["pre"], job["vocabulary"])
        try:
            if job["kind"] in _OURS:
                _quantise(conversion, convert_hf_to_gguf.gguf, job)
            else:
                sys.argv = ["convert_hf_to_gguf.py", job["model"], "--outfile", job["out"]]
                sys.argv += ["--outtype", job["kind"], *(["--vocab-only"] if job["vocabulary"] else [])]
                convert_hf_to_gguf.main()
        except Exception as error:  # noqa: BLE001 - whatever it is, the parent makes a sentence of it
            lines = str(error).strip().splitlines() or [""]
            print(f"\njob {number}\n{type(error).__name__}: {lines[-1] if len(lines) == 1 else lines[0]}", file=sys.stderr)
            return 1
    return 0


def _pre_tokenizer(known: Any, name: str | None, vocabulary: bool) -> Any:
    """What the converter asks for the name of a pre-tokenizer: the given name, else what it knows.

    A vocabulary alone is converted with an unknown one, too, because that is how it is found.
    """

    def ask(model: Any, tokenizer: Any) -> str:
        if name:
            return name
        try:
            return str(known(model, tokenizer))
        except NotImplementedError:
            if vocabulary:
                return "default"
            raise ValueError(UNKNOWN) from None

    return ask


def _quantise(conversion: Any, gguf: Any, job: dict[str, Any]) -> None:
    """Convert to a quantisation that `gguf.quants` has but the converter does not offer.

    The matrices in the blocks get it; embeddings and head get Q8_0, because they suffer most and are read once a
    token.
    """
    import torch

    wanted = gguf.GGMLQuantizationType[job["kind"].upper()]
    hparams = conversion.ModelBase.load_hparams(Path(job["model"]), False)
    known = conversion.get_model_class(conversion.get_model_architecture(hparams, conversion.ModelType.TEXT))

    class Quantised(known):  # type: ignore[misc]
        def tensor_force_quant(self, name: str, new_name: str, bid: int | None, n_dims: int) -> Any:
            inside = new_name.startswith("blk.")
            if n_dims == 2 and new_name.endswith(".weight") and (inside or new_name in _ENDS):
                return wanted if inside else gguf.GGMLQuantizationType.Q8_0
            return super().tensor_force_quant(name, new_name, bid, n_dims)

    kind = gguf.LlamaFileType[f"MOSTLY_{job['kind'].upper()}"]
    with torch.inference_mode():
        Quantised(Path(job["model"]), kind, Path(job["out"])).write()


_ENDS = ("token_embd.weight", "output.weight")

if __name__ == "__main__":
    sys.exit(main())
