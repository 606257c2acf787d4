"""Base models, their tokenizers and adapters, loaded for training and for judging.

A base is named by a Hugging Face id, a local directory or a bundled alias. What is trained from it keeps its
vocabulary, its tokenizer and its template: nothing is resized, so that an adapter always applies to the base itself.
"""

import argparse
import hashlib
import json
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from alignment.convert import converted
from alignment.rows.tokens import Encoded, EncodedAnswer, control_strings, encode, encode_answer, prompt_ids
from alignment.templates import MARK, accepting, name_end_of_turn
from data import bases
from data.base_files import refuse_damaged
from data.chat import load_template
from data.errors import BadInput, nearest, run
from data.home import file_sha256

__all__ = [
    "Base",
    "Encoded",
    "EncodedAnswer",
    "Start",
    "base_sha256",
    "control_strings",
    "encode",
    "encode_answer",
    "load_model",
    "load_tokenizer",
    "locate",
    "prompt_ids",
    "resolve",
    "tokenizer_sha256",
]


ADAPTER_CONFIG, ADAPTER_WEIGHTS = "adapter_config.json", "adapter_model.safetensors"  # as PEFT names them


@dataclass(frozen=True, slots=True)
class Base:
    """A base model: the name under which it is recorded, and what transformers loads it from."""

    name: str
    path: str


@dataclass(frozen=True, slots=True)
class Start:
    """What a stage starts from: a base model, and the adapter on it that is continued, if any."""

    base: Base
    adapter: Path | None = None


def resolve(name: str, *, allow_download: bool = False) -> Start:
    """Find what `--model_name_or_path` names: a base model, a folder with an adapter, or a run or release with one.

    Raises `BadInput`, which says what to do, when it is none of these.
    """
    folder = Path(name) if bases.is_alias(name) else result_of(Path(name))
    if not bases.is_alias(name) and (folder / ADAPTER_CONFIG).is_file():
        return Start(locate(own_base(folder), allow_download=allow_download), folder)
    return Start(locate(str(folder) if folder != Path(name) else name, allow_download=allow_download))


def result_of(folder: Path) -> Path:
    """The folder of the model in a run's or a release's folder; any other folder is returned as it is.

    Raises `BadInput` for a run that has no result.
    """
    kinds = (ADAPTER_CONFIG, "config.json")
    if not (folder / "manifest.json").is_file() or any((folder / kind).is_file() for kind in kinds):
        return folder
    for name in ("adapter", "model", "reward"):
        if any((folder / name / kind).is_file() for kind in kinds):
            return folder / name
    raise BadInput(
        f"{folder} is the folder of a run without a result: there is neither adapter/ nor model/ in it. Run its "
        "command again, to the end, or name another folder."
    )


def own_base(adapter: Path) -> str:
    """The base that an adapter names. Raises `BadInput` if it names none."""
    name = adapter_config(adapter).get("base_model_name_or_path")
    if not name:
        raise BadInput(
            f"{adapter / ADAPTER_CONFIG} does not say which base model the adapter belongs to "
            "(base_model_name_or_path)."
        )
    return str(name)


def locate(name: str, *, allow_download: bool = False) -> Base:
    """Find a base model by name, local directory or Hugging Face id; the bundled one is converted at first use.

    Raises `BadInput`, which says what to do, for one that is not here, and for an added one that is damaged.
    """
    if bases.is_alias(name):
        if name in bases.BUNDLED:
            return Base(name, str(converted(name)))
        refuse_damaged(bases.base_info(name))
        return Base(name, str(bases.base_dir(name) / "hf"))
    folder = Path(name)
    if folder.is_dir():
        if not (folder / "config.json").is_file():
            raise BadInput(f"{folder} holds no model: there is no config.json in it.")
        return Base(str(folder.resolve()), str(folder.resolve()))
    if not re.fullmatch(r"[\w.-]+(/[\w.-]+)?", name) or name.startswith("."):
        raise BadInput(f"There is no folder {name}.")
    if not allow_download and not _cached(name):
        hint = nearest(name, bases.known_bases())
        raise BadInput(
            f"There is no base model {name!r} on this machine: no folder and no added base of that name, and it "
            f"is not in the Hugging Face cache.{hint} To fetch it from the hub, add --allow_download."
        )
    return Base(name, name)


def _cached(name: str) -> bool:
    from huggingface_hub import try_to_load_from_cache

    return isinstance(try_to_load_from_cache(name, "config.json"), str)


