"""Prompts out of rows of every kind: what PPO answers, and what an evaluation asks."""

from collections.abc import Iterable
from typing import Any

from data.rows import Row, content_id

_KEPT = ("id", "persona", "language", "source", "platform", "consent", "outside_judge")


def prompts_of(rows: Iterable[Row]) -> list[Row]:
    """The prompts of rows, each once, in the rows' order, with the first row's id and what else says whence it came.

    A demonstration's prompt is what stands before its last message. Rows of one fold give prompts of that fold: the
    fold belongs to the prompt, not to the answer. What belongs to an answer (weight, margin, label) stays behind.
    """
    found: dict[str, Row] = {}
    for row in rows:
        prompt = row.data["messages"][:-1] if row.kind == "demonstration" else row.data["prompt"]
        if not prompt or prompt[-1]["role"] != "user":
            continue  # a demonstration may end in two messages of the assistant's: nothing asks for the last
        data: dict[str, Any] = {"prompt": prompt}
        extra = {name: row.extra[name] for name in _KEPT if name in row.extra}
        found.setdefault(content_id(data), Row("prompt", data, {**extra, "id": row.id}, row.line))
    return list(found.values())
