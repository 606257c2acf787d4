"""Puts an answer together from the chunks of its stream: thoughts apart, ended where its turn ends. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bot.engine.api import Delta, StreamEvent, TakenBack, Thought
from bot.engine.thinking import Kind, Thinking
from bot.engine.turns import Turns

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bot.engine.chunks import Chunk
    from bot.engine.thinking import Habits, Piece


class Reading:
    """One answer. `take` each chunk in order, then `end`; `over` says that nothing after this belongs to it."""

    def __init__(self, habits: Habits, stops: Sequence[str] = ()) -> None:
        self.reason: str | None = None
        self.prompt_tokens: int | None = None
        self.completion_tokens: int | None = None
        self.damaged = False
        self.done = False
        self.thought = False
        self._half = ""  # the first half of a character that a server sends in two chunks
        self._stops = stops
        self._thinking = Thinking(habits)
        self._turns = Turns(stops)

    @property
    def over(self) -> bool:
        """Whether the answer ended before its stream did."""
        return self._turns.over

    def take(self, chunk: Chunk) -> list[StreamEvent]:
        """What a chunk adds."""
        self.damaged |= chunk.damaged
        self.done |= chunk.done
        self.reason = chunk.reason or self.reason
        if chunk.prompt_tokens is not None:
            self.prompt_tokens, self.completion_tokens = chunk.prompt_tokens, chunk.completion_tokens
        events: list[StreamEvent] = []
        if chunk.thought:
            self.thought = True
            self._thinking.separate()
            events.append(Thought(_characters(chunk.thought)))
        return [*events, *self._events(self._thinking.feed(self._whole(chunk.text)))]

    def end(self) -> list[StreamEvent]:
        """The last pieces."""
        text, self._half = ("\ufffd" if self._half else ""), ""
        events = self._events(self._thinking.feed(text)) if text else []
        events += self._events(self._thinking.end(cut=self.reason == "length"))
        return [*events, *_delta(self._turns.end())]

    def _whole(self, text: str) -> str:
        """The text with surrogate halves put together; a half at its end waits for the other one."""
        text, self._half = self._half + text, ""
        if text and "\ud800" <= text[-1] <= "\udbff":
            text, self._half = text[:-1], text[-1]
        return _characters(text)

    def finish_reason(self, most: int) -> str:
        """Why the answer ended, `most` being the tokens that it was allowed."""
        if self.over:
            return "damaged" if self.damaged else "stop"
        if self.reason is None:
            return self._unsaid(most)
        return "damaged" if self.damaged and self.reason in ("stop", "length") else self.reason

    def _unsaid(self, most: int) -> str:
        """The reason that a server did not give: without a count of tokens nobody can know it."""
        if self.damaged or self.completion_tokens is None:
            return "damaged" if self.damaged else "unknown"
        return "stop" if self.completion_tokens < most else "length"

    def _events(self, pieces: list[Piece]) -> list[StreamEvent]:
        events: list[StreamEvent] = []
        for kind, text in pieces:
            if kind is Kind.TAKEN_BACK:
                self.thought = True
                self._turns = Turns(self._stops)
                events.append(TakenBack())
            elif kind is Kind.THOUGHT:
                self.thought = True
                events.append(Thought(text))
            else:
                events += _delta(self._turns.feed(text))
        return events


def _characters(text: str) -> str:
    """A text with the halves of surrogate pairs put together; a half alone becomes a question mark in a box."""
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def _delta(text: str) -> list[StreamEvent]:
    return [Delta(text)] if text else []
