"""Which messages are for the bot, what they follow, and how they become questions."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from weakref import WeakValueDictionary

import discord

from bot.access import Access
from bot.answers import Ask, Unanswerable
from bot.discord.changes import Said
from bot.discord.commands.threads import own_thread, thread_for
from bot.discord.place import InChannel, around, key
from bot.discord.presses import PLATFORM
from bot.discord.reading import LARGEST, Unreadable, sorted_out, text_of, written
from bot.texts import Texts, texts
from data.personas import PERSONAS

if TYPE_CHECKING:
    from bot.discord.app import Talk
    from data.personas import Persona
    from data.store import StoredMessage

log = logging.getLogger(__name__)

# How far back a conversation is searched for the bot's last answer, where one follows the other without replies.
HISTORY = 20
JOINED = 10  # messages at most that get one answer
_TOLD = "told_unreadable"  # the setting of a channel in which somebody was told


@dataclass
class Question:
    """What one person sent, message by message, until the turn of the first came: it gets one answer."""

    messages: list[discord.Message]
    key: str  # under which its answer runs
    channel: Any  # where it is answered
    joined: list[int] = field(default_factory=list)  # the ids of all that came after the first


class Hearing:
    """Hears what people write and lets it be answered."""

    def __init__(self, talk: Talk) -> None:
        self.talk = talk
        self._waiting: dict[int, Question] = {}  # by channel: the last question there, while its turn has not come
        self._arrivals: WeakValueDictionary[int, asyncio.Lock] = WeakValueDictionary()  # by channel

    async def heard(self, message: discord.Message, *, again: bool = False) -> bool:
        """Answer a message if it is for the bot, and say whether; whatever goes wrong, the person gets a sentence.

        `again` answers one that was heard before.
        """
        words = texts(self.talk.settings.language)
        # After a lost connection Discord sends again what it is not sure has arrived.
        if not await self._for_us(message, words) or not (self.talk.seen.first(message.id) or again):
            return False
        try:
            async with self._arrival(message):
                access = await self.talk.door.heard(message)
            if access is Access.GIVEN:
                self.talk.changes.saw(message)
                about = message.reference.message_id if message.reference else None
                with self.talk.changes.awaiting(message.id, about):
                    await self._heard(message, words)
            elif told := self.talk.door.aloud(access, message, words):
                await self.talk.say(message, told)
        except Exception:
            log.exception("a question could not be answered")
            await self.talk.say(message, words.internal_error)
        return True

    def withdraw(self, message: int) -> bool:
        """A message was deleted: it is taken out of a question that waits and goes on without it."""
        for question in self._waiting.values():
            left = [one for one in question.messages if one.id != message]
            if left and len(left) < len(question.messages):
                question.messages = left
                return True
        return False

    def _arrival(self, message: discord.Message) -> asyncio.Lock:
        """What is looked up before a question gets its place lets no later one of its channel pass it."""
        return self._arrivals.setdefault(message.channel.id, asyncio.Lock())

    async def _for_us(self, message: discord.Message, words: Texts) -> bool:
        talk = self.talk
        if addressed(message, talk.me):
            return True
        if not from_a_person(message) or not own_thread(message.channel, talk.me):
            return False
        if talk.settings.discord_message_content:
            return not to_somebody_else(message, talk.me)
        unreadable = not message.content and not message.attachments
        if unreadable and await talk.door.heard(message) is Access.GIVEN:
            await self._tell_once(message, words.cannot_read_thread)
        return False

    async def _tell_once(self, message: discord.Message, sentence: str) -> None:
        """Say in a channel, once for good, that a message there cannot be read."""
        channel = ("channel", str(message.channel.id))
        async with self._arrival(message):
            if await self.talk.store.setting(_TOLD, [channel]):
                return
            await self.talk.store.set_setting(_TOLD, channel, True, server=getattr(message.guild, "id", None))
        await self.talk.say(message, sentence)

    async def _heard(self, message: discord.Message, words: Texts) -> None:
        read, left = sorted_out(message.attachments)
        if left:
            names = ", ".join(left)[:500]
            await self.talk.say(message, words.files_left.format(names=names, kib=LARGEST // 1024))
        if not text_of(message, self.talk.me) and not read:
            if not left:
                await self._say_what_to_do(message, words)
            return
        talk = self.talk
        here = message.guild.id if message.guild else None
        async with self._arrival(message):
            if await talk.store.answered(PLATFORM, str(message.id)) or self._joined(message):
                return  # by an earlier process, or with the question that waits
            thread = await thread_for(talk, message)
            who = await talk.persona(message.channel, here, await self._goes_on_with(message))
            person = await talk.store.person(PLATFORM, str(message.author.id))
            talk.names.saw(person, message.author.display_name)
            question = Question([message], str(message.id), thread or message.channel)
            ask = Ask(
                person=person,
                channel=str(question.channel.id),
                platform=PLATFORM,
                persona=who,
                question=lambda: self._asked(question, who, words),
                names=talk.names,
                texts=words,
                caps=await talk.rules.caps(person, message.channel, here),
            )
            show = talk.show_two if talk.trial.due() and await talk.teaching(here) else talk.show
            if linear(message) and message.reference is None:
                self._waiting[message.channel.id] = question
        reference = message.to_reference(fail_if_not_exists=False)
        place = InChannel(thread) if thread else InChannel(message.channel, reference)
        try:
            failed = await show(ask, key=question.key, asker=message.author.id, place=place)
        finally:
            self._no_longer_waits(question)
            for one in question.joined:
                talk.running.pop(str(one), None)
            talk.changes.settled(question.joined)
        if failed:
            await talk.say(message, failed)

    def _joined(self, message: discord.Message) -> bool:
        """Whether a message became a part of the same person's question before it, which still waits."""
        question = self._waiting.get(message.channel.id)
        answer = self.talk.running.get(question.key) if question else None
        if question is None or answer is None or message.reference is not None:
            return False
        if question.messages[0].author.id != message.author.id or len(question.messages) >= JOINED:
            return False
        files = [file for one in (*question.messages, message) for file in sorted_out(one.attachments)[0]]
        if sum(file.size for file in files) > LARGEST:
            return False
        question.messages.append(message)
        question.joined.append(message.id)
        self.talk.changes.await_text(message.id)
        self.talk.running[str(message.id)] = answer
        return True

    def _no_longer_waits(self, question: Question) -> None:
        channel = question.messages[0].channel.id
        if self._waiting.get(channel) is question:
            del self._waiting[channel]

    async def _say_what_to_do(self, message: discord.Message, words: Texts) -> None:
        """There is nothing to read in a message that is for the bot."""
        mentioned = any(user.id == self.talk.me for user in message.mentions)
        if message.guild is not None and not message.content and message.reference is not None:
            await self._tell_once(message, words.cannot_read)
        elif message.guild is None or mentioned:
            guild = message.guild.id if message.guild else None
            who = await self.talk.persona(message.channel, guild)
            greeting = "" if who.name in PERSONAS else who.greeting
            await self.talk.say(message, greeting or words.mention_only)

    # -- as its turn comes

    async def _asked(self, question: Question, who: Persona, words: Texts) -> StoredMessage:
        """Store a question when its turn has come, below what it follows."""
        self._no_longer_waits(question)
        try:
            said = [await written(message, self.talk.me) for message in question.messages]
        except Unreadable as error:
            raise Unanswerable(words.file_unreadable.format(name=error)) from None
        await self.talk.chat.moderation.admit("\n".join(said), words)
        stored = await self._parent(question, who, words)
        conversation = stored.conversation if stored else await self._conversation(question, who)
        for message, text in zip(question.messages, said, strict=True):
            stored = await self.talk.changes.keep(_said(message, text), conversation, stored, words)
        assert stored is not None
        return stored

    async def _goes_on_with(self, message: discord.Message) -> int | None:
        """The conversation that a reply goes on with, None for other messages and where it is not known yet."""
        reference = message.reference
        if reference is None or reference.message_id is None:
            return None
        found = await self.talk.store.message(PLATFORM, str(reference.message_id))
        return found.conversation if found else None

    async def _conversation(self, question: Question, who: Persona) -> int:
        guild, channel = question.messages[0].guild, question.channel
        return await self.talk.store.conversation(
            PLATFORM,
            key(channel, channel.id, question.messages[0].id),
            persona=who.name,
            language=who.language,
            server=await self.talk.store.server(PLATFORM, str(guild.id)) if guild else None,
        )

    async def _parent(self, question: Question, who: Persona, words: Texts) -> StoredMessage | None:
        """What a question follows: what it replies to; in a thread or alone with the bot, the bot's last answer."""
        message = question.messages[0]
        reference = message.reference
        if reference is not None and reference.message_id is not None:
            if growing := self.talk.growing.get(reference.message_id):
                await growing.wait()
            found = await self.talk.store.message(PLATFORM, str(reference.message_id))
            found = found or await self._quoted(reference.resolved, question, who, words)
            if found is not None:
                return found
        return await self._last_answer(message) if linear(message) else None

    async def _quoted(self, quoted: object, question: Question, who: Persona, words: Texts) -> StoredMessage | None:
        """Another person's message that a question is about: it begins the conversation, under its author's name."""
        if not isinstance(quoted, discord.Message) or not from_a_person(quoted):
            return None
        if not (text := text_of(quoted, self.talk.me)):
            return None
        await self.talk.chat.moderation.admit(text, words)
        self.talk.names.saw(await self.talk.store.person(PLATFORM, str(quoted.author.id)), quoted.author.display_name)
        conversation = await self._conversation(question, who)
        return await self.talk.changes.keep(_said(quoted, text), conversation, None, words)

    async def _last_answer(self, message: discord.Message) -> StoredMessage | None:
        # Asked from Discord each time, so that it is right after a restart and after deletions, too. Up to now, not
        # to the message: what the person sent before it is answered by now, perhaps below it.
        talk = self.talk
        newest: StoredMessage | None = None
        try:
            earlier = [one async for one in message.channel.history(limit=HISTORY) if one.author.id == talk.me]
        except discord.Forbidden:  # in a thread whose history the bot may not read
            return None
        for one in earlier:
            growing = talk.growing.get(one.id)
            if growing is not None:
                if not growing.made:  # this very answer's, or one whose turn comes later
                    continue
                await growing.wait()
            found = await talk.store.message(PLATFORM, str(one.id))
            # Parts of several answers may stand among each other.
            if found is not None and (newest is None or found.message > newest.message):
                newest = found
        if newest is None:
            return None
        # Where two answers were compared, it goes on from the one that the person preferred.
        rater = await talk.store.person(PLATFORM, str(message.author.id))
        return await talk.store.preferred(newest.message, rater) or newest


