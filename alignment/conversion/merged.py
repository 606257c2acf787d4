"""A base with an adapter merged into it, as one GGUF for any llama.cpp, compared before it gets its name."""

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from alignment.conversion.admission import Admission, admit
from alignment.conversion.gguf import check_convertible, convert
from alignment.models import locate
from alignment.serving.artefact import check_merged, merge, refuse_existing, staged
from data.bases import BaseInfo, base_dir, base_info, is_alias
from data.errors import BadInput
from data.home import file_sha256, private_dir

_NAME = "merged"  # what the merged model is called while it is checked as a base


def merge_to_gguf(
    adapter: Path, base: str, out: Path, quantise: str, *, check: bool, say: Callable[[str], None] = print
) -> Admission | None:
    """Write the base `base` with the adapter merged into it as a whole GGUF; returns how far it is from transformers.

    The merged weights are compared with PEFT's, and the file as served with the merged weights, unless `check` is
    False. Raises `BadInput` for a base that was not added, or that llama.cpp's converter does not take, and
    `NotServable` for a file that does not compute what was trained. Then nothing is left.
    """
    if not is_alias(base):
        raise BadInput(
            f"{base} is not a base that was added here, and a whole GGUF needs its template and control tokens. Add "
            "it first (`python -m alignment.bases add`), and name it with --base."
        )
    refuse_existing(out)
    if not out.parent.is_dir():
        raise BadInput(f"There is no folder {out.parent} to write {out.name} in.")
    # What is refused is refused here, not after minutes of work.
    check_convertible(Path(locate(base).path), out.parent, quantise)
    info = base_info(base)
    with staged(out) as temporary:
        folder = private_dir(temporary.parent / "bases" / _NAME)
        merge(adapter, base, folder / "hf", check=(lambda made: check_merged(adapter, base, made)) if check else None)
        kind = convert(folder / "hf", folder / "model.gguf", quantise, pre=pre_tokenizer(base), say=say)
        found = _admit(folder, info, kind, say) if check else None
        (folder / "model.gguf").rename(temporary)
        shutil.rmtree(folder.parent)
    return found


def _admit(folder: Path, info: BaseInfo, kind: str, say: Callable[[str], None]) -> Admission:
    """Compare the file as served with the merged weights, as a base is compared when it is added."""
    if not info.template_name:
        shutil.copyfile(base_dir(info.alias) / "template.jinja", folder / "template.jinja")
    sha256 = file_sha256(folder / "model.gguf")
    replace(info, alias=_NAME, gguf_sha256=sha256, quantisation=kind).save(folder / "base.json")
    return admit(_NAME, folder.parent, say=say)


def pre_tokenizer(base: str) -> str | None:
    """How llama.cpp splits the base's texts, as its own GGUF says; None where the converter has to find out."""
    if not base_info(base).gguf_sha256:
        return None
    from gguf import GGUFReader

    field = GGUFReader(base_dir(base) / "model.gguf").fields.get("tokenizer.ggml.pre")
    return str(field.contents()) if field else None
