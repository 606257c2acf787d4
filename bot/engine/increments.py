"""What each chunk of a stream adds, where a server sends the text so far again and again: pure.

Most servers send pieces. Some send everything so far in each chunk, or the whole answer once more at the end. A piece
may happen to begin as the one before it did ("ha", "haha"), so short texts need two repetitions.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bot.engine.chunks import Chunk

_SURE = 12  # characters; no piece of this length begins with all that came before it by chance
_LIKELY = 4  # the same where the stream ends before a third chunk could show it


class Increments:
    """Takes the chunks of one answer in order, and returns each with only what is new."""

    def __init__(self) -> None:
        self._text, self._thought = _Told(), _Told()

    def take(self, chunk: Chunk) -> Chunk:
        """The chunk without what was said before."""
        if chunk.whole:
            return replace(chunk, text=self._text.once_more(chunk.text))
        if not chunk.text and not chunk.thought:
            return chunk
        return replace(chunk, text=self._text.new(chunk.text), thought=self._thought.new(chunk.thought))

    def rest(self) -> tuple[str, str]:
        """The text and the thought that were held back to the end of the stream."""
        return self._text.rest(), self._thought.rest()


class _Told:
    def __init__(self) -> None:
        self._said = ""
        self._held = ""  # a chunk that begins with all that was said; the next one shows what it is
        self._repeats: bool | None = None  # None: not known yet

    def new(self, text: str) -> str:
        """What this text adds."""
        if not text or not self._said:
            return self._add(text)
        if self._repeats is None:
            return self._first(text)
        if self._repeats and text.startswith(self._said):
            return self._add(text[len(self._said) :])
        return self._add(text)

    def once_more(self, text: str) -> str:
        """What a message that holds the whole answer adds."""
        self._held = ""
        return self._add(text.removeprefix(self._said))

    def rest(self) -> str:
        """What was held back."""
        held, self._held = self._held, ""
        return held[len(self._said) :] if held and len(self._said.strip()) >= _LIKELY else held

    def _first(self, text: str) -> str:
        held, self._held = self._held, ""
        if held:
            self._repeats = text.startswith(held)
            return self._add(text[len(self._said) :] if self._repeats else held + text)
        if len(text) > len(self._said) and text.startswith(self._said):
            if len(self._said.strip()) < _SURE:
                self._held = text
                return ""
            self._repeats = True
            return self._add(text[len(self._said) :])
        self._repeats = False
        return self._add(text)

    def _add(self, text: str) -> str:
        self._said += text
        return text
