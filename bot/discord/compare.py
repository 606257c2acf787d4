"""Two answers to one question, side by side in random order, with four buttons to say which is better.

Nobody sees which release gave which answer before they have chosen. While a candidate is on trial, one of the two
answers is the candidate's; otherwise both are the champion's. Both are shown when both are finished, so that nobody
judges by speed.
"""

from __future__ import annotations

import random
from functools import partial
from typing import TYPE_CHECKING

from bot.anew import with_offer
from bot.answers import Answered, Failed, Paired, Queued
from bot.discord.answering import joined, no_remarks, waiting_parts
from bot.discord.buttons import more_button, rate_buttons, stop_button, verdict_buttons
from bot.discord.draft import Draft
from bot.discord.open_answer import RecordedPlace
from bot.discord.pending import shown_as_pending
from bot.discord.render import MessagePart, parts
from bot.discord.running import TwoAnswers
from bot.ratings import worth_comparing

if TYPE_CHECKING:
    import discord

    from bot.answers import Ask, RunningAnswer
    from bot.discord.answering import Remarks
    from bot.discord.app import App
    from bot.discord.place import Place
    from data.store import StoredGeneration


async def show_two(
    app: App,
    ask: Ask,
    *,
    first: StoredGeneration | None = None,
    key: str,
    question: str | None = None,
    asker: int,
    place: Place,
    remarks: Remarks = no_remarks,
) -> str | None:
    """Answer a question twice, or put another answer beside the `first` one, for people to compare.

    Where there are no two whole, different answers to the same prompt, the only answer is shown as usual.
    The other arguments and the result are those of `bot.discord.answering.show`.
    """
    both = TwoAnswers()
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
        return rate_buttons(order[0].generation, teach=order[0].rateable, more=ask.texts if cut(0) else None)

    def cut(at: int) -> bool:
        """Whether the answer that is shown first (0) or second (1) reached the limit and can be continued."""
        return order[at].generation in cut_off

    async def on_top(message: int) -> None:
        tops.append(message)
        app.running.add_message(message, both)
        if order:
            await app.store.set_platform_id(order[0].message, str(message))
        await recorded.shown(message)

    async def on_bottom(message: int) -> None:
        await app.store.set_platform_id(order[1].message, str(message))

    async def finish(draft: Draft, wanted: list[MessagePart]) -> str | None:
        return None if await recorded.finish(draft, wanted) or tops else ask.texts.not_shown

    async def known_top() -> None:
        """Record which answer the messages sent so far show, so that replies to them need not wait longer."""
        for message in tops:
            await app.store.set_platform_id(order[0].message, str(message))
        both.shown.set()

    recorded = RecordedPlace(place, app.store, key, question)
    top = Draft(recorded, app.pace, buttons, on_top, both.stop)
    with app.running.showing(key, both, ask.person, place):
        try:
            async with (
                shown_as_pending(recorded, top, ask.texts),
                app.trial.engine(first.release if first else None) as candidate,
            ):
                end = await _end(both.begin(app.chat.pair(ask, first, engine=candidate)), top, ask)
            if isinstance(end, Failed):
                app.refused.add(place.guild, place.channel, end.kind)
                sentence = with_offer(ask.texts, end)
                return await finish(top, [MessagePart(sentence)]) if top.started else sentence
            usual, other = end.usual, end.other
            answers = [answer for answer in (usual, other) if isinstance(answer, Answered)]
            cut_off.update(
                answer.generation.generation
                for answer in answers
                if answer.finish_reason == "length" and answer.generation.text.strip()
            )
            remark = await remarks(usual.generation)
            notes = {each.generation.generation: joined(each.note, remark) for each in answers}
            if not isinstance(other, Answered) or not worth_comparing(usual, other):
                if first is not None:  # it is shown already
                    reason = other.sentence if isinstance(other, Failed) else ask.texts.no_two_answers
                    return await finish(top, [MessagePart(reason)])
                order.append(usual.generation)
                await known_top()
                return await finish(top, parts(usual.generation.text, "rate", notes[usual.generation.generation]))
            order += random.sample([usual.generation, other.generation], 2)
            await known_top()
            below = "more" if cut(0) else ""
            upper = parts(f"-# {ask.texts.two_answers}\n**A**\n{order[0].text}", below, notes[order[0].generation])
            if not await top.finish(upper):  # nobody may judge an answer that is not shown in full
                return None if tops else ask.texts.not_shown
            # Other answers may have been shown here meanwhile, so the second message replies to the first.
            bottom = Draft(recorded.below(tops[-1]), app.pace, buttons, on_bottom, both.stop)
            lower = parts(f"**B**\n{order[1].text}", "compare", notes[order[1].generation])
            return await finish(bottom, lower)
        finally:
            both.shown.set()


async def _end(answer: RunningAnswer, draft: Draft, ask: Ask) -> Paired | Failed:
    """Wait for the end of two answers; meanwhile the draft says how far they are."""
    async for event in answer:
        match event:
            case Queued(ahead):
                draft.show(partial(waiting_parts, ahead, ask.texts))
            case Paired() | Failed():
                return event
            case _:
                draft.show(lambda: [MessagePart("⏳ " + ask.texts.two_coming, "stop")])
    raise AssertionError("an answer has an end")
