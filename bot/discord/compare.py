"""Two answers to one question, side by side in random order, and four buttons to say which is better.

Nobody sees whose answer is whose before they have said. While a candidate is on trial one of the two is its; else
both are the champion's. Both are shown when both are finished, so that no one judges by speed.
"""

from __future__ import annotations

import asyncio
import random
from typing import TYPE_CHECKING

from bot.answers import Answered, Failed, Paired, Queued
from bot.discord.draft import Draft
from bot.discord.interrupted import Open
from bot.discord.presses import more_button, rate_buttons, stop_button, verdict_buttons
from bot.discord.render import Part, parts
from bot.ratings import comparable

if TYPE_CHECKING:
    import discord

    from bot.answers import Ask, RunningAnswer
    from bot.discord.app import Talk
    from bot.discord.place import Place
    from data.store import StoredGeneration

_WHOLE = ("stop", "length")


class Both:
    """Two answers that are still being made or shown; stopped, or waited for, as one."""

    def __init__(self) -> None:
        self.answer: RunningAnswer | None = None
        self.shown = asyncio.Event()
        self._stopped = False

    def begin(self, answer: RunningAnswer) -> RunningAnswer:
        """The answers have begun; perhaps they are to stop already."""
        self.answer = answer
        if self._stopped:
            answer.stop()
        return answer

    def stop(self) -> None:
        """End here; what was said so far is kept."""
        self._stopped = True
        if self.answer is not None:
            self.answer.stop()

    @property
    def made(self) -> bool:
        """Whether both are recorded."""
        return self.answer is not None and self.answer.made

    async def wait(self) -> None:
        """Wait until it is known which message shows which answer."""
        await self.shown.wait()


async def show_two(
    talk: Talk,
    ask: Ask,
    *,
    first: StoredGeneration | None = None,
    key: str,
    question: str | None = None,
    asker: int,
    place: Place,
) -> str | None:
    """Answer a question twice, or set another answer beside the `first` one, for people to compare.

    Where there are no two whole, different answers to the same prompt, the one that there is is shown as usual.
    Returns a sentence when there is no answer and nothing was shown.
    """
    both = Both()
    order: list[StoredGeneration] = []
    tops: list[int] = []
    cut_off: set[int] = set()

    def buttons(name: str) -> discord.ui.View | None:
        if name == "stop":
            return stop_button(key, asker)
        if name == "compare":
            return verdict_buttons(order[0].generation, order[1].generation, ask.texts, cut(1))
        if name == "more":
            return more_button(order[0].generation, ask.texts)
        if name != "rate":
            return None
        return rate_buttons(order[0].generation, teach=bool(order[0].text), more=ask.texts if cut(0) else None)

    def cut(place: int) -> bool:
        """Whether the answer that is shown first (0) or second (1) reached the limit and can be continued."""
        return order[place].generation in cut_off

    async def on_top(message: int) -> None:
        tops.append(message)
        talk.growing[message] = both
        if order:
            await talk.store.set_platform_id(order[0].message, str(message))
        await opened.shown(message)

    async def on_bottom(message: int) -> None:
        await talk.store.set_platform_id(order[1].message, str(message))

    async def last(draft: Draft, wanted: list[Part]) -> str | None:
        if await draft.finish(wanted):
            await opened.whole()
        return None if tops else ask.texts.not_shown

    place = opened = Open(place, talk.store, key, key if question is None else question)
    top = Draft(place, talk.pace, buttons, on_top, both.stop)
    talk.running[key] = both
    talk.changes.begin(key, ask.person, place)
    talk.shows()
    try:
        async with talk.trial.engine(first.release if first else None) as candidate:
            end = await _end(both.begin(talk.chat.pair(ask, first, engine=candidate)), top, ask)
        if isinstance(end, Failed):
            if not top.started:
                return end.sentence
            return await last(top, [Part(end.sentence)])
        usual, other = end.usual, end.other
        answers = [end for end in (usual, other) if isinstance(end, Answered)]
        cut_off.update(end.generation.generation for end in answers if end.finish_reason == "length")
        notes = {end.generation.generation: end.note for end in answers}
        if not isinstance(other, Answered) or not _worth_comparing(usual, other):
            if first is not None:  # it stands there already
                told = other.sentence if isinstance(other, Failed) else ask.texts.no_two_answers
                return await last(top, [Part(told)])
            order.append(usual.generation)
            await _place(talk, order[0], tops, both)
            return await last(top, parts(usual.generation.text, "rate", usual.note))
        order += random.sample([usual.generation, other.generation], 2)
        await _place(talk, order[0], tops, both)
        below = "more" if cut(0) else ""
        upper = parts(f"-# {ask.texts.two_answers}\n**A**\n{order[0].text}", below, notes[order[0].generation])
        if not await top.finish(upper):  # nobody may judge what is not all there
            return None if tops else ask.texts.not_shown
        # Others may have been answered here meanwhile: it says which answer it belongs to.
        bottom = Draft(place.below(tops[-1]), talk.pace, buttons, on_bottom, both.stop)
        return await last(bottom, parts(f"**B**\n{order[1].text}", "compare", notes[order[1].generation]))
    finally:
        both.shown.set()
        talk.running.pop(key, None)
        talk.changes.end(key)
        for message in tops:
            talk.growing.pop(message, None)


async def _end(answer: RunningAnswer, draft: Draft, ask: Ask) -> Paired | Failed:
    """How two answers end; meanwhile the draft says where they stand."""
    async for event in answer:
        match event:
            case Queued(ahead):
                draft.show([Part("⏳ " + ask.texts.waiting.format(ahead=ahead), "stop")])
            case Paired() | Failed():
                return event
            case _:
                draft.show([Part("⏳ " + ask.texts.two_coming, "stop")])
    raise AssertionError("an answer has an end")


async def _place(talk: Talk, generation: StoredGeneration, messages: list[int], both: Both) -> None:
    """Say that the messages that are there already show this answer; replies to them need not wait any longer."""
    for message in messages:
        await talk.store.set_platform_id(generation.message, str(message))
    both.shown.set()


def _worth_comparing(usual: Answered, other: Answered) -> bool:
    if other.finish_reason not in _WHOLE or not comparable(usual.generation, other.generation):
        return False
    texts = {usual.generation.text.strip(), other.generation.text.strip()}
    return len(texts) == 2 and "" not in texts
