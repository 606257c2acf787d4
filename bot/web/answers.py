"""How an answer is shown: its text, what its reader made of it, and what they can do with it."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bot.answers import Failed, Paired
from bot.ratings import worth_comparing
from bot.web.site import PLATFORM
from bot.web.tree import way
from data.talks import everything_said, talk_of, votes_in

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bot.answers import Answered
    from bot.web.live import LiveAnswer
    from bot.web.tree import Turn
    from bot.web.visitors import Visitor
    from data.store import StoredGeneration
    from data.talks import Talk


@dataclass(frozen=True)
class ShownAnswer:
    """An answer on the page. `place` of `count` answers to the same question; the others are at these messages."""

    generation: int
    message: int
    text: str | None
    vote: str | None
    rateable: bool
    cut_off: bool
    place: int
    count: int
    before: int | None
    after: int | None
    note: str | None = None


@dataclass(frozen=True)
class ShownTurn:
    """A question and the answer that is shown, None where there is none."""

    question: str | None
    message: int
    answer: ShownAnswer | None


async def turns_shown(
    visitor: Visitor, talk: Talk, turns: Sequence[Turn], notes: dict[int, str | None] | None = None
) -> list[ShownTurn]:
    """Turns as they are shown to the person whose conversation it is. `notes` are sentences below answers."""
    async with visitor.site.store.database.read() as session:
        votes = await votes_in(session, talk.conversation, visitor.person)
    return [ShownTurn(turn.question.text, turn.question.message, _answer(turn, votes, notes or {})) for turn in turns]


def _answer(turn: Turn, votes: dict[int, str], notes: dict[int, str | None]) -> ShownAnswer | None:
    said = turn.answer
    if said is None or said.generation is None:
        return None
    return ShownAnswer(
        generation=said.generation,
        message=said.message,
        text=said.text,
        vote=votes.get(said.generation),
        rateable=bool((said.text or "").strip()) and said.finish_reason != "filtered",
        cut_off=said.finish_reason == "length" and bool(said.text),
        place=turn.at + 1,
        count=len(turn.answers),
        before=turn.answers[turn.at - 1].message if turn.at > 0 else None,
        after=turn.answers[turn.at + 1].message if turn.at + 1 < len(turn.answers) else None,
        note=notes.get(said.generation),
    )


async def turn_of(visitor: Visitor, answer: StoredGeneration, note: str | None = None) -> ShownTurn | None:
    """The turn in which an answer stands; None when it is not there any more."""
    async with visitor.site.store.database.read() as session:
        talk = await talk_of(session, answer.conversation, PLATFORM, visitor.person)
        said = await everything_said(session, answer.conversation)
    if talk is None:
        return None
    turns = [
        turn for turn in way(said, answer.message) if turn.answer and turn.answer.generation == answer.generation
    ]
    shown = await turns_shown(visitor, talk, turns, {answer.generation: note})
    return shown[0] if shown else None


def pair_of(live: LiveAnswer) -> tuple[Answered, Answered] | None:
    """Two answers in the order in which they are shown, drawn once; None where there are no two worth comparing."""
    end = live.end
    if not isinstance(end, Paired) or isinstance(end.other, Failed) or not worth_comparing(end.usual, end.other):
        return None
    pair = (end.usual, end.other)
    if live.turned is None:
        live.turned = random.random() < 0.5  # noqa: S311 - nobody gains from guessing it
    return pair[::-1] if live.turned else pair
