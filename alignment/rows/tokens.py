"""Turns messages into token ids, with masks of what is trained, made by position and never by token id.

A mask made from token ids cannot tell the end of a turn from padding when both are one token, as in SmolLM2, and then
teaches the model never to stop. Here the template (or its renderings) shows at which characters an assistant's turn
begins and ends, and the tokenizer shows which tokens lie between them.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from jinja2 import TemplateError

from data.chat import GENERIC_CONTROL, Message, harmless_messages
from data.errors import BadInput

_MARKER = re.compile(r"\{%-?\s*generation\s*-?%\}")


class Unrenderable(BadInput):
    """A base's chat template refuses a conversation; the sentence continues "a row is dropped:"."""


@dataclass(frozen=True, slots=True)
class Encoded:
    """Token ids of one conversation; `mask` is 1 where a token is trained: assistant turns and their ends."""

    ids: list[int]
    mask: list[int]


@dataclass(frozen=True, slots=True)
class EncodedAnswer:
    """Token ids of a prompt as the engine would get it, and of one answer to it with its end-of-turn."""

    prompt: list[int]
    answer: list[int]


def control_strings(tokenizer: Any) -> tuple[str, ...]:
    """Every string to which this tokenizer, or its template, gives a meaning beyond its letters.

    Added tokens of white space alone (some tokenizers have them for indentation) are text.
    """
    added = {str(token) for token in tokenizer.get_added_vocab()} | set(tokenizer.all_special_tokens)
    template = tokenizer.chat_template if isinstance(tokenizer.chat_template, str) else ""
    in_template = {string for string in GENERIC_CONTROL if string in template}
    return tuple(sorted(string for string in added | in_template if string.strip()))


def render(tokenizer: Any, messages: Sequence[Message], *, add_generation_prompt: bool = False) -> str:
    """The text of these messages under the tokenizer's template. Contents must be harmless already.

    Raises `Unrenderable` when the template refuses them.
    """
    try:
        text = tokenizer.apply_chat_template(
            list(messages), tokenize=False, add_generation_prompt=add_generation_prompt
        )
    except TemplateError as error:
        raise Unrenderable(f"the base's chat template refuses it ({error})") from error
    return str(text)


def prompt_ids(tokenizer: Any, messages: Sequence[Message], control: Sequence[str]) -> list[int]:
    """The token ids that an engine gets for these messages, up to where the answer begins."""
    return _ids(tokenizer, render(tokenizer, harmless_messages(messages, control), add_generation_prompt=True))


def encode(tokenizer: Any, messages: Sequence[Message], control: Sequence[str]) -> Encoded:
    """Token ids and mask of a conversation up to its last trained turn.

    The last answer is tokenized apart from the text before it, as when it is generated: no token spans the boundary.
    If no assistant's turn is to be trained, the mask is all 0.
    """
    safe = harmless_messages(messages, control)
    text, spans = _spans(tokenizer, safe, control)
    if not spans:
        ids = _ids(tokenizer, text)
        return Encoded(ids, [0] * len(ids))
    start, end = spans[-1]
    head = tokenizer(text[:start], add_special_tokens=False, return_offsets_mapping=True)
    last = _ids(tokenizer, text[start:end])
    mask = [int(any(a <= left and right <= b for a, b in spans[:-1])) for left, right in head["offset_mapping"]]
    return Encoded([*head["input_ids"], *last], [*mask, *([1] * len(last))])


def encode_answer(tokenizer: Any, prompt: Sequence[Message], answer: str, control: Sequence[str]) -> EncodedAnswer:
    """Token ids of a prompt and of one answer to it, end-of-turn included."""
    messages = harmless_messages([*prompt, Message(role="assistant", content=answer)], control)
    text, spans = _spans(tokenizer, messages, control, only_last=True)
    if not spans:
        raise BadInput("The base's chat template renders a prompt differently once its answer is there; use another.")
    start, end = spans[-1]
    return EncodedAnswer(_ids(tokenizer, text[:start]), _ids(tokenizer, text[start:end]))


def _ids(tokenizer: Any, text: str) -> list[int]:
    # The template writes the special tokens itself.
    return list(tokenizer(text, add_special_tokens=False)["input_ids"])


def _spans(
    tokenizer: Any, messages: Sequence[Message], control: Sequence[str], *, only_last: bool = False
) -> tuple[str, list[tuple[int, int]]]:
    """The rendered text, and where the assistant's turns in it begin and end (their end-of-turn included)."""
    if _MARKER.search(tokenizer.chat_template):
        return _marked_spans(tokenizer, messages)
    return _rendered_spans(tokenizer, messages, control, only_last=only_last)


def _marked_spans(tokenizer: Any, messages: Sequence[Message]) -> tuple[str, list[tuple[int, int]]]:
    # This is imported here because commands that import only names from this file need no transformers.
    from transformers.utils.chat_template_utils import render_jinja_template

    texts, spans = render_jinja_template(
        conversations=[list(messages)],
        chat_template=tokenizer.chat_template,
        return_assistant_tokens_mask=True,
        **tokenizer.special_tokens_map,
    )
    return texts[0], [(int(start), int(end)) for start, end in spans[0]]


def _rendered_spans(
    tokenizer: Any, messages: Sequence[Message], control: Sequence[str], *, only_last: bool
) -> tuple[str, list[tuple[int, int]]]:
    """For a base's own template: a turn is what appears when it is added after the generation prompt.

    A turn that the template renders differently later (some drop earlier reasoning) is not trained, because training
    would then differ from serving.
    """
    text = render(tokenizer, messages)
    spans = []
    for index, message in enumerate(messages):
        if message["role"] != "assistant" or (only_last and index + 1 < len(messages)):
            continue
        before = render(tokenizer, messages[:index], add_generation_prompt=True)
        after = render(tokenizer, messages[: index + 1])
        if not (after.startswith(before) and text.startswith(after[: _end_of_turn(after, len(before), control)])):
            continue
        spans.append((len(before), _end_of_turn(after, len(before), control)))
    return text, spans


def _end_of_turn(text: str, start: int, control: Sequence[str]) -> int:
    """The place after a turn's last control string; the model generates none of the separators that templates add
    there."""
    ends = [text.rfind(string, start) + len(string) for string in control if text.rfind(string, start) >= 0]
    return max(ends, default=len(text))
