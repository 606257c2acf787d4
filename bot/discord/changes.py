"""What happens to messages later: they are edited, or deleted alone, with their channel or with their author's data.

A text may change or go while its question waits, before anything is stored. So recent changes are remembered here, in
memory only, by ids, and an edited text for as long as its message is awaited. `keep` looks at them before it stores a
text, and again afterwards.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter, OrderedDict
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, TypeVar
from weakref import WeakValueDictionary

import discord

from bot.answers import Unanswerable
from bot.discord.addressed import from_a_person
from bot.discord.ids import PLATFORM, person_of
from bot.discord.place import around
from bot.discord.reading import Unreadable, text_of, whole_text
from bot.moderation.words import Kind

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from bot.conversation import Chat
    from bot.discord.running import Running
    from bot.discord.waiting import WaitingQuestions
    from bot.display_names import DisplayNames
    from bot.texts import Texts
    from data.store import Store, StoredMessage

T = TypeVar("T")

log = logging.getLogger(__name__)

REMEMBERED = 10_000  # of each kind


@dataclass(frozen=True)
class NewText:
    """A text that is to be stored: the id of its message, the channels around it, its author's id.

    The author is None for bots and webhooks, which are nobody. `unknown`: the author sent it, but did not write all.
    """

    message: int
    channels: frozenset[int]
    author: int | None
    text: str
    unknown: bool = False

    @classmethod
    def of(cls, message: discord.Message, text: str) -> NewText:
        """The text of a message."""
        author = message.author.id if from_a_person(message) else None
        channels = around(message.channel, message.channel.id)
        return cls(message.id, channels, author, text, unknown=bool(message.message_snapshots))


class Changes:
    """Follows what happens to messages, and stores texts only as they are by then."""

    def __init__(
        self, store: Store, chat: Chat, names: DisplayNames, running: Running, waiting: WaitingQuestions
    ) -> None:
        self.store = store
        self.chat = chat
        self.names = names
        self.running = running
        self.waiting = waiting
        self._awaited: Counter[int] = Counter()  # messages whose texts may be stored soon
        self._edited: dict[int, str] = {}  # the newest texts of those
        self._deleted: OrderedDict[int, bool] = OrderedDict()  # messages and channels
        self._edits: OrderedDict[int, datetime] = OrderedDict()  # when messages were edited last, as far as known
        self._forgotten: OrderedDict[int, int] = OrderedDict()  # people, and the interaction that asked for it
        self._keeping: WeakValueDictionary[int, asyncio.Lock] = WeakValueDictionary()

    # -- keeping

    def await_text(self, message: int) -> None:
        """The text of a message may be stored soon, until `settled`: its edits are remembered."""
        self._awaited[message] += 1

    def settled(self, messages: Iterable[int]) -> None:
        """The texts of these messages are stored, or will not be."""
        for message in messages:
            self._awaited[message] -= 1
            if self._awaited[message] <= 0:
                del self._awaited[message]
                self._edited.pop(message, None)

    @contextmanager
    def awaiting(self, *messages: int | None) -> Iterator[None]:
        """The texts of these messages may be stored within the block."""
        awaited = [message for message in messages if message is not None]
        for message in awaited:
            self.await_text(message)
        try:
            yield
        finally:
            self.settled(awaited)

    async def keep(
        self, new: NewText, conversation: int, parent: StoredMessage | None, texts: Texts
    ) -> StoredMessage:
        """Store a text as it is now, or return what is stored of its message already.

        Raises `Unanswerable` when it is gone by now: deleted alone, with its channel, or with its author's data.
        """
        store, number = self.store, str(new.message)
        async with self._keeping.setdefault(new.message, asyncio.Lock()):
            if (known := await store.message(PLATFORM, number)) is not None:
                return known
            if self._gone(new):
                raise Unanswerable(texts.question_gone)
            text = self._edited.get(new.message, new.text)
            stored = await store.add_message(
                conversation,
                "user",
                text,
                author=None if new.author is None else await person_of(store, new.author),
                parent=parent.message if parent else None,
                platform_id=number,
                unknown=new.unknown,
            )
            if self._gone(new):  # while it was being stored
                await store.eraser.erase_message(PLATFORM, number)
                raise Unanswerable(texts.question_gone)
            newest = self._edited.get(new.message, text)
            return stored if newest == text else await store.edit_message(PLATFORM, number, newest) or stored

    def _gone(self, new: NewText) -> bool:
        forgotten = None if new.author is None else self._forgotten.get(new.author)
        return (
            new.message in self._deleted
            or not new.channels.isdisjoint(self._deleted)
            or (forgotten is not None and new.message < forgotten)
        )

    # -- changes

    def saw(self, message: discord.Message) -> None:
        """A message was read as it is after its newest edit."""
        if message.edited_at is not None:
            _remember(self._edits, message.id, message.edited_at)

    async def deleted(self, message: int) -> None:
        """Erase the text of a deleted message; an answer that runs for it or in it is stopped first."""
        _remember(self._deleted, message, True)
        if self.waiting.withdraw(message):
            return
        answer = self.running.under(str(message)) or self.running.shown_by(message)
        if answer is not None:
            answer.stop()
            await answer.wait()
        if await self.store.eraser.erase_message(PLATFORM, str(message)):
            log.info("erased the text of a deleted message")

    async def channel_deleted(self, channel: int) -> None:
        """Erase the texts of a channel or thread that was deleted."""
        _remember(self._deleted, channel, True)
        await self.running.stop_all(channel=channel)
        if erased := await self.store.eraser.erase_channel(PLATFORM, str(channel)):
            log.info("erased %d texts of a deleted channel", erased)

    async def forget(self, user: int, interaction: int) -> int:
        """Erase everything of a person, what waits and what runs included; returns the number of erased texts.

        `interaction` is the id of the interaction that asked for it: Discord's ids are in the order of time.
        """
        _remember(self._forgotten, user, interaction)
        person = await person_of(self.store, user)
        await self.running.stop_all(person=person)
        await self.chat.stop_all(person)  # on the page too
        self.names.forget(person)
        return await self.store.eraser.forget(person)

    async def edited(self, message: discord.Message, me: int) -> None:
        """Take over the new text of a message. Without Message Content, only a mention of the bot brings one."""
        if message.author.id == me or message.edited_at in (None, self._edits.get(message.id)):
            return  # a link got its preview, or the message was pinned
        stored = await self.store.message(PLATFORM, str(message.id))
        if stored is None and message.id not in self._awaited:
            return  # it has nothing to do with us
        if stored is not None and stored.role != "user":
            return
        self.saw(message)
        try:
            text = await whole_text(message, me)
        except Unreadable:  # the file is gone, and its text with it
            text = text_of(message, me)
        new = stored is None or text != stored.text
        found = await self.chat.moderation.incoming(text) if text and new else None
        # A text that could not be checked is taken over: the lists found nothing, and the old text is outdated.
        if not text or found not in (None, Kind.UNCHECKED):
            await self.deleted(message.id)
            return
        if message.id in self._awaited:
            self._edited[message.id] = text
        if stored is not None and new:
            await self.store.edit_message(PLATFORM, str(message.id), text)


def _remember(entries: OrderedDict[int, T], number: int, entry: T) -> None:
    """Put an entry among the newest, and drop the oldest when there are too many."""
    entries[number] = entry
    entries.move_to_end(number)
    if len(entries) > REMEMBERED:
        entries.popitem(last=False)
