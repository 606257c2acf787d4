"""Turns messages into token ids, with masks of what is trained, made by position and never by token id.

A mask made from token ids cannot tell the end of a turn from padding when both are one token, as in SmolLM2, and then
teaches the model never to stop. Here the template (or its renderings) shows at which characters an assistant's turn
begins and ends, and the tokenizer shows which tokens lie between them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from alignment.rows.rendering import check_rendered, render
from alignment.rows.spans import Span, trained_spans
from data.chat import GENERIC_CONTROL, Message, harmless_messages, harmless_value
from data.errors import BadInput
from data.row import trained_turns

# A conversation with fewer messages than this, and fewer characters a token of the limit, is encoded at once.
_MANY, _DENSE = 64, 3
# Nobody's text has more characters a token than this. A token more or less comes from where the text is cut.
_SPARSE, _SLACK = 32, 16


class Unstable(BadInput):
    """A prompt is rendered differently once its answer is there, so that answer cannot be trained."""


@dataclass(frozen=True, slots=True)
class Encoded:
    """Token ids of one conversation; `mask` is 1 where a token is trained: assistant turns and their ends.

    `whole` says that every turn that should be trained is in the mask. It is False where the template renders
    an earlier turn differently from when it was generated (Qwen3's): `encode_turns` gives each turn a sequence.
    """

    ids: list[int]
    mask: list[int]
    whole: bool = True


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


def prompt_ids(
    tokenizer: Any, messages: Sequence[Message], control: Sequence[str], tools: Sequence[Any] | None = None
) -> list[int]:
    """The token ids that an engine gets for these messages, up to where the answer begins."""
    safe, tools = harmless_messages(messages, control), harmless_value(tools, tuple(control))
    check_rendered(tokenizer, safe, tools)
    return _ids(tokenizer, render(tokenizer, safe, tools, add_generation_prompt=True))


def encode(
    tokenizer: Any, messages: Sequence[Message], control: Sequence[str], tools: Sequence[Any] | None = None
) -> Encoded:
    """Token ids and mask of a conversation up to its last trained turn, an assistant's whose weight is not 0.

    The last answer is tokenized apart from the text before it, as when it is generated: no token spans the boundary.
    If no assistant's turn is to be trained, the mask is all 0. The time is linear in the turns.
    """
    trained = trained_turns(messages)
    safe = harmless_messages(messages[: trained[-1] + 1] if trained else messages, control)
    tools = harmless_value(tools, tuple(control))
    check_rendered(tokenizer, safe, tools)
    text, spans = trained_spans(tokenizer, safe, tools, control, trained)
    if not spans:
        ids = _ids(tokenizer, text)
        return Encoded(ids, [0] * len(ids), not trained)
    start, end = spans[-1]
    head = tokenizer(text[:start], add_special_tokens=False, return_offsets_mapping=True)
    last = _ids(tokenizer, text[start:end])
    mask = [*_inside(head["offset_mapping"], spans[:-1]), *([1] * len(last))]
    return Encoded([*head["input_ids"], *last], mask, len(spans) == len(trained))


def encode_turns(
    tokenizer: Any, messages: Sequence[Message], control: Sequence[str], tools: Sequence[Any] | None = None
) -> list[EncodedAnswer]:
    """Every trained turn with the prompt that it answered, as it is rendered while it is the last one.

    Turns that cannot be trained even so are left out: those whose prompt is rendered differently once they are there.
    """
    found = []
    for at in trained_turns(messages):
        try:
            found.append(encode_answer(tokenizer, messages[:at], messages[at], control, tools))
        except Unstable:
            continue
    return found


def encode_answer(
    tokenizer: Any,
    prompt: Sequence[Message],
    answer: str | Message,
    control: Sequence[str],
    tools: Sequence[Any] | None = None,
) -> EncodedAnswer:
    """Token ids of a prompt and of one answer to it (a text, or a whole message), end-of-turn included."""
    last = Message(role="assistant", content=answer) if isinstance(answer, str) else answer
    messages = harmless_messages([*prompt, last], control)
    tools = harmless_value(tools, tuple(control))
    check_rendered(tokenizer, messages, tools)
    text, spans = trained_spans(tokenizer, messages, tools, control, [len(messages) - 1])
    if not spans:
        raise Unstable("The base's chat template renders a prompt differently once its answer is there; use another.")
    start, end = spans[-1]
    return EncodedAnswer(_ids(tokenizer, text[:start]), _ids(tokenizer, text[start:end]))


def surely_longer(
    tokenizer: Any,
    messages: Sequence[Message],
    control: Sequence[str],
    tools: Sequence[Any] | None,
    limit: int,
) -> bool:
    """Whether a conversation has more than `limit` tokens, found out without encoding it. False if it is unclear."""
    if len(messages) < _MANY and sum(len(message["content"]) for message in messages) < _DENSE * limit:
        return False
    text = render(tokenizer, harmless_messages(messages, control), tools)
    return len(_ids(tokenizer, text[: _SPARSE * limit])) > limit + _SLACK


def _inside(offsets: Sequence[tuple[int, int]], spans: Sequence[Span]) -> list[int]:
    """For each token 1 if it lies in one of the spans, which are in order and do not meet."""
    mask, at = [], 0
    for left, right in offsets:
        while at < len(spans) and spans[at][1] < right:
            at += 1
        mask.append(int(at < len(spans) and spans[at][0] <= left and right <= spans[at][1]))
    return mask


def _ids(tokenizer: Any, text: str) -> list[int]:
    # The template writes the special tokens itself.
    return list(tokenizer(text, add_special_tokens=False)["input_ids"])
