"""Streams an answer's text from an engine: through moderation, to the reader, until it ends."""

from __future__ import annotations

import asyncio
import time
from contextlib import aclosing
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from bot.answers import Held, Piece
from bot.engine.api import EngineError, Finished
from bot.moderation.step import withdrawal

if TYPE_CHECKING:
    from collections.abc import Awaitable, Sequence

    from bot.answers import RunningAnswer
    from bot.engine.api import Sampling, Session
    from bot.moderation.step import Moderation
    from bot.moderation.words import Kind
    from bot.texts import Texts
    from data.chat import Message

T = TypeVar("T")

# The finish reasons of a complete generation. Anything else that a server says is not an answer to learn from.
WHOLE = ("stop", "length")
# The most characters of one answer, however many a server sends: twenty messages on Discord.
LONGEST = 40_000


@dataclass
class StreamedAnswer:
    """What a stream has given so far."""

    text: str = ""
    finish_reason: str = "error"
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    first_token_seconds: float | None = None
    error: EngineError | None = None
    flagged: Kind | None = None
    outgrown: bool = False  # it had more than `LONGEST` characters

    def withdraw(self, flagged: Kind) -> None:
        """Drop the text. The answer itself is still recorded, so that the question can be asked again."""
        self.flagged, self.text, self.error, self.finish_reason = flagged, "", None, "moderated"

    def finish(self, event: Finished) -> None:
        """Note how the stream ended."""
        self.finish_reason = event.finish_reason if event.finish_reason in WHOLE else "error"
        self.prompt_tokens = event.prompt_tokens
        self.completion_tokens = event.completion_tokens
        if event.first_token_seconds is not None:
            self.first_token_seconds = event.first_token_seconds


async def streamed(
    answer: RunningAnswer, session: Session, messages: Sequence[Message], sampling: Sampling, moderation: Moderation
) -> StreamedAnswer:
    """Stream an answer piece by piece, as far as moderation allows, until it ends or is stopped."""
    said, growing = StreamedAnswer(), moderation.growing()
    held: list[str] = []
    began = time.monotonic()

    def show(text: str) -> None:
        if not text:
            return
        if not moderation.holds:
            answer.tell(Piece(text))
            return
        if not held:
            answer.tell(Held())
        held.append(text)

    async def read() -> bool:
        async with aclosing(session.stream(messages, sampling)) as stream:
            async for event in stream:
                if isinstance(event, Finished):
                    said.finish(event)
                    continue
                if said.first_token_seconds is None:
                    said.first_token_seconds = time.monotonic() - began
                text = event.text[: LONGEST - len(said.text)]
                said.text += text
                show(growing.add(text))
                if growing.found:
                    break
                if len(text) < len(event.text):
                    said.outgrown, said.finish_reason = True, "length"
                    break
        return True

    try:
        if not await unless(answer.stopped, read()):
            said.finish_reason = "stopped"
    except EngineError as error:
        said.error = error
    show(growing.end())
    if flagged := await moderation.outgoing(said.text, growing.found):
        said.withdraw(flagged)
    elif held:
        answer.tell(Piece("".join(held)))
    return said


def note(texts: Texts, said: StreamedAnswer, room: int, *, closing: bool) -> str | None:
    """The sentence below an answer that did not end normally; None for one that did.

    `room` is how many tokens the answer was allowed; `closing` says that the whole bot is ending.
    """
    if said.flagged:
        return withdrawal(texts, said.flagged)
    if said.error:
        return texts.broke_off.format(reason=said.error)
    if said.finish_reason == "stopped":
        return texts.ended if closing else texts.stopped
    if said.outgrown:
        return texts.outgrown.format(characters=LONGEST)
    if said.finish_reason == "length":
        return texts.cut_off.format(tokens=room)
    return None if said.text.strip() else texts.empty_answer


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
