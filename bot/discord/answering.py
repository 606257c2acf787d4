"""An answer on Discord: what is asked, and how the answer streams into a place."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from bot.anew import with_offer
from bot.answers import Answered, Ask, Failed, Held, Piece, Queued, Started
from bot.discord.buttons import rate_buttons, stop_button
from bot.discord.draft import EMPTY, Draft
from bot.discord.ids import PLATFORM, person_of
from bot.discord.open_answer import RecordedPlace
from bot.discord.pending import pending_parts, shown_as_pending
from bot.discord.render import GrowingText, MessagePart, messages, parts

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    import discord

    from bot.discord.app import App
    from bot.discord.place import Place
    from bot.texts import Texts
    from data.personas import Persona
    from data.store import StoredGeneration, StoredMessage


async def ask_by(
    app: App,
    user: discord.abc.User,
    persona: Persona,
    question: Callable[[], Awaitable[StoredMessage]],
    texts: Texts,
    *,
    channel: Any,
    guild: int | None,
    shown_in: int | None,
) -> Ask:
    """A person's question in a channel of a server; `shown_in` is the id of the channel that shows the answer."""
    person = await person_of(app.store, user.id)
    app.names.saw(person, user.display_name)
    return Ask(
        person=person,
        channel=str(shown_in),
        platform=PLATFORM,
        persona=persona,
        question=question,
        names=app.names,
        texts=texts,
        caps=await app.rules.caps(person, channel, guild),
    )


async def ask_of(
    app: App,
    interaction: discord.Interaction,
    persona: Persona,
    question: Callable[[], Awaitable[StoredMessage]],
    texts: Texts,
) -> Ask:
    """A person's question by a command or a button."""
    return await ask_by(
        app,
        interaction.user,
        persona,
        question,
        texts,
        channel=interaction.channel,
        guild=interaction.guild_id,
        shown_in=interaction.channel_id,
    )


def waiting_parts(ahead: int, texts: Texts) -> list[MessagePart]:
    """What is shown while `ahead` other answers come first."""
    return [MessagePart("⏳ " + texts.waiting.format(ahead=ahead), "stop")]


async def show(
    app: App,
    ask: Ask,
    *,
    again: StoredGeneration | None = None,
    key: str,
    question: str | None = None,
    asker: int,
    place: Place,
) -> str | None:
    """Answer a question, or the question of an earlier answer `again`, streaming into a place.

    The answer runs under `key`, and only `asker` may stop it. `question` is the id of the question's message on
    Discord where that is not the key. Returns a sentence when there is no answer and nothing was shown.
    """
    sent: list[int] = []
    stored: StoredGeneration | None = None
    more: Texts | None = None
    ask = replace(ask, shown=lambda: [str(message) for message in sent])
    answer = app.chat.again(ask, again) if again else app.chat.answer(ask)

    def buttons(name: str) -> discord.ui.View | None:
        if name == "stop":
            return stop_button(key, asker)
        if name == "rate" and stored:  # an answer without text can only be asked for again
            return rate_buttons(stored.generation, teach=teach and bool(stored.text), more=more)
        return None

    async def on_sent(message: int) -> None:
        sent.append(message)
        app.running.add_message(message, answer)
        if stored:
            await app.store.set_platform_id(stored.message, str(message))
        await recorded.shown(message)

    async def finish(wanted: list[MessagePart]) -> str | None:
        return None if await recorded.finish(draft, wanted) or sent else ask.texts.not_shown

    with app.running.showing(key, answer, ask.person, place):
        teach = await app.rules.teaching(place.guild)
        recorded = RecordedPlace(place, app.store, key, question)
        draft = Draft(recorded, app.pace, buttons, on_sent, answer.stop)
        text, failed = GrowingText(), None
        async with shown_as_pending(recorded, draft, ask.texts) as pending:
            async for event in answer:
                match event:
                    case Queued(ahead):
                        draft.show(partial(waiting_parts, ahead, ask.texts))
                    case Started():
                        if draft.started:  # it says how many come first, and none does any more
                            draft.show(partial(pending_parts, ask.texts))
                    case Held():
                        draft.show(lambda: [MessagePart(EMPTY, "stop")])
                    case Piece(piece):
                        text.add(piece)
                        if text:
                            pending.cancel()
                            draft.show(lambda: messages(text.parts, "stop"))
                    case Answered(generation, reason, note):
                        pending.cancel()
                        stored = generation
                        more = ask.texts if reason == "length" else None
                        for message in sent:  # those sent while the answer was being recorded
                            await app.store.set_platform_id(generation.message, str(message))
                        failed = await finish(parts(generation.text, "rate", note))
                    case Failed() as end:
                        pending.cancel()
                        sentence = with_offer(ask.texts, end)
                        failed = await finish([MessagePart(sentence)]) if draft.started else sentence
    return failed
