"""How a message becomes a stored question: when its turn has come, after the message or answer that it follows."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import discord

from bot.anew import BEGAN, asked_since
from bot.answers import Unanswerable
from bot.discord.addressed import from_a_person, linear
from bot.discord.changes import NewText
from bot.discord.ids import PLATFORM, person_of, server_of
from bot.discord.place import conversation_key
from bot.discord.reading import Unreadable, text_of, whole_text

if TYPE_CHECKING:
    from bot.discord.app import App
    from bot.discord.waiting import Question
    from bot.texts import Texts
    from data.personas import Persona
    from data.store import Store, StoredMessage

log = logging.getLogger(__name__)

# How many messages are searched for the bot's last answer, where messages follow each other without replies.
HISTORY = 20


async def begin_conversation(
    store: Store, persona: Persona, *, channel: Any, number: int, message: int, guild: int | None
) -> int:
    """The conversation that a message or a command begins in a channel; `message` and `number` are their ids."""
    return await store.conversation(
        PLATFORM,
        conversation_key(channel, number, message),
        persona=persona.name,
        language=persona.language,
        server=await server_of(store, guild),
    )


async def conversation_of_reply(store: Store, message: discord.Message) -> int | None:
    """The conversation that a reply continues; None for other messages, and where it is not known yet."""
    reference = message.reference
    if reference is None or reference.message_id is None:
        return None
    found = await store.message(PLATFORM, str(reference.message_id))
    return found.conversation if found else None


async def store_question(app: App, question: Question, persona: Persona, texts: Texts) -> StoredMessage:
    """Store a question when its turn has come, after what it follows."""
    app.waiting.remove(question)
    try:
        read = [await whole_text(message, app.me) for message in question.messages]
    except Unreadable as error:
        raise Unanswerable(texts.file_unreadable.format(name=error)) from None
    await app.chat.moderation.admit("\n".join(read), texts)
    stored = await _followed(app, question, persona, texts)
    conversation = stored.conversation if stored else await _begin(app, question, persona)
    for message, text in zip(question.messages, read, strict=True):
        stored = await app.changes.keep(NewText.of(message, text), conversation, stored, texts)
    assert stored is not None
    return stored


async def _begin(app: App, question: Question, persona: Persona) -> int:
    guild, channel = question.first.guild, question.channel
    return await begin_conversation(
        app.store,
        persona,
        channel=channel,
        number=channel.id,
        message=question.first.id,
        guild=guild.id if guild else None,
    )


async def _followed(app: App, question: Question, persona: Persona, texts: Texts) -> StoredMessage | None:
    """What a question follows: the message that it replies to; in threads and direct messages the last answer."""
    message = question.first
    reference = message.reference
    if reference is not None and reference.message_id is not None:
        if running := app.running.shown_by(reference.message_id):
            await running.wait()
        found = await app.store.message(PLATFORM, str(reference.message_id))
        found = found or await _quoted(app, reference.resolved, question, persona, texts)
        if found is not None:
            return found
    return await _last_answer(app, message) if linear(message) else None


async def _quoted(
    app: App, quoted: object, question: Question, persona: Persona, texts: Texts
) -> StoredMessage | None:
    """Another person's message that a question is about: it begins the conversation, under its author's name."""
    if not isinstance(quoted, discord.Message) or not from_a_person(quoted):
        return None
    if not (text := text_of(quoted, app.me)):
        return None
    await app.chat.moderation.admit(text, texts)
    app.names.saw(await person_of(app.store, quoted.author.id), quoted.author.display_name)
    conversation = await _begin(app, question, persona)
    return await app.changes.keep(NewText.of(quoted, text), conversation, None, texts)


async def _last_answer(app: App, message: discord.Message) -> StoredMessage | None:
    newest = await last_answer(app, message.channel, message.id)
    if newest is None:
        return None
    # Where two answers were compared, the conversation continues from the one that this person preferred.
    rater = await person_of(app.store, message.author.id)
    return await app.store.preferred(newest.message, rater) or newest


async def last_answer(app: App, channel: Any, question: int | None = None) -> StoredMessage | None:
    """The bot's last answer in a channel whose conversation did not begin anew after it; None where there is none.

    `question` is the id of the message that would follow the answer; None for one that is yet to be written.
    """
    # Discord is asked each time, so that it is right after a restart and after deletions, too. Everything up to now
    # is searched, not up to the message: earlier messages are answered by now, perhaps below this one.
    newest: StoredMessage | None = None
    try:
        earlier = [one async for one in channel.history(limit=HISTORY) if one.author.id == app.me]
    except discord.Forbidden:  # in a thread whose history the bot may not read
        return None
    except discord.HTTPException as error:
        log.warning("Discord did not show what a question follows: %s (code %s)", error.status, error.code)
        raise Unanswerable(app.texts.internal_error) from None
    began = await app.store.setting(BEGAN, [("channel", str(channel.id))])
    if question is not None and not asked_since(question, began):
        began = None  # it was asked before the conversation began anew, and belongs to the old one
    for one in earlier:
        running = app.running.shown_by(one.id)
        if running is not None:
            if not running.made:  # the answer to this question, or a later one
                continue
            await running.wait()
        found = await app.store.message(PLATFORM, str(one.id))
        # The messages of several answers may be mixed.
        if found is None or (newest is not None and found.message <= newest.message):
            continue
        if began is None or asked_since(await _asked(app.store, found), began):
            newest = found
    return newest


async def _asked(store: Store, answer: StoredMessage) -> int | None:
    """The id on Discord of the question of an answer; for the continuation of an answer, that of its question."""
    for earlier in reversed(await store.path(answer.message)):
        if earlier.role == "user" and (places := await store.places(earlier.message)):
            return int(places[0])
    return None
