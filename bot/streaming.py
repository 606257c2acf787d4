"""Streams an answer's text from an engine: through moderation, to the reader, until it ends."""

from __future__ import annotations

import asyncio
import time
from contextlib import aclosing
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING, TypeVar

from bot.answers import Held, Piece, TakenBack, Thinking
from bot.engine import api
from bot.moderation.step import withdrawal

if TYPE_CHECKING:
    from collections.abc import Awaitable, Sequence

    from bot.answers import RunningAnswer
    from bot.moderation.step import Moderation
    from bot.moderation.words import Kind
    from bot.texts import Texts
    from data.chat import Message

T = TypeVar("T")

# The finish reasons of a complete generation. Anything else that a server says is not an answer to learn from.
WHOLE = ("stop", "length")
# The most characters of one answer, however many a server sends: twenty messages on Discord.
LONGEST = 40_000
_KNOWN = (*WHOLE, "filtered", "damaged", "unknown")
# The most seconds of a stream that are read without a break: a server may send a long answer at once, and everybody
# else waits meanwhile.
_BREATH = 0.02


@dataclass
class StreamedAnswer:
    """What a stream has given so far. `thoughts` are never stored."""

    text: str = ""
    thoughts: str = ""
    finish_reason: str = "error"
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    first_token_seconds: float | None = None
    error: api.EngineError | None = None
    flagged: Kind | None = None
    outgrown: bool = False  # it had more than `LONGEST` characters

    def withdraw(self, flagged: Kind) -> None:
        """Drop the text. The answer itself is still recorded, so that the question can be asked again."""
        self.flagged, self.text, self.error, self.finish_reason = flagged, "", None, "moderated"

    def room(self, piece: str, before: str) -> str:
        """As much of the next piece as the longest answer has room for."""
        fits = piece[: max(0, LONGEST - len(before))]
        if len(fits) < len(piece):
            self.outgrown, self.finish_reason = True, "length"
        return fits

    def finish(self, event: api.Finished) -> None:
        """Note how the stream ended."""
        self.finish_reason = event.finish_reason if event.finish_reason in _KNOWN else "error"
        self.prompt_tokens = event.prompt_tokens
        self.completion_tokens = event.completion_tokens
        if event.first_token_seconds is not None:
            self.first_token_seconds = event.first_token_seconds


async def streamed(
    answer: RunningAnswer,
    session: api.Session,
    messages: Sequence[Message],
    sampling: api.Sampling,
    moderation: Moderation,
    *,
    show_thinking: bool = False,
) -> StreamedAnswer:
    """Stream an answer piece by piece, as far as moderation allows, until it ends or is stopped."""
    said = StreamedAnswer()
    shown = _Shown(answer, moderation, show_thinking=show_thinking)

    async def read() -> bool:
        began = breath = time.monotonic()
        async with aclosing(session.stream(messages, sampling)) as stream:
            async for event in stream:
                if isinstance(event, api.Finished):
                    said.finish(event)
                    continue
                if said.first_token_seconds is None:
                    said.first_token_seconds = time.monotonic() - began
                _take(said, event, shown)
                if shown.found or said.outgrown:
                    break
                if time.monotonic() - breath > _BREATH:
                    await asyncio.sleep(0)
                    breath = time.monotonic()
        return True

    try:
        if not await unless(answer.stopped, read()):
            said.finish_reason = "stopped"
    except api.EngineError as error:
        said.error = error
    shown.end()
    seen = f"{said.thoughts}\n{said.text}" if show_thinking else said.text
    if flagged := await moderation.outgoing(seen, shown.found):
        said.withdraw(flagged)
    else:
        shown.release()
    return said


def _take(said: StreamedAnswer, event: api.Delta | api.Thought | api.TakenBack, shown: _Shown) -> None:
    match event:
        case api.Delta(text):
            text = said.room(text, said.text)
            said.text += text
            shown.say(text)
        case api.Thought(text):
            text = said.room(text, said.thoughts)
            said.thoughts += text
            shown.think(text)
        case api.TakenBack():
            said.thoughts, said.text = said.thoughts + said.text, ""
            shown.take_back(said.thoughts)


class _Shown:
    """What the reader of one answer is told, as far as moderation allows."""

    def __init__(self, answer: RunningAnswer, moderation: Moderation, *, show_thinking: bool) -> None:
        self._answer = answer
        self._moderation = moderation
        self._show_thinking = show_thinking
        self._words = moderation.growing()
        self._thoughts = moderation.growing()
        self._held: list[Piece | Thinking] = []
        self._told = False  # that there is something which is not shown

    @property
    def found(self) -> Kind | None:
        """What is wrong with what was said so far."""
        return self._words.found or self._thoughts.found

    def say(self, text: str) -> None:
        """The answer goes on."""
        self._show(Piece(self._words.add(text)))

    def think(self, text: str) -> None:
        """The model thinks on. The reader sees in any case that something happens."""
        if self._show_thinking:
            self._show(Thinking(self._thoughts.add(text)))
        else:
            self._tell_held()

    def take_back(self, thoughts: str) -> None:
        """What was said so far is a part of the thoughts."""
        self._held, self._words = [], self._moderation.growing()
        self._answer.tell(TakenBack())
        if self._show_thinking:
            self._thoughts = self._moderation.growing()
            self.think(thoughts)

    def end(self) -> None:
        """Nothing more comes."""
        self._show(Thinking(self._thoughts.end()))
        self._show(Piece(self._words.end()))

    def release(self) -> None:
        """All of it was checked, and may be shown."""
        for kind, events in groupby(self._held, type):
            self._answer.tell(kind("".join(event.text for event in events)))

    def _show(self, event: Piece | Thinking) -> None:
        if not event.text:
            return
        if self._moderation.holds:
            self._tell_held()
            self._held.append(event)
        else:
            self._answer.tell(event)

    def _tell_held(self) -> None:
        if not self._told:
            self._told = True
            self._answer.tell(Held())


def note(texts: Texts, said: StreamedAnswer, room: int, *, closing: bool) -> str | None:
    """The sentence below an answer that did not end normally; None for one that did.

    `room` is how many tokens the answer was allowed; `closing` says that the whole bot is ending.
    """
    if said.flagged:
        return withdrawal(texts, said.flagged)
    if said.error:
        return texts.broke_off.format(reason=said.error.for_member(texts))
    if said.finish_reason == "stopped":
        return texts.ended if closing else texts.stopped
    if said.outgrown:
        return texts.outgrown.format(characters=LONGEST)
    if said.finish_reason == "filtered":
        return texts.filtered
    empty = not said.text.strip()
    if said.finish_reason == "length":
        return (texts.no_word_left if empty else texts.cut_off).format(tokens=room)
    if empty:
        return texts.only_thoughts if said.thoughts else texts.empty_answer
    return texts.part_missing if said.finish_reason == "damaged" else None


async def unless(stopped: asyncio.Event, awaitable: Awaitable[T]) -> T | None:
    """The result of `awaitable`; or None, and the awaitable is cancelled, if `stopped` is set first."""
    work = asyncio.ensure_future(awaitable)
    stop = asyncio.ensure_future(stopped.wait())
    try:
        await asyncio.wait({work, stop}, return_when=asyncio.FIRST_COMPLETED)
        if work.done():
            return work.result()
        work.cancel()
        await asyncio.gather(work, return_exceptions=True)
        return None
    finally:
        stop.cancel()
        work.cancel()
