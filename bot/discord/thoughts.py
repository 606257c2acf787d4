"""How a model's thoughts look on Discord where people may see them: a spoiler above the answer, never stored."""

from __future__ import annotations

LONGEST = 1200  # characters; the end of a longer thought is shown


def spoiler(thoughts: str) -> str:
    """Thoughts as a spoiler on lines of their own; empty when there are none."""
    text = thoughts.replace("||", "| |").replace("```", "\u02cb\u02cb\u02cb").strip()
    if not text:
        return ""
    return f"||{text if len(text) <= LONGEST else '… ' + text[-LONGEST:].lstrip()}||\n"
