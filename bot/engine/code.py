"""Follows a growing text and knows whether its end stands in code: in a fenced block or between backticks."""

from __future__ import annotations

_FENCES = ("```", "~~~")
_KEPT = 200  # characters of a line that are kept


class CodeContext:
    """Where the end of a text stands. Feed it everything in order."""

    def __init__(self) -> None:
        self._fence = ""  # the fence that is open
        self._head = ""  # the beginning of the current line
        self._ticks = 0
        self.last_line = ""  # the end of the current line
        self.line_before = ""  # the line before it

    @property
    def quotes(self) -> bool:
        """Whether what follows is code or quoted: in a fenced block, or after an odd number of backticks."""
        return bool(self._fence) or self._head.lstrip().startswith(_FENCES) or self._ticks % 2 == 1

    @property
    def fenced(self) -> bool:
        """Whether what follows is in a fenced block."""
        return bool(self._fence)

    @property
    def line_begins(self) -> bool:
        """Whether the current line has nothing but blanks so far."""
        return not self.last_line.strip()

    def feed(self, text: str) -> None:
        """Go on with this text."""
        first, *others = text.split("\n")
        self._grow(first)
        for line in others:
            self._new_line()
            self._grow(line)

    def _grow(self, text: str) -> None:
        self._head = (self._head + text)[:12] if len(self._head) < 12 else self._head
        self._ticks += text.count("`")
        self.last_line = (self.last_line + text)[-_KEPT:]

    def _new_line(self) -> None:
        head = self._head.lstrip()
        if self._fence:
            if head.startswith(self._fence):
                self._fence = ""
        elif head.startswith(_FENCES):
            self._fence = head[:3]
        self.line_before, self.last_line, self._head, self._ticks = self.last_line, "", "", 0
