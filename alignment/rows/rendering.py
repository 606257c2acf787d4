"""Renders conversations under a base's chat template, and says what the template leaves out of them."""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, cast

from jinja2 import TemplateError

from data.chat import RENDERED_KEYS, Message
from data.errors import BadInput

_PROBE = "parley7probe"


class Unrenderable(BadInput):
    """A base's chat template refuses a conversation; the sentence continues "a row is dropped:"."""


def render(
    tokenizer: Any,
    messages: Sequence[Message],
    tools: Sequence[Any] | None = None,
    *,
    add_generation_prompt: bool = False,
) -> str:
    """The text of these messages under the tokenizer's template. Contents must be harmless already.

    Raises `Unrenderable` when the template refuses them.
    """
    try:
        text = tokenizer.apply_chat_template(
            list(messages), tools=tools or None, tokenize=False, add_generation_prompt=add_generation_prompt
        )
    except (TemplateError, TypeError, KeyError) as error:  # a template may take a content for granted
        raise Unrenderable(f"the base's chat template refuses it ({error})") from error
    return str(text)


def check_rendered(tokenizer: Any, messages: Sequence[Message], tools: Sequence[Any] | None) -> None:
    """Raise `Unrenderable` for tools, tool calls, reasoning or names that the base's template leaves out."""
    found = {key for message in messages for key in RENDERED_KEYS if key in message}
    found |= {"tool"} if any(message["role"] == "tool" for message in messages) else set()
    for key in sorted(found | ({"tools"} if tools else set())):
        # `tool_call_id` only names the call that a result belongs to; templates go by the order.
        if key != "tool_call_id" and not _rendered(tokenizer, str(tokenizer.chat_template), key):
            left_out = key if key != "tool" else "messages of the role tool"
            raise Unrenderable(
                f"the base's chat template leaves out its {left_out}; remove them, or take another base"
            )


@lru_cache(maxsize=256)
def _rendered(tokenizer: Any, template: str, key: str) -> bool:
    """Whether a template renders a key of a message, the role `tool`, or `tools`. `template` is for the cache."""
    if key in ("tool", "tools", "tool_calls") and "tool" not in template:
        return False  # a template that renders any role would name one that the base does not know
    call = {"id": "call00001", "type": "function", "function": {"name": _PROBE, "arguments": {"at": "noon"}}}
    parameters = {"type": "object", "properties": {"at": {"type": "string", "description": "when"}}}
    tool = {"type": "function", "function": {"name": _PROBE, "description": "looks", "parameters": parameters}}
    asked: dict[str, Any] = {"role": "user", "content": "Hello"}
    calling: dict[str, Any] = {"role": "assistant", "content": "", "tool_calls": [call]}
    if key == "tools":
        messages, tools = [asked], [tool]
    elif key == "tool_calls":
        messages, tools = [asked, calling], [tool]
        calling["tool_calls"][0]["function"]["name"] = f"{_PROBE}called"
    elif key == "tool":
        messages, tools = (
            [asked, calling, {"role": "tool", "tool_call_id": "call00001", "content": "seen" + _PROBE}],
            [tool],
        )
    elif key == "name":
        messages, tools = [{**asked, "name": _PROBE}], []
    else:
        messages, tools = [asked, {"role": "assistant", "content": "Hi", key: _PROBE}], []
    expected = {"tool": f"seen{_PROBE}", "tool_calls": f"{_PROBE}called"}.get(key, _PROBE)
    try:
        return expected in render(tokenizer, cast(list[Message], messages), tools)
    except Unrenderable:
        return False
