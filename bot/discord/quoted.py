"""What a question replies to: the messages that nobody has told the bot yet, followed as far as they go."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import aiohttp
import discord

from bot.answers import Unanswerable
from bot.discord.addressed import from_a_person, mentioned, reply_to
from bot.discord.changes import NewText
from bot.discord.ids import PLATFORM, person_of
from bot.discord.reading import LARGEST, contents, read_what_there_is

if TYPE_CHECKING:
    from bot.discord.app import App
    from bot.discord.waiting import Question
    from bot.texts import Texts
    from data.store import StoredGeneration, StoredMessage

log = logging.getLogger(__name__)

CHAIN = 20  # messages that are read of a chain of replies
CHARACTERS = 6000  # of a chain, beyond the message that the question replies to
_AN_ANSWER = "parley:again:"  # what begins the id of a button below every finished answer


class OutOfReach(Exception):
    """A message cannot be read; `gone` says whether it was deleted."""

    def __init__(self, *, gone: bool) -> None:
        super().__init__()
        self.gone = gone


@dataclass
class Chain:
    """The messages that a question follows, the oldest first, with what is in them.

    `before` is a stored message that they follow, and `remarks` say to the person what was not read.
    """

    messages: list[tuple[discord.Message, str]] = field(default_factory=list)
    before: StoredMessage | None = None
    remarks: list[str] = field(default_factory=list)


async def follow(app: App, question: discord.Message, texts: Texts) -> Chain:
    """Read what a message replies to, what that replies to, and so on, up to a message that is stored."""
    found, seen, at = Chain(), {question.id}, question
    while (reference := reply_to(at)) is not None and (number := reference.message_id) not in seen:
        assert number is not None
        if running := app.running.shown_by(number):
            await running.wait()
        found.before = await app.store.message(PLATFORM, str(number))
        if found.before is not None:
            return found
        direct = at is question or at.type is discord.MessageType.thread_starter_message
        room = CHARACTERS - sum(len(text) for _, text in found.messages[:-1])
        if len(seen) > CHAIN or room <= 0:
            found.remarks.append(texts.earlier_unread)
            return found
        seen.add(number)
        try:
            at = await _message(app, at, reference)
        except OutOfReach as error:
            because = texts.quoted_gone if error.gone else texts.quoted_unread
            found.remarks.append(because if direct else texts.earlier_unread)
            return found
        if at.type is discord.MessageType.thread_starter_message:  # it only points to the one that is meant
            continue
        if at.author.id == app.me:
            if _was_an_answer(at):
                found.remarks.append(texts.no_answer_here if direct else texts.earlier_unread)
            return found
        text = await _read(app, at, found, texts, direct=direct)
        if text and not direct and len(text) > room:
            found.remarks.append(texts.earlier_unread)
            return found
        if text:
            found.messages.insert(0, (at, text))
    return found


async def _message(app: App, at: discord.Message, reference: discord.MessageReference) -> discord.Message:
    """The message that `at` refers to, from Discord where it did not come along. Raises `OutOfReach`."""
    if isinstance(reference.resolved, discord.Message):
        return reference.resolved
    if isinstance(reference.resolved, discord.DeletedReferencedMessage) or reference.message_id is None:
        raise OutOfReach(gone=True)
    if reference.channel_id not in (at.channel.id, getattr(at.channel, "parent_id", None)):
        raise OutOfReach(gone=False)  # from elsewhere: perhaps not for the eyes of this channel
    channel = app.client.get_partial_messageable(reference.channel_id, guild_id=reference.guild_id)
    try:
        return await channel.fetch_message(reference.message_id)
    except discord.NotFound:
        raise OutOfReach(gone=True) from None
    except (discord.DiscordException, aiohttp.ClientError, OSError) as error:
        log.info("a message that a question replies to is out of reach: %s", type(error).__name__)
        raise OutOfReach(gone=False) from None


async def _read(app: App, message: discord.Message, found: Chain, texts: Texts, *, direct: bool) -> str:
    """What is in a message of the chain; the person is told what of it cannot be read."""
    inside = contents(message, app.me)
    text, failed = await read_what_there_is(inside)
    if left := [*inside.left, *failed]:
        names = ", ".join(left)[:200]
        found.remarks.append(texts.quoted_left.format(names=names, kib=LARGEST // 1024))
    elif not text and direct:
        found.remarks.append(texts.quoted_hidden if _hidden(app, message) else texts.quoted_unread)
    elif not text:
        found.remarks.append(texts.earlier_unread)
    return text


def _hidden(app: App, message: discord.Message) -> bool:
    """Whether Discord keeps a message's text from bots without the Message Content Intent."""
    return message.guild is not None and not app.client.intents.message_content and not mentioned(message, app.me)


def _was_an_answer(message: discord.Message) -> bool:
    """Whether a message of the bot's shows an answer, rather than a sentence."""
    rows = [row for row in message.components if isinstance(row, discord.ActionRow)]
    return any(
        (getattr(child, "custom_id", None) or "").startswith(_AN_ANSWER) for row in rows for child in row.children
    )


async def keep_chain(
    app: App, question: Question, chain: Chain, conversation: int, texts: Texts
) -> StoredMessage | None:
    """Store the messages of a chain under their authors' names; returns the last one, which the question follows."""
    stored = chain.before
    for message, text in chain.messages:
        await app.chat.moderation.admit(text, texts)
        if from_a_person(message):
            app.names.saw(await person_of(app.store, message.author.id), message.author.display_name)
        try:
            stored = await app.changes.keep(NewText.of(message, text), conversation, stored, texts)
        except Unanswerable:  # deleted meanwhile, or its author wants to be forgotten
            chain.remarks.append(texts.quoted_gone)
        else:
            question.quoted.append(stored.version)
    question.remarks += dict.fromkeys(chain.remarks)
    return stored


async def remarks_on(app: App, question: Question, texts: Texts, answer: StoredGeneration) -> str | None:
    """What the person should know about an answer: what it refers to and was not read. None if there is nothing."""
    remarks = list(question.remarks)
    for version in question.quoted:
        if not await app.store.was_given(answer.generation, version):
            remarks.append(texts.quoted_too_long)
            break
    return "\n".join(remarks) or None
