"""Looks at a GGUF that somebody made themselves (`--gguf`), before it is copied."""

from pathlib import Path
from typing import Any

from alignment.serving.gguf_lora import ARCHITECTURES
from data.errors import BadInput


def quantisation_of(path: Path, architecture: str, layers: int) -> str:
    """How a GGUF is quantised (`q4_k_m`), once it is seen to be a model of this type and depth.

    `architecture` is transformers' name of the type. Raises `BadInput` for any other file. Whether its numbers are
    the model's is found by the admission, which compares what both compute.
    """
    from gguf import GGUFReader, LlamaFileType

    with path.open("rb") as file:
        if file.read(4) != b"GGUF":
            raise BadInput(f"{path} is not a readable GGUF: it does not begin with the letters GGUF.")
    try:
        fields = GGUFReader(path).fields
        kind = str(fields["general.architecture"].contents())
        what = str(fields["general.type"].contents()) if "general.type" in fields else "model"
        found = int(fields[f"{kind}.block_count"].contents()) if what == "model" else 0
        stored: Any = fields["general.file_type"].contents() if "general.file_type" in fields else None
    except OSError:
        raise
    except Exception as error:  # the reader raises whatever a damaged file makes of its numbers
        raise BadInput(f"{path} is not a readable GGUF ({error or type(error).__name__}). Fetch it again.") from None
    if what != "model":
        raise BadInput(f"{path} is a GGUF of the kind {what!r}, and --gguf takes that of the whole model.")
    wanted = ARCHITECTURES[architecture]
    if kind != wanted:
        raise BadInput(f"{path} holds a model of the type {kind!r}, and --model names one of the type {wanted!r}.")
    if layers and found != layers:
        raise BadInput(
            f"{path} holds a model of {found} layers, and --model names one of {layers}: they are two models."
        )
    try:
        return str(LlamaFileType(int(stored)).name).removeprefix("MOSTLY_").removeprefix("ALL_").lower()
    except (TypeError, ValueError):
        return "unknown"
