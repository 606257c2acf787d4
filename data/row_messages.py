"""The messages of a row: their roles, their texts, and what their other keys say.

A key that says how a turn is trained is understood (`weight: 0` and its relatives: the turn is read, not trained).
Keys that some templates render (tool calls, reasoning, names) are kept, and refused later where the base's template
leaves them out. Keys that mean something for training which Parley cannot follow are refused. Others are left out.
"""

import json
import re
from collections.abc import Mapping
from typing import Any

from data.chat import RENDERED_KEYS, Message, blank
from data.errors import BadInput, nearest

ROLES = ("system", "user", "assistant", "tool")
# The same roles in other people's words.
_ROLE_NAMES = {"developer": "system", "function": "tool"}
# Keys that say whether a turn is trained: OpenAI's, then those of axolotl, ms-swift and verl.
_TRAINED = ("weight", "train", "training", "trainable", "loss", "loss_mask")
# Parts of keys that mean something for training, or hold something beside the text.
_MEANS_SOMETHING = re.compile(
    r"loss|train|mask|weight|label|reject|chosen|ignore|tool|function|image|audio|video|file|think|thought|reason|refusal"
)
HALF_A_PAIR = "holds half of a surrogate pair, which is not a character; repair the text."


def read_messages(part: str, messages: object) -> list[Message]:
    """The checked messages of one part of a row. The `BadInput` that it raises continues a place."""
    if not isinstance(messages, list) or not messages:
        found = "an empty one" if messages == [] else shown(messages)
        raise BadInput(f", field {part!r}: expected a list of messages, found {found}.")
    return [_message(part, position, message) for position, message in enumerate(messages)]


def _message(part: str, position: int, raw: object) -> Message:
    where = f", field '{part}[{position}]"
    if not isinstance(raw, dict):
        raise BadInput(f"{where}': expected a message with role and content, found {shown(raw)}.")
    role = _role(where, position, part, raw)
    others = {name: value for name, value in raw.items() if name not in ("role", "content") and given(value)}
    if "function_call" in others:  # OpenAI's older name for one call
        others.setdefault("tool_calls", [others.pop("function_call")])
    message = Message(role=role, content=_content(where, raw, calls="tool_calls" in others))
    trained = _is_trained(where, others)
    if trained and (role != "assistant" or part != "messages"):
        _refuse_training(where, part, role, others)
    if trained is False and part in ("completion", "chosen", "rejected"):
        raise BadInput(f"{where}.{_training_key(others)}': this answer is what the row teaches; leave the key out.")
    if trained is False and part == "messages" and role == "assistant":
        message["weight"] = 0
    for name, value in others.items():
        if name in RENDERED_KEYS:
            message[name] = _tool_calls(where, value) if name == "tool_calls" else _text(where, name, value)  # type: ignore[literal-required]  # `name` is one of the keys of a message
        elif name not in _TRAINED and _MEANS_SOMETHING.search(name.lower()):
            raise BadInput(
                f"{where}.{name}': Parley does not know how to train with this key; remove it, or leave the row out."
            )
    if role != "system" and blank(message["content"]) and not message.get("tool_calls"):
        raise BadInput(f"{where}.content': empty{'' if not message['content'].strip() else ' (nothing to see)'}.")
    return message


def _role(where: str, position: int, part: str, raw: Mapping[str, Any]) -> str:
    for key in ("role", "content"):
        if key not in raw and not (
            key == "content" and (given(raw.get("tool_calls")) or given(raw.get("function_call")))
        ):
            raise BadInput(f"{where}.{key}': missing.{nearest(key, raw)}")
    role = raw["role"]
    role = _ROLE_NAMES.get(role, role) if isinstance(role, str) else role
    if role not in ROLES:
        raise BadInput(f"{where}.role': expected system, user, assistant or tool, found {shown(role)}.")
    if role == "system" and (position or part not in ("messages", "prompt")):
        raise BadInput(f"{where}.role': a system message can only be the first one.")
    return str(role)


