"""How a model's thoughts look on Discord where people may see them: a spoiler above the answer, never stored."""

from __future__ import annotations

LONGEST = 900  # characters; of a longer thought the end is shown. A message is never divided so early


def spoiler(thoughts: str) -> str:
    """Thoughts as a spoiler on lines of their own; empty when there are none."""
    # Code wins over spoilers: a lone backtick would reach over the spoiler's end.
    text = thoughts.replace("|", "¦").replace("`", "'").rstrip("\\ \n").strip()
    if not text:
        return ""
    return f"||{text if len(text) <= LONGEST else '… ' + text[-LONGEST:].lstrip()}||\n"