def load_tokenizer(base: Base | str) -> Any:
    """The tokenizer of a base with the template that trainer and engine share. No token is ever added.

    A base that was added has its template and its end of turn in its `base.json`. A folder or a hub id that was not:
    with ChatML's tokens it gets our ChatML template, without a template one made of its end-of-text token, else it
    keeps its own (see `alignment.templates`). Padding is the base's own token, else the one that ends a turn; that is
    harmless, because masks come from positions.
    """
    found = locate(base) if isinstance(base, str) else base
    tokenizer = plain_tokenizer(found)
    if bases.is_alias(found.name):
        info = bases.base_info(found.name)
        tokenizer.chat_template = bases.base_template(info)
        tokenizer.eos_token = info.eos_token
    elif str(tokenizer.chat_template).startswith(MARK):
        pass  # a merged model's folder brings the template and the end of turn of its base
    elif is_chatml(tokenizer):
        _take_chatml(tokenizer)
    elif not isinstance(tokenizer.chat_template, str):
        take_our_template(tokenizer, found.name)
    else:
        front = accepting(tokenizer, found.name, ("fold",))
        tokenizer.chat_template = (load_template(front) if front else "") + tokenizer.chat_template
        name_end_of_turn(tokenizer)
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token
    tokenizer.padding_side = "right"
    return tokenizer


def plain_tokenizer(base: Base) -> Any:
    """The tokenizer as the base brings it. Raises `BadInput` if it does not load or is not a fast one."""
    from transformers import AutoTokenizer

    try:
        tokenizer = AutoTokenizer.from_pretrained(base.path)
    except (OSError, ValueError, ImportError, KeyError, TypeError, AttributeError) as error:
        folder = Path(base.path)
        if (folder / "tokenizer.model").is_file() and not (folder / "tokenizer.json").is_file():
            raise BadInput(
                f"{base.name} has a tokenizer.model and no tokenizer.json. Take the model's own tokenizer.json: "
                "one that transformers 5 makes of a tokenizer.model can split spaces otherwise than the model learnt."
            ) from error
        raise BadInput(f"The tokenizer of {base.name} does not load: {first_line(error)}") from error
    if not tokenizer.is_fast:
        raise BadInput(
            f"The tokenizer of {base.name} cannot report where its tokens lie in a text (it is not a fast one)."
        )
    return tokenizer


def take_our_template(tokenizer: Any, name: str) -> str:
    """Give a tokenizer without a template one of ours, made of tokens that it has; returns the template's name.

    Raises `BadInput` if it has no token to end a turn with.
    """
    if is_chatml(tokenizer):
        return _take_chatml(tokenizer)
    if tokenizer.eos_token is None:
        raise BadInput(f"{name} has neither a chat template nor an end-of-text token to make one of.")
    tokenizer.chat_template = load_template("eos")
    return "eos"


def _take_chatml(tokenizer: Any) -> str:
    tokenizer.chat_template = load_template("chatml")
    # This ends a turn; a ChatML base may name its end-of-text instead.
    tokenizer.eos_token = "<|im_end|>"  # noqa: S105 - no password
    return "chatml"


def is_chatml(tokenizer: Any) -> bool:
    """Whether a tokenizer has ChatML's tokens."""
    return bool({"<|im_start|>", "<|im_end|>"} <= tokenizer.get_vocab().keys())


def load_base(base: Base | str, *, dtype: Any = "auto", **options: Any) -> Any:
    """A base model's weights. `dtype` is a torch dtype, its name, or "auto" (as they are stored)."""
    from safetensors import SafetensorError
    from transformers import AutoModelForCausalLM

    found = locate(base) if isinstance(base, str) else base
    try:
        model = AutoModelForCausalLM.from_pretrained(found.path, dtype=dtype, **options)
    except (OSError, ValueError, ImportError, SafetensorError) as error:
        raise BadInput(f"The base model {found.name} does not load: {first_line(error)}") from error
    # Adapters and merged models record this name, not a path of this machine.
    model.config._name_or_path = found.name
    return model


def load_model(base: Base | str, adapter: Path | None = None, *, dtype: Any = "auto") -> Any:
    """A model to judge or serve with: frozen, in evaluation mode, with one adapter or none."""
    model = load_base(base, dtype=dtype)
    if adapter is not None:
        model = load_adapter(model, adapter, trainable=False)
    model.requires_grad_(False)
    return model.eval()


