"""Two answers to one question, side by side in random order, and four buttons to say which is better.

Nobody sees whose answer is whose before they have said. While a candidate is on trial one of the two is its; else
both are the champion's. Both are shown when both are finished, so that no one judges by speed.
"""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

from bot.answers import Answered, Failed, Queued
from bot.discord.draft import Draft
from bot.discord.feedback import rate_buttons, stop_button, verdict_buttons
from bot.discord.render import Part, parts
from bot.ratings import comparable

if TYPE_CHECKING:
    import discord

    from bot.answers import Answer, Ask
    from bot.discord.chat import Talk
    from bot.discord.place import Place
    from data.store import StoredGeneration

_WHOLE = ("stop", "length")


class Both:
    """Two answers that come one after the other; stopped or waited for as one."""

    def __init__(self) -> None:
        self.stopped = False
        self._running: list[Answer] = []

    def stop(self) -> None:
        """End here; what was said so far is kept."""
        self.stopped = True
        for answer in self._running:
            answer.stop()

    async def wait(self) -> None:
        """Wait until what runs is recorded."""
        for answer in self._running:
            await answer.wait()

    async def end(self, answer: Answer, draft: Draft, ask: Ask) -> Answered | Failed:
        """How an answer ends; meanwhile the draft says where it stands."""
        self._running.append(answer)
        async for event in answer:
            if isinstance(event, Queued):
                draft.show([Part("⏳ " + ask.texts.waiting.format(ahead=event.ahead), "stop")])
            elif isinstance(event, Answered | Failed):
                return event
            else:
                draft.show([Part("⏳ " + ask.texts.two_coming, "stop")])
        raise AssertionError("an answer has an end")


async def show_two(
    talk: Talk,
    ask: Ask,
    *,
    first: StoredGeneration | None = None,
    key: str,
    asker: int,
    place: Place,
) -> str | None:
    """Answer a question twice, or set another answer beside the `first` one, for people to compare.

    Where there are no two whole, different answers to the same prompt, the one that there is is shown as usual.
    Returns a sentence when there is no answer and nothing was shown.
    """
    both, sent = Both(), _Sent(talk)
    order: list[StoredGeneration] = []

    def buttons(name: str) -> discord.ui.View | None:
        if name == "stop":
            return stop_button(key, asker)
        if name == "compare":
            return verdict_buttons(order[0].generation, order[1].generation, ask.texts)
        return rate_buttons(order[0].generation, teach=True) if name == "rate" else None

    async def on_top(message: int) -> None:
        await sent.on_top(message, both, order)

    async def on_bottom(message: int) -> None:
        await talk.store.set_platform_id(order[1].message, str(message))

    top = Draft(place, talk.pace, buttons, on_top, both.stop)
    talk.running[key] = both
    try:
        async with talk.trial.engine(first.release if first else None) as candidate:
            if first is None:
                one = await both.end(talk.chat.answer(ask), top, ask)
                if isinstance(one, Failed):
                    if not top.started:
                        return one.sentence
                    await top.finish([Part(one.sentence)])
                    return None
                usual, note, whole = one.generation, one.note, one.finish_reason in _WHOLE
            else:
                usual, note, whole = first, None, True
            other = None
            if whole and not both.stopped:
                other = await both.end(talk.chat.again(ask, usual, engine=candidate), top, ask)
        if not isinstance(other, Answered) or not _worth_comparing(usual, other):
            if first is not None:  # it stands there already
                await top.finish([Part(other.sentence if isinstance(other, Failed) else ask.texts.no_two_answers)])
                return None
            order.append(usual)
            await sent.place(usual)
            await top.finish(parts(usual.text, "rate", note))
            return None
        order += random.sample([usual, other.generation], 2)
        await sent.place(order[0])
        await top.finish(parts(f"-# {ask.texts.two_answers}\n**A**\n{order[0].text}"))
        bottom = Draft(place, talk.pace, buttons, on_bottom, both.stop)
        await bottom.finish(parts(f"**B**\n{order[1].text}", "compare"))
    finally:
        talk.running.pop(key, None)
        sent.over()
    return None


def _worth_comparing(usual: StoredGeneration, other: Answered) -> bool:
    if other.finish_reason not in _WHOLE or not comparable(usual, other.generation):
        return False
    texts = {usual.text.strip(), other.generation.text.strip()}
    return len(texts) == 2 and "" not in texts


class _Sent:
    """The messages of the upper answer, some of which are there before it is known which one that is."""

    def __init__(self, talk: Talk) -> None:
        self._talk = talk
        self._messages: list[int] = []

    async def on_top(self, message: int, both: Both, order: list[StoredGeneration]) -> None:
        self._messages.append(message)
        self._talk.growing[message] = both
        if order:
            await self._talk.store.set_platform_id(order[0].message, str(message))

    async def place(self, generation: StoredGeneration) -> None:
        for message in self._messages:
            await self._talk.store.set_platform_id(generation.message, str(message))

    def over(self) -> None:
        for message in self._messages:
            self._talk.growing.pop(message, None)
