"""The token ids that a base's own tokenizer and template make of conversations: a server must make the same ones.

Neither torch nor transformers is needed: `tokenizers` reads the base's `tokenizer.json`, and jinja2 renders its
template as transformers does.
"""

from __future__ import annotations

import functools
import json
from datetime import datetime
from typing import TYPE_CHECKING, Any, NoReturn

from data.bases import base_dir, base_template, template_path
from data.chat import Message, engine_template
from data.errors import BadInput

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from data.bases import BaseInfo

_SAID = "Wie viel ist 12345 + 678?  \n\tdef f(x): return x ** 2  # 你好，世界 🙂 naïve"
_SYSTEM = Message(role="system", content="You are a helpful assistant.\n\nAnswer in one sentence.")
# Templates differ in what they make of a system prompt, of earlier answers, and of white space around a text.
CONVERSATIONS: tuple[tuple[Message, ...], ...] = (
    (Message(role="user", content="Hello there"),),
    (_SYSTEM, Message(role="user", content=_SAID)),
    (
        _SYSTEM,
        Message(role="user", content="What is 2 + 3?"),
        Message(role="assistant", content="It is 5."),
        Message(role="user", content=f" {_SAID}\n"),
    ),
)
Ids = list[int]


def trained_ids(base: BaseInfo, arguments: Mapping[str, Any] | None = None) -> list[tuple[Sequence[Message], Ids]]:
    """The conversations that the base's template takes, each with its token ids up to the answer's first.

    `arguments` are given to the template. Raises BadInput when the base's folder lacks what is needed for that.
    """
    from jinja2.exceptions import TemplateError
    from tokenizers import Tokenizer

    folder = base_dir(base.alias) / "hf"
    try:
        tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        special = _special_tokens(folder / "tokenizer_config.json")
    except Exception as error:  # `tokenizers` raises plain exceptions
        raise BadInput(
            f"It cannot be checked that the server has the tokens of the base model {base.alias}, because {folder} "
            f"has no tokenizer that can be read ({error}). Add the base here as well; its weights are not needed."
        ) from error
    template = _compiled(engine_template(base_template(base)))
    found: list[tuple[Sequence[Message], Ids]] = []
    for messages in CONVERSATIONS:
        try:
            text = template.render(messages=messages, add_generation_prompt=True, **special, **(arguments or {}))
        except TemplateError:  # some refuse a system prompt
            continue
        found.append((messages, tokenizer.encode(text, add_special_tokens=False).ids))
    if not found:
        raise BadInput(f"The chat template of the base model {base.alias} renders no conversation at all.")
    return found


def difference(
    got: Sequence[int], wanted: Sequence[int], shown: str, base: BaseInfo, arguments: Mapping[str, Any] | None = None
) -> str | None:
    """What is wrong with token ids that the server `shown` made of a conversation; None if they are the trainer's.

    `arguments` are those that it was told to give to its template.
    """
    if got == wanted:
        return None
    pairs = zip(got, wanted, strict=False)
    at = next((i for i, (a, b) in enumerate(pairs) if a != b), min(len(got), len(wanted)))
    how = f" (with chat_template_kwargs {json.dumps(arguments)})" if arguments else ""
    return (
        f"The server at {shown} makes other tokens of a conversation than the base model {base.alias} was trained "
        f"with, from token {at} on{how}: its tokenizer or its chat template is different. Let it serve "
        f"{base_dir(base.alias) / 'hf'}, with the chat template {template_path(base)}."
    )


def _special_tokens(path: Path) -> dict[str, str]:
    """`bos_token` and the like, as templates name them."""
    config = json.loads(path.read_text(encoding="utf-8"))
    found = {}
    for name in ("bos_token", "eos_token", "unk_token", "pad_token", "sep_token", "cls_token"):
        value = config.get(name)
        text = value.get("content") if isinstance(value, dict) else value
        if isinstance(text, str):
            found[name] = text
    return found


@functools.lru_cache(maxsize=4)
def _compiled(text: str) -> Any:
    """The template in an environment like that of transformers."""
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    def refuse(sentence: str) -> NoReturn:
        from jinja2.exceptions import TemplateError

        raise TemplateError(sentence)

    def to_json(value: Any, indent: int | None = None) -> str:
        return json.dumps(value, ensure_ascii=False, indent=indent)

    environment = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=["jinja2.ext.loopcontrols"]
    )
    environment.filters["tojson"] = to_json
    environment.globals["raise_exception"] = refuse
    environment.globals["strftime_now"] = lambda form: datetime.now().strftime(form)  # noqa: DTZ005 - as transformers
    return environment.from_string(text)