def load_adapter(model: Any, adapter: Path, *, trainable: bool) -> Any:
    """Put an adapter on its base."""
    from peft import PeftModel
    from safetensors import SafetensorError

    try:
        return PeftModel.from_pretrained(model, str(adapter), is_trainable=trainable)
    except SafetensorError as error:
        raise BadInput(
            f"The adapter in {adapter} is damaged: {first_line(error)}. Put it back from a backup, or train it again."
        ) from error
    except (OSError, ValueError, RuntimeError, KeyError, TypeError, AttributeError) as error:
        raise BadInput(f"The adapter in {adapter} does not fit its base: {first_line(error)}") from error


def check_vocabulary(model: Any, tokenizer: Any) -> None:
    """Raise `BadInput` if the tokenizer has tokens that the model lacks: nothing is resized here."""
    rows = model.get_input_embeddings().num_embeddings  # its weight may lie elsewhere, in pieces
    if len(tokenizer) > rows:
        raise BadInput(
            f"The tokenizer has {len(tokenizer)} tokens but the model has {rows}; they do not belong together."
        )


def base_sha256(base: Base) -> str:
    """A base's exact identity: the hash of its GGUF (an alias) or of its weights; the commit of a hub id."""
    if bases.is_alias(base.name):
        return bases.base_info(base.name).sha256
    folder = Path(base.path)
    if not folder.is_dir():
        from huggingface_hub import try_to_load_from_cache

        found = try_to_load_from_cache(base.path, "config.json")
        return Path(found).parent.name if isinstance(found, str) else "unknown"
    return _files_sha256(sorted(folder.glob("*.safetensors")) or sorted(folder.glob("*.bin")))


def positions(base: Base) -> int | None:
    """How many tokens a base takes, if its configuration says so."""
    from transformers import AutoConfig

    try:
        config = AutoConfig.from_pretrained(base.path).get_text_config()
    except (OSError, ValueError) as error:
        raise BadInput(f"The base model {base.name} does not load: {first_line(error)}") from error
    found: int | None = getattr(config, "max_position_embeddings", None)
    rope = getattr(config, "rope_parameters", None) or {}
    # A stretched rotary base names what it was trained with, or what it takes; the larger one counts.
    stretched = (rope.get("original_max_position_embeddings") or 0) * (rope.get("factor") or 1)
    if found:
        found = max(found, int(stretched))
    return found


def adapter_config(adapter: Path) -> dict[str, Any]:
    """An adapter's settings as PEFT saved them. Raises `BadInput` for a damaged file."""
    path = adapter / ADAPTER_CONFIG
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise BadInput(f"{path} is not valid JSON: {error}.") from error
    if not isinstance(found, dict):
        raise BadInput(f"{path} is not an adapter's configuration.")
    return found


def base_hashes(base: Base) -> set[str]:
    """All hashes by which a base may have been recorded: a bundled alias is also a folder of converted weights."""
    folder = Path(base.path)
    files = sorted(folder.glob("*.safetensors")) if folder.is_dir() else []
    return {base_sha256(base), *([_files_sha256(files)] if files else [])} - {"unknown"}


def adapter_sha256(adapter: Path) -> str:
    """The hash of an adapter's weights."""
    return _files_sha256([adapter / ADAPTER_WEIGHTS])


def tokenizer_sha256(tokenizer: Any) -> str:
    """The hash of everything that decides how a tokenizer works: vocabulary, merges, added tokens, pre-tokenizer."""
    return hashlib.sha256(tokenizer.backend_tokenizer.to_str().encode()).hexdigest()


def _files_sha256(files: list[Path]) -> str:
    hashes = [file_sha256(file) for file in files]
    return hashes[0] if len(hashes) == 1 else hashlib.sha256("".join(hashes).encode()).hexdigest()


def first_line(error: Exception) -> str:
    """The first line of a library's error, for use in our own sentences."""
    lines = [line for line in str(error).splitlines() if line.strip()]
    return (lines[0] if lines else type(error).__name__).replace(os.sep * 2, os.sep)[:400]


def main(argv: Sequence[str] | None = None) -> int:
    """`python -m alignment.models BASE ...`: make base models ready to train, and say where they are."""
    parser = argparse.ArgumentParser(
        prog="python -m alignment.models", description="Make base models ready to train, and say where they are."
    )
    parser.add_argument("bases", nargs="+", metavar="BASE", help="an alias, a Hugging Face id or a folder")
    for name in parser.parse_args(argv).bases:
        base = locate(name)
        print(f"{base.name}: {base.path}")
    return 0


if __name__ == "__main__":
    run(main)
