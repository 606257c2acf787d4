"""The prompts in rows of every kind: PPO answers them, and evaluations ask them."""

from collections.abc import Iterable
from typing import Any

from data.row import TOOLS, Row, content_id

_KEPT = ("id", "persona", "language", "source", "platform", "consent", "outside_judge")


def prompts_of(rows: Iterable[Row]) -> list[Row]:
    """The prompts of rows, each once, in the rows' order, with the id and the origin of the first row that has it.

    A demonstration's prompt is everything before its last message. Rows of one fold give prompts of that fold,
    because the fold belongs to the prompt. What belongs to the answer (its weight, margin
    and label) is left out; the weight of a row of kind `prompt` is that of its question.
    """
    found: dict[str, Row] = {}
    for row in rows:
        prompt = row.messages[:-1] if row.kind == "demonstration" else row.messages
        if not prompt or prompt[-1]["role"] != "user":
            continue  # a demonstration may end in two assistant messages: no question asks for the last
        asked = [{key: value for key, value in message.items() if key != "weight"} for message in prompt]
        data: dict[str, Any] = {"prompt": asked, **({TOOLS: row.tools} if row.tools else {})}
        kept = (*_KEPT, "weight") if row.kind == "prompt" else _KEPT
        extra = {name: row.extra[name] for name in kept if name in row.extra}
        found.setdefault(content_id(data), Row("prompt", data, {**extra, "id": row.id}, row.line))
    return list(found.values())
