"""Looks at a model before anything is copied: can it be a base, and what is it like? Takes seconds."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from alignment.models import Base, plain_tokenizer, positions, take_our_template
from alignment.rows.tokens import control_strings
from alignment.shelf.contents import tokenizer_files, weight_files
from alignment.shelf.families import read_config, refuse_unsupported
from alignment.shelf.source import Source
from alignment.templates import Composed, compose, name_end_of_turn, own_template
from data.errors import BadInput

_UNTOLD = 2048  # tokens, for a base that does not say how many it takes
_ENDLESS = 10**9  # what tokenizers say when they know no limit


@dataclass(frozen=True, slots=True)
class Examined:
    """What a model is like. Its template is `composed` of its own, or one of ours: `template_name`."""

    architecture: str
    layers: int  # 0 where the configuration does not say
    bits: int  # of one weight as it is stored
    weights: Sequence[str]
    tokenizer: Any
    composed: Composed | None
    template_name: str
    end_of_turn: str
    control: tuple[str, ...]
    context_length: int


def examine(source: Source, *, served: bool) -> Examined:
    """Look at a model's configuration, tokenizer and template, in this order. `served`: there is to be a GGUF.

    Raises `BadInput`, which says what to do, for a model that cannot be a base.
    """
    config = read_config(source.folder, source.name)
    refuse_unsupported(config, source.name, served=served)
    weights = weight_files(source.folder, source.sizes, source.name)
    if not tokenizer_files(source.sizes):  # transformers would make one up for some types
        raise BadInput(
            f"{source.name} has no tokenizer: there is no tokenizer.json in it. Fetch the model again, or save its "
            "tokenizer there with transformers' save_pretrained."
        )
    base = Base(source.name, str(source.folder))
    tokenizer = plain_tokenizer(base)
    room = int(config.get("vocab_size") or 0)
    if len(tokenizer) > room > 0:
        raise BadInput(
            f"The tokenizer of {source.name} has {len(tokenizer)} tokens, and its configuration says {room}; they do "
            "not belong together."
        )
    composed, name = None, ""
    if own_template(tokenizer) is None:
        name = take_our_template(tokenizer, source.name)
    else:
        composed = compose(tokenizer, source.name)
        tokenizer.chat_template = composed.text
        name_end_of_turn(tokenizer)
    if not tokenizer.eos_token:
        raise BadInput(f"The tokenizer of {source.name} has no token that ends a turn, so no answer could end.")
    limit = positions(base) or min(int(tokenizer.model_max_length), _ENDLESS)
    return Examined(
        architecture=str(config["model_type"]),
        layers=int(config.get("num_hidden_layers") or config.get("n_layer") or 0),
        bits=32 if str(config.get("dtype") or config.get("torch_dtype") or "float32") == "float32" else 16,
        weights=weights,
        tokenizer=tokenizer,
        composed=composed,
        template_name=name,
        end_of_turn=str(tokenizer.eos_token),
        control=control_strings(tokenizer),
        context_length=limit if limit < _ENDLESS else _UNTOLD,
    )