def _content(where: str, raw: Mapping[str, Any], *, calls: bool) -> str:
    content = raw.get("content")
    if content is None and calls:
        return ""
    if isinstance(content, list) and content and all(isinstance(piece, dict) and given(piece) for piece in content):
        # OpenAI's parts of a message.
        kinds = {str(piece.get("type", "text")) for piece in content}
        if kinds != {"text"} or not all(isinstance(piece.get("text"), str) for piece in content):
            found = ", ".join(sorted(kinds - {"text"})) or "a part without text"
            raise BadInput(f"{where}.content': Parley trains texts only, found {found[:40]}.")
        content = "".join(piece["text"] for piece in content)
    if not isinstance(content, str):
        raise BadInput(f"{where}.content': expected a text, found {shown(content)}.")
    if not storable(content):
        raise BadInput(f"{where}.content': {HALF_A_PAIR}")
    return content


def _is_trained(where: str, others: Mapping[str, Any]) -> bool | None:
    """What a message's keys say about training it; None if they say nothing."""
    said = set()
    for name in _TRAINED:
        if name not in others:
            continue
        value = others[name]
        if not isinstance(value, bool | int | float) or value not in (0, 1):
            raise BadInput(
                f"{where}.{name}': expected 0 (the turn is read) or 1 (it is trained), found {shown(value)}. To "
                "weigh a whole row, give the row a weight."
            )
        said.add(bool(value))
    if len(said) > 1:
        raise BadInput(f"{where}.{_training_key(others)}': its keys contradict each other about training this turn.")
    return said.pop() if said else None


def _training_key(others: Mapping[str, Any]) -> str:
    return next(name for name in _TRAINED if name in others)


def _refuse_training(where: str, part: str, role: str, others: Mapping[str, Any]) -> None:
    if part in ("completion", "chosen", "rejected"):
        return  # an answer is trained anyway
    if role != "assistant":
        raise BadInput(
            f"{where}.{_training_key(others)}': only the assistant's turns are trained; leave the key out."
        )
    raise BadInput(
        f"{where}.{_training_key(others)}': a prompt is read, not trained; leave the key out, or write the row "
        "as messages."
    )


def _tool_calls(where: str, value: object) -> list[dict[str, Any]]:
    """Calls as templates take them: `{"type": "function", "function": {"name": ..., "arguments": {...}}}`."""
    calls = []
    for call in value if isinstance(value, list) else [value]:
        function = call.get("function", call) if isinstance(call, dict) else None
        if not isinstance(function, dict) or not isinstance(function.get("name"), str):
            raise BadInput(
                f"{where}.tool_calls': expected calls with a function's name and arguments, found {shown(call)}."
            )
        arguments = function.get("arguments")
        if isinstance(arguments, str):  # OpenAI sends them as JSON in a text
            try:
                arguments = json.loads(arguments or "{}")
            except ValueError:
                raise BadInput(f"{where}.tool_calls': the arguments of a call are not JSON.") from None
        arguments = {} if arguments is None else arguments
        kept = {"id": call["id"]} if isinstance(call, dict) and isinstance(call.get("id"), str) else {}
        calls.append(
            {
                **kept,
                "type": "function",
                "function": {"name": function["name"], "arguments": without_nulls(arguments)},
            }
        )
    return calls


def _text(where: str, name: str, value: object) -> str:
    if not isinstance(value, str):
        raise BadInput(f"{where}.{name}': expected a text, found {shown(value)}.")
    return value


def given(value: object) -> bool:
    """Whether a key says anything: Parquet and other tables fill every key that some row has."""
    return value is not None and not (isinstance(value, str | list | dict) and not value)


def without_nulls(value: Any) -> Any:
    """A value without the keys that are null, at any depth."""
    if isinstance(value, dict):
        return {key: without_nulls(each) for key, each in value.items() if each is not None}
    return [without_nulls(each) for each in value] if isinstance(value, list) else value


def storable(text: str) -> bool:
    """Whether a text is made of characters only."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def shown(value: object) -> str:
    """What an error says about a value. Rows hold people's texts: only short, simple values are quoted."""
    if isinstance(value, bool | int | float) or value is None:
        return json.dumps(value)
    if isinstance(value, str):
        return f"{value!r}" if len(value) <= 20 else "a text"
    return "an array" if isinstance(value, list) else "an object" if isinstance(value, dict) else type(value).__name__
