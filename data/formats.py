"""Rows in other programs' forms, turned into ours. Each function does one form and leaves every other row as it is.

| form | its keys |
|---|---|
| ShareGPT | `conversations` with `from` and `value`, also with `chosen`, `rejected` or `kto_tag` |
| Alpaca, Dolly, OpenOrca, ms-swift | `instruction`, `input`, `output`, `history`, `system` and their other names |
| OpenAI's preferences | `input.messages`, `preferred_output`, `non_preferred_output` |
| UltraFeedback, Zephyr | `prompt` is a text, the answers are whole conversations, `messages` repeats one |
| TRL's implicit prompt | `chosen` and `rejected` begin alike |
| TRL's standard (text) forms | `prompt`, `completion`, `chosen`, `rejected` are texts |
| hh-rlhf | texts in which `Human:` and `Assistant:` speak |
| ms-swift, LLaMA-Factory | `messages` with `label`, `kto_tag`, `rejected_response` or `rejected_messages` |

A row that says two different things, such as a verdict beside a demonstration, is refused: the `BadInput` continues a
place, as in `, field 'label': ...`.
"""

import json
import re
from collections.abc import Sequence
from typing import Any

from data.errors import BadInput
from data.repeated_parts import Entry, answers_beside_messages, pair, repeated_prompt, without
from data.row import TOOLS
from data.row_messages import given, shown, without_nulls

_LISTS = ("messages", "conversations", "prompt", "completion", "chosen", "rejected", "rejected_messages")
_SPEAKERS = {
    **dict.fromkeys(("human", "user", "prompter"), "user"),
    **dict.fromkeys(
        ("gpt", "assistant", "bot", "chatgpt", "model", "bard", "bing", "claude", "function_call"), "assistant"
    ),
    "system": "system",
    **dict.fromkeys(("observation", "tool", "function_response", "function"), "tool"),
}
_QUESTION = ("instruction", "query", "question")
_INPUT = ("input", "context")
_ANSWER = ("output", "response", "answer")
_TRANSCRIPT = re.compile(r"(?:^|\n\n)(Human|Assistant):[ ]?")


def converted(entry: Entry) -> Entry:
    """A row in one of our forms, without the keys that are null; a row in an unknown form comes back as it is.

    Only `consent` may be null: nobody said yes.
    """
    found = {key: value for key, value in entry.items() if value is not None or key == "consent"}
    for step in (
        _decoded,
        _openai_preference,
        _share_gpt,
        _renamed,
        _single_turns,
        _texts,
        answers_beside_messages,
        pair,
        repeated_prompt,
        _with_system,
        _with_tools,
    ):
        found = step(found)
    return found


def _decoded(entry: Entry) -> Entry:
    """Lists of messages that a table holds as JSON in a text, or as one list for each key."""
    found = dict(entry)
    for key in _LISTS:
        value = found.get(key)
        if isinstance(value, str) and value.lstrip().startswith("[{"):
            try:
                value = json.loads(value)
            except (ValueError, RecursionError):
                continue
            if all(isinstance(each, dict) and ({"role", "from"} & each.keys()) for each in value):
                found[key] = value
        elif isinstance(value, dict):
            columns = [each for each in value.values() if isinstance(each, list)]
            if columns and len(columns) == len(value) and len({len(each) for each in columns}) == 1:
                found[key] = [dict(zip(value, each, strict=True)) for each in zip(*columns, strict=True)]
            elif {"role", "from"} & value.keys():
                found[key] = [value]
    return found


def _openai_preference(entry: Entry) -> Entry:
    if not {"preferred_output", "non_preferred_output"} <= entry.keys():
        return entry
    asked = entry.get("input")
    if not isinstance(asked, dict) or "messages" not in asked:
        raise BadInput(f", field 'input': expected an object with messages, found {shown(asked)}.")
    tools = {TOOLS: asked[TOOLS]} if given(asked.get(TOOLS)) else {}
    parts = {
        "prompt": asked["messages"],
        "chosen": entry["preferred_output"],
        "rejected": entry["non_preferred_output"],
    }
    return {**without(entry, "input", "preferred_output", "non_preferred_output"), **parts, **tools}


def _share_gpt(entry: Entry) -> Entry:
    """Messages that say `from` and `value`; `conversations` are `messages`."""
    found = dict(entry)
    if "conversations" in found:
        if "messages" in found:
            raise BadInput(", field 'conversations': the row has messages too; keep one of them.")
        if not isinstance(found["conversations"], list):
            raise BadInput(f", field 'conversations': expected a list, found {shown(found['conversations'])}.")
    for key in _LISTS:
        if isinstance(found.get(key), list):
            found[key] = [_spoken(key, at, each) for at, each in enumerate(found[key])]
    if "conversations" in found:
        found["messages"] = found.pop("conversations")
    return found


def _spoken(key: str, at: int, message: Any) -> Any:
    if not isinstance(message, dict) or "from" not in message or "role" in message:
        return message
    speaker, value = message["from"], message.get("value")
    role = _SPEAKERS.get(speaker) if isinstance(speaker, str) else None
    if role is None:
        raise BadInput(
            f", field '{key}[{at}].from': expected human, gpt, system, function_call or observation, "
            f"found {shown(speaker)}."
        )
    if not isinstance(value, str):
        raise BadInput(f", field '{key}[{at}].value': expected a text, found {shown(value)}.")
    rest = without(message, "from", "value")
    if speaker != "function_call":
        return {"role": role, "content": value, **rest}
    try:
        calls = json.loads(value)
    except (ValueError, RecursionError):
        raise BadInput(f", field '{key}[{at}].value': expected a call as JSON with name and arguments.") from None
    return {"role": role, "content": "", "tool_calls": calls if isinstance(calls, list) else [calls], **rest}


