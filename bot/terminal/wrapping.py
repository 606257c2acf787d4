"""Breaks text that comes in pieces into lines between words, so that a terminal breaks no word."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.cells import cell_len

if TYPE_CHECKING:
    from collections.abc import Callable

_NEVER_FIRST = "，。、；：？！）》」』】〉”’…,.;:?!)]}"  # a line does not begin with these


class Wrapper:
    """Text goes in piece by piece, in any pieces; it comes out with line ends. `width` is the terminal's, in columns.

    The last word may still grow, so it is held back. Chinese has no blanks: a line may end after each character.
    """

    def __init__(self, width: Callable[[], int]) -> None:
        self._width = width
        self._column = 0
        self._gap = ""  # blanks that came, and are left out if the line ends here
        self._word = ""

    def add(self, text: str) -> str:
        """Take up a piece; returns what is certain now."""
        return "".join(map(self._character, text))

    def flush(self) -> str:
        """The word that was held back."""
        out, column = self._placed()
        self._column, self._gap, self._word = column, "", ""
        return out

    def rest(self) -> str:
        """What `flush` would return now, without ending the word."""
        return self._placed()[0]

    def _character(self, character: str) -> str:
        if character == "\n":
            out = self.flush() + "\n"
            self._column = 0
            return out
        if character.isspace():
            out = self.flush() if self._word else ""
            self._gap += character
            return out
        breaks = self._word and character not in _NEVER_FIRST and (_wide(character) or _wide(self._word[-1]))
        out = self.flush() if breaks else ""
        self._word += character
        return out

    def _placed(self) -> tuple[str, int]:
        """The blanks and the word that were held back, on this line or on the next, and the column after them."""
        width, size = max(2, self._width()), cell_len(self._word)
        if not self._word or self._column + len(self._gap) + size <= width:
            return self._gap + self._word, self._column + len(self._gap) + size
        out, column = ("\n", 0) if self._column else ("", 0)
        for character in self._word:  # a word that is longer than a line is broken anywhere
            if column + cell_len(character) > width:
                out, column = out + "\n", 0
            out, column = out + character, column + cell_len(character)
        return out, column


def _wide(character: str) -> bool:
    return cell_len(character) > 1
