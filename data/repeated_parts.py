"""Rows in other programs' forms that say a part twice, or only in the others (see `data.formats`)."""

from collections.abc import Sequence
from typing import Any

from data.errors import BadInput

Entry = dict[str, Any]


def answers_beside_messages(entry: Entry) -> Entry:
    """`messages` with a verdict: their last message is the answer that is judged."""
    messages = entry.get("messages")
    if not isinstance(messages, list) or not messages or not isinstance(messages[-1], dict):
        return entry
    answered = messages[-1].get("role") == "assistant"
    worse = next((key for key in ("rejected_response", "rejected_messages") if key in entry), None)
    if worse and not {"chosen", "rejected", "label"} & entry.keys():
        rejected = entry[worse]
        whole = worse == "rejected_messages" and isinstance(rejected, list) and rejected[:-1] == messages[:-1]
        parts = {"prompt": messages[:-1], "chosen": messages[-1:], "rejected": rejected[-1:] if whole else rejected}
        return {**without(entry, "messages", worse), **parts}
    if "label" in entry and answered and not {"completion", "chosen", "rejected", "prompt"} & entry.keys():
        return {**without(entry, "messages"), "prompt": messages[:-1], "completion": messages[-1:]}
    if not answered and "prompt" not in entry and {"completion", "chosen"} & entry.keys():
        return {**without(entry, "messages"), "prompt": messages}
    return entry


def pair(entry: Entry) -> Entry:
    """A preference whose answers repeat the conversation before them, which may be the only place that has it."""
    chosen, rejected = entry.get("chosen"), entry.get("rejected")
    if not isinstance(chosen, list) or not isinstance(rejected, list) or not chosen or not rejected:
        return entry
    prompt, found = entry.get("prompt"), dict(entry)
    shared = 0
    while shared < min(len(chosen), len(rejected)) and _same(chosen[shared], rejected[shared]):
        shared += 1
    if shared == min(len(chosen), len(rejected)) and shared > 1:
        shared -= 1  # the same answer twice, which is reported as such
    if isinstance(prompt, list):
        before = (
            len(prompt) if _alike(chosen[: len(prompt)], prompt) and _alike(rejected[: len(prompt)], prompt) else 0
        )
        found |= {"chosen": chosen[before:], "rejected": rejected[before:]}
    elif prompt is None or isinstance(prompt, str):
        common = chosen[:shared]
        said = [each.get("content") for each in common if isinstance(each, dict) and each.get("role") == "user"]
        if not said and "messages" in entry:
            return entry
        if not said:
            raise BadInput(", field 'prompt': missing, and chosen and rejected do not begin with the same question.")
        if prompt is not None and not any(_normal(prompt) == _normal(text) for text in said):
            raise BadInput(
                ", field 'prompt': not what chosen and rejected begin with; leave it out or write messages."
            )
        found |= {"prompt": common, "chosen": chosen[shared:], "rejected": rejected[shared:]}
    if isinstance(found.get("messages"), list) and found["messages"] in (
        chosen,
        [*found["prompt"], *found["chosen"]] if isinstance(found.get("prompt"), list) else chosen,
        found.get("prompt"),
    ):
        del found["messages"]
    return found


def repeated_prompt(entry: Entry) -> Entry:
    """`messages` with a `prompt` that repeats one of the user's texts, as in Zephyr's rows."""
    prompt, messages = entry.get("prompt"), entry.get("messages")
    if (
        prompt is None
        or not isinstance(messages, list)
        or {"chosen", "rejected", "label", "completion"} & entry.keys()
    ):
        return entry
    texts = [
        _normal(each.get("content")) for each in messages if isinstance(each, dict) and each.get("role") == "user"
    ]
    if (isinstance(prompt, str) and _normal(prompt) in texts) or prompt == messages[:-1]:
        return without(entry, "prompt")
    raise BadInput(", field 'prompt': says something else than the messages; keep one of them.")


def _normal(text: object) -> str:
    return " ".join(text.split()) if isinstance(text, str) else ""


def _same(one: Any, other: Any) -> bool:
    if not isinstance(one, dict) or not isinstance(other, dict):
        return bool(one == other)
    return {k: v for k, v in one.items() if v is not None} == {k: v for k, v in other.items() if v is not None}


def _alike(some: Sequence[Any], others: Sequence[Any]) -> bool:
    return len(some) == len(others) and all(map(_same, some, others))


def without(entry: Entry, *keys: str) -> Entry:
    """A row without some keys."""
    return {key: value for key, value in entry.items() if key not in keys}