def _said(message: discord.Message, text: str) -> Said:
    return Said(message.id, around(message.channel, message.channel.id), message.author.id, text)


def from_a_person(message: discord.Message) -> bool:
    """Whether a person wrote a message, as opposed to bots and to Discord itself."""
    said = message.type in (discord.MessageType.default, discord.MessageType.reply)
    return said and not message.author.bot and message.webhook_id is None


def addressed(message: discord.Message, me: int) -> bool:
    """Whether a message is plainly for the bot: from a person, and direct, mentioning it, or replying to it."""
    if not from_a_person(message):
        return False
    if message.guild is None or any(user.id == me for user in message.mentions):
        return True
    replied = message.reference.resolved if message.reference else None
    return isinstance(replied, discord.Message) and replied.author.id == me


def to_somebody_else(message: discord.Message, me: int) -> bool:
    """Whether people talk among each other in the bot's own thread: by a reply or a mention."""
    replied = message.reference.resolved if message.reference else None
    if isinstance(replied, discord.Message):
        return replied.author.id != me
    everyone = "@everyone" in message.content or "@here" in message.content  # whether or not it pings
    return everyone or bool(message.mentions or message.role_mentions)


def linear(message: discord.Message) -> bool:
    """Whether one message follows the other here without replies: in threads, and alone with the bot."""
    return message.guild is None or isinstance(message.channel, discord.Thread)
