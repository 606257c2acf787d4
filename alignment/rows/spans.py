"""Where the assistant's turns begin and end in a rendered conversation, in a time that is linear in its turns."""

import re
from collections.abc import Sequence
from typing import Any

from alignment.rows.rendering import render
from data.chat import Message

_MARKER = re.compile(r"\{%-?\s*generation\s*-?%\}")
# Answers after this many messages are rendered with about as many messages before them.
_WINDOW = 4
# How many answers, or places that cannot be found, are rendered with all that comes before them.
_FEW = 4

Span = tuple[int, int]


def trained_spans(
    tokenizer: Any,
    messages: Sequence[Message],
    tools: Sequence[Any] | None,
    control: Sequence[str],
    trained: Sequence[int],
) -> tuple[str, list[Span]]:
    """The rendered text, and where the turns at the indices `trained` begin and end (their end-of-turn included).

    `messages` must be harmless already. A turn that the template renders differently later (some drop earlier
    reasoning) is left out, because training would then differ from serving.
    """
    if _MARKER.search(tokenizer.chat_template):
        text, marked = _marked_spans(tokenizer, messages, tools)
        answers = [at for at, message in enumerate(messages) if message["role"] == "assistant"]
        if len(marked) == len(answers):
            wanted = set(trained)
            return text, [span for at, span in zip(answers, marked, strict=True) if at in wanted]
    return _rendered_spans(tokenizer, messages, tools, control, trained)


def _marked_spans(tokenizer: Any, messages: Sequence[Message], tools: Sequence[Any] | None) -> tuple[str, list[Span]]:
    # This is imported here because commands that import only names from this file need no transformers.
    from transformers.utils.chat_template_utils import render_jinja_template

    texts, spans = render_jinja_template(
        conversations=[list(messages)],
        tools=list(tools) if tools else None,
        chat_template=tokenizer.chat_template,
        return_assistant_tokens_mask=True,
        **tokenizer.special_tokens_map,
    )
    return texts[0], [(int(start), int(end)) for start, end in spans[0]]


def _rendered_spans(
    tokenizer: Any,
    messages: Sequence[Message],
    tools: Sequence[Any] | None,
    control: Sequence[str],
    trained: Sequence[int],
) -> tuple[str, list[Span]]:
    """For a base's own template: a turn is what appears when it is added after the generation prompt.

    Rendering all that comes before each answer would take a time quadratic in the turns. So an answer far from the
    beginning is rendered after the few messages before it, and the system message. An earlier answer whose place in
    the text is known (the anchor) shows where these lie, and from there on both renderings must be equal.
    """
    text = render(tokenizer, messages, tools)
    spans: list[Span] = []
    head = list(messages[:1]) if messages[0]["role"] == "system" else []
    wanted, last, lost = set(trained), max(trained, default=-1), 0
    answers = [at for at in range(last + 1) if messages[at]["role"] == "assistant"]
    anchor: tuple[int, int] | None = None  # a message, and the place in the text where it begins
    for at in answers if len(trained) > _FEW else trained:
        first = _window(messages, at, anchor[0]) if anchor and len(trained) > _FEW else 0
        if first and anchor:
            known = len(render(tokenizer, [*head, *messages[first : anchor[0]]], tools, add_generation_prompt=True))
            prefix, shift = [*head, *messages[first:at]], anchor[1] - known
        elif at <= _WINDOW or at == last or lost < _FEW:
            prefix, known, shift = list(messages[:at]), 0, 0
        else:
            continue  # the template renders every earlier conversation differently
        before = render(tokenizer, prefix, tools, add_generation_prompt=True)
        begin = shift + len(before)
        if text[shift + known : begin] != before[known:]:
            lost += 1
            continue
        anchor = at, begin
        if at not in wanted:
            continue
        after = render(tokenizer, [*prefix, messages[at]], tools)
        end = _end_of_turn(after, len(before), control)
        if after.startswith(before) and text[begin : shift + end] == after[len(before) : end]:
            spans.append((begin, shift + end))
    return text, spans


def _window(messages: Sequence[Message], at: int, anchor: int) -> int:
    """Where the few messages before an answer begin: at a user's turn, and before the anchor. 0 is the beginning."""
    for first in range(min(at - _WINDOW, anchor - 1), 0, -1):
        if messages[first]["role"] == "user" and messages[first - 1]["role"] == "assistant":
            return first
    return 0


def _end_of_turn(text: str, start: int, control: Sequence[str]) -> int:
    """The place after a turn's last control string; the model generates none of the separators that templates add
    there."""
    ends = [text.rfind(string, start) + len(string) for string in control if text.rfind(string, start) >= 0]
    return max(ends, default=len(text))