def _renamed(entry: Entry) -> Entry:
    """Other names of single keys."""
    found = dict(entry)
    for name, ours in (("kto_tag", "label"), ("system_prompt", "system"), ("functions", TOOLS)):
        if name not in found:
            continue
        value = found.pop(name)
        if ours in found and found[ours] != value:
            raise BadInput(f", field {name!r}: says something else than {ours!r}; keep one of them.")
        found[ours] = value
    return found


def _single_turns(entry: Entry) -> Entry:
    """A question and its answer in keys of their own, with earlier turns in `history`."""
    question = next((key for key in _QUESTION if key in entry), None)
    if question is None or {"messages", "prompt", "completion"} & entry.keys():
        return entry
    input_key = next((key for key in _INPUT if key in entry), None)
    answer = next((key for key in _ANSWER if key in entry), None)
    for key in filter(None, (question, input_key, answer)):
        if not isinstance(entry[key], str):
            raise BadInput(f", field {key!r}: expected a text, found {shown(entry[key])}.")
    texts = [entry[key].strip() for key in (question, input_key) if key]
    asked = [*_history(entry), _user("\n".join(text for text in texts if text))]
    found = without(entry, question, *filter(None, (input_key, answer)), "history")
    if answer is None:
        return {**found, "prompt": asked}
    return {**found, "messages": [*asked, _assistant(entry[answer].strip())]}


def _history(entry: Entry) -> list[Entry]:
    turns: list[Entry] = []
    history = entry.get("history", [])
    for at, turn in enumerate(history if isinstance(history, list) else [history]):
        if not isinstance(turn, Sequence) or len(turn) != 2 or not all(isinstance(text, str) for text in turn):
            raise BadInput(f", field 'history[{at}]': expected a question and its answer, found {shown(turn)}.")
        turns += [_user(turn[0]), _assistant(turn[1])]
    return turns


def _texts(entry: Entry) -> Entry:
    """Texts instead of messages: a prompt is the user's, an answer the assistant's."""
    found = dict(entry)
    if isinstance(found.get("prompt"), str) and not isinstance(found.get("messages"), list):
        whole = isinstance(found.get("chosen"), list) and len(found["chosen"]) > 1
        if not whole:  # else the conversations hold the prompt too; see `pair`
            found["prompt"] = _transcript(found["prompt"]) or [_user(found["prompt"])]
    for key in ("completion", "chosen", "rejected", "rejected_response"):
        if isinstance(found.get(key), str):
            spoken = _transcript(found[key]) if "prompt" not in found else None
            found[key] = spoken or [_assistant(found[key].strip())]
    return found


def _transcript(text: str) -> list[Entry] | None:
    """The turns of a text in which `Human:` and `Assistant:` speak; None for any other text.

    A last turn without words only shows where the answer belongs.
    """
    if not text.lstrip().startswith("Human:"):
        return None
    pieces = _TRANSCRIPT.split(text.strip())[1:]
    speakers = {"Human": _user, "Assistant": _assistant}
    turns = [speakers[who](said.strip()) for who, said in zip(pieces[::2], pieces[1::2], strict=True)]
    return turns[:-1] if turns[-1]["role"] == "assistant" and not turns[-1]["content"] else turns


def _with_system(entry: Entry) -> Entry:
    """A `system` key, which is the system message of the conversation."""
    part = "messages" if "messages" in entry else "prompt"
    system = entry.get("system")
    if "system" not in entry or not isinstance(entry.get(part), list):
        return entry
    found = without(entry, "system")
    if not given(system):
        return found
    if not isinstance(system, str):
        raise BadInput(f", field 'system': expected a text, found {shown(system)}.")
    first = found[part][0] if found[part] else None
    if isinstance(first, dict) and first.get("role") in ("system", "developer"):
        if first.get("content") != system:
            raise BadInput(f", field 'system': says something else than the system message in {part}; keep one.")
        return found
    return {**found, part: [{"role": "system", "content": system}, *found[part]]}


def _with_tools(entry: Entry) -> Entry:
    """The functions that the assistant may call, as a list of objects; tables hold them as JSON in a text."""
    tools = entry.get(TOOLS)
    found = without(entry, TOOLS)
    if isinstance(tools, str) and tools.strip():
        try:
            tools = json.loads(tools)
        except (ValueError, RecursionError):
            raise BadInput(
                f", field '{TOOLS}': expected a list of functions, found a text that is not JSON."
            ) from None
    if not given(tools) or (isinstance(tools, str) and not tools.strip()):
        return found
    if not isinstance(tools, list) or not all(isinstance(tool, dict) for tool in tools):
        raise BadInput(f", field '{TOOLS}': expected a list of functions, found {shown(tools)}.")
    return {**found, TOOLS: [_function(without_nulls(tool)) for tool in tools]}


def _function(tool: Entry) -> Entry:
    return tool if "function" in tool or "name" not in tool else {"type": "function", "function": tool}


def _user(text: str) -> Entry:
    return {"role": "user", "content": text}


def _assistant(text: str) -> Entry:
    return {"role": "assistant", "content": text}
