"""Which messages are for the bot, and how they are answered."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import discord

from bot.access import Access
from bot.discord.addressed import addressed, from_a_person, linear, mentioned, to_somebody_else
from bot.discord.answering import ask_by, show
from bot.discord.compare import show_two
from bot.discord.ids import PLATFORM
from bot.discord.others import Once
from bot.discord.own_threads import own_thread, thread_for
from bot.discord.place import InChannel
from bot.discord.questions import conversation_of_reply, store_question
from bot.discord.reading import LARGEST, sorted_out, text_of
from bot.discord.telling import say
from bot.discord.waiting import Question
from bot.unexpected import unexpected
from data.personas import PERSONAS

if TYPE_CHECKING:
    from bot.discord.app import App
    from bot.texts import Texts

log = logging.getLogger(__name__)

JOINED = 10  # at most this many messages share one answer
_TOLD = "told_unreadable"  # the setting of a channel in which people were told that the bot cannot read a message


async def hear(app: App, message: discord.Message, *, again: bool = False) -> bool:
    """Answer a message if it is for the bot, and return whether it is; whatever goes wrong, the person is told.

    `again` answers a message that was heard before.
    """
    texts = app.texts
    # After a lost connection, Discord repeats messages that may not have arrived.
    if not await _for_us(app, message, texts) or not (app.seen.first(message.id) or again):
        return False
    try:
        async with app.waiting.arriving(message.channel.id):
            access = await app.refusals.access(message)
        if access is Access.GIVEN:
            app.changes.saw(message)
            about = message.reference.message_id if message.reference else None
            with app.changes.awaiting(message.id, about):
                await _answer(app, message, texts, again=again)
        elif reply := app.refusals.public_reply(access, message, texts):
            await say(app.pace, message, reply)
    except Exception as error:
        await say(app.pace, message, unexpected(log, texts, error, "a question could not be answered"))
    return True


async def _for_us(app: App, message: discord.Message, texts: Texts) -> bool:
    if addressed(message, app.me):
        return True
    if not from_a_person(message) or not own_thread(message.channel, app.me):
        return False
    if app.settings.discord_message_content:
        return not to_somebody_else(message, app.me)
    unreadable = not message.content and not message.attachments
    if unreadable and await app.refusals.access(message) is Access.GIVEN:
        await _tell_once(app, message, texts.cannot_read_thread)
    return False


async def _tell_once(app: App, message: discord.Message, sentence: str) -> None:
    """Say in a channel, only once ever, that the bot cannot read a message there."""
    channel = ("channel", str(message.channel.id))
    async with app.waiting.arriving(message.channel.id):
        if await app.store.setting(_TOLD, [channel]):
            return
        await app.store.set_setting(_TOLD, channel, True, server=getattr(message.guild, "id", None))
    await say(app.pace, message, sentence)


async def _answer(app: App, message: discord.Message, texts: Texts, *, again: bool) -> None:
    """Answer a message that is for the bot, unless it is a part of a question that waits already."""
    read, left = sorted_out(message.attachments)
    if left:
        names = ", ".join(left)[:500]
        await say(app.pace, message, texts.files_left.format(names=names, kib=LARGEST // 1024))
    if not text_of(message, app.me) and not read:
        if not left:
            await _say_what_to_do(app, message, texts)
        return
    guild = message.guild.id if message.guild else None
    async with app.waiting.arriving(message.channel.id):
        if await app.store.answered(PLATFORM, str(message.id)) or _joins(app, message):
            return  # answered by an earlier process, or now a part of the question that waits
        thread = await thread_for(app, message)
        persona = await app.rules.persona(message.channel, guild, await conversation_of_reply(app.store, message))
        question = Question([message], str(message.id), thread or message.channel)
        ask = await ask_by(
            app,
            message.author,
            persona,
            lambda: store_question(app, question, persona, texts),
            texts,
            channel=message.channel,
            guild=guild,
            shown_in=question.channel.id,
        )
        show_answer = show_two if app.trial.due() and await app.rules.teaching(guild) else show
        if linear(message) and message.reference is None:
            app.waiting.add(question)
    reference = message.to_reference(fail_if_not_exists=False)
    # A question that is asked again has an answer with this nonce already, which was interrupted.
    once = None if again else Once(app.others, message.id)
    place = InChannel(thread, once=once) if thread else InChannel(message.channel, reference, once)
    try:
        failed = await show_answer(app, ask, key=question.key, asker=message.author.id, place=place)
    finally:
        app.waiting.remove(question)
        app.changes.settled(question.joined)
    if once is not None and once.lost:
        await app.store.close_answer(PLATFORM, question.key)
    elif failed:
        await say(app.pace, message, failed)


def _joins(app: App, message: discord.Message) -> bool:
    """Add a message to the same person's question before it, if that still waits; returns whether it was added."""
    question = app.waiting.last_in(message.channel.id)
    if question is None or app.running.under(question.key) is None or message.reference is not None:
        return False
    if question.first.author.id != message.author.id or len(question.messages) >= JOINED:
        return False
    files = [file for one in (*question.messages, message) for file in sorted_out(one.attachments)[0]]
    if sum(file.size for file in files) > LARGEST:
        return False
    question.messages.append(message)
    question.joined.append(message.id)
    app.changes.await_text(message.id)
    app.running.add_key(question.key, str(message.id))
    return True


async def _say_what_to_do(app: App, message: discord.Message, texts: Texts) -> None:
    """Answer a message for the bot that has nothing to read in it."""
    if message.guild is not None and not message.content:
        await _tell_once(app, message, texts.cannot_read)
    elif message.guild is None or mentioned(message, app.me):
        guild = message.guild.id if message.guild else None
        persona = await app.rules.persona(message.channel, guild)
        greeting = "" if persona.name in PERSONAS else persona.greeting
        await say(app.pace, message, greeting or texts.mention_only)
