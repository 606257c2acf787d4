"""What the terminal asks a person: a yes or no, or a text of several lines."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from bot.terminal.console import Lines

_YES = ("y", "yes", "是", "好", "同意")
_NO = ("n", "no", "否", "不", "不同意")
END = "."  # the line that ends a text of several lines


async def yes_or_no(lines: Lines, prompt: str, unclear: Callable[[], None]) -> bool | None:
    """The person's yes or no; None if the input ends or they leave. `unclear` says what is understood."""
    while (line := await lines.read(prompt)) is not None:
        said = line.strip().lower()
        if said in _YES or said in _NO:
            return said in _YES
        if said == "/quit":
            lines.unread(line)
            return None
        unclear()
    return None


async def several_lines(lines: Lines) -> str:
    """What the person writes, up to a line with only a dot; nothing if the input ends before that line."""
    written: list[str] = []
    while (line := await lines.read("... ")) is not None:
        if line.strip() == END:
            return "\n".join(written).strip()
        written.append(line)
    return ""
