"""What becomes of messages: deleted, edited, gone with their channel or with who wrote them.

A text may change or go while its question waits, before anything of it is kept. So what happened lately is remembered
here, in memory only, by ids, and what a text was edited to for as long as it is awaited; `keep` looks at it before a
text is stored and once more behind that.
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
from bot.discord.presses import PLATFORM
from bot.discord.reading import Unreadable, text_of, written
from bot.moderation.words import Kind

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from bot.discord.app import Talk
    from bot.discord.place import Place
    from bot.texts import Texts
    from data.store import StoredMessage

T = TypeVar("T")

log = logging.getLogger(__name__)

REMEMBERED = 10_000  # of each kind


@dataclass(frozen=True)
class Said:
    """A text that is to be kept: by which message it is known, where it stands, and who wrote it."""

    message: int
    channels: frozenset[int]  # its channel, and the one that a thread hangs on
    author: int
    text: str


class Changes:
    """Takes over what happens to messages, and keeps texts only as they are by then."""

    def __init__(self, talk: Talk) -> None:
        self.talk = talk
        self._running: dict[str, tuple[int, frozenset[int]]] = {}  # who asked, and where, of each answer
        self._awaited: Counter[int] = Counter()  # messages whose texts may be kept soon
        self._edited: dict[int, str] = {}  # what those say now
        self._deleted: OrderedDict[int, bool] = OrderedDict()  # messages and channels
        self._edits: OrderedDict[int, datetime] = OrderedDict()  # when messages were edited last, as far as known
        self._forgotten: OrderedDict[int, int] = OrderedDict()  # people, and the id of what said that they want it
        self._keeping: WeakValueDictionary[int, asyncio.Lock] = WeakValueDictionary()

    # -- answers that run

    def begin(self, key: str, person: int, place: Place) -> None:
        """An answer begins to be shown."""
        self._running[key] = person, place.channels

    def end(self, key: str) -> None:
        """It is shown, or will not be."""
        self._running.pop(key, None)

    async def _stop(self, *, person: int | None = None, channel: int | None = None) -> None:
        """Stop the answers of a person or in a channel, and wait until what they said is recorded."""
        found = [
            self.talk.running.get(key)
            for key, (asker, places) in self._running.items()
            if asker == person or channel in places
        ]
        for answer in found:
            if answer is not None:
                answer.stop()
                await answer.wait()

    # -- keeping

    def await_text(self, message: int) -> None:
        """The text of a message may be kept soon, until `settled`: its edits are remembered."""
        self._awaited[message] += 1

    def settled(self, messages: Iterable[int]) -> None:
        """The texts of these messages are kept, or will not be."""
        for message in messages:
            self._awaited[message] -= 1
            if self._awaited[message] <= 0:
                del self._awaited[message]
                self._edited.pop(message, None)

    @contextmanager
    def awaiting(self, *messages: int | None) -> Iterator[None]:
        """The texts of these messages may be kept in here."""
        awaited = [message for message in messages if message is not None]
        for message in awaited:
            self.await_text(message)
        try:
            yield
        finally:
            self.settled(awaited)

    async def keep(self, said: Said, conversation: int, parent: StoredMessage | None, words: Texts) -> StoredMessage:
        """Store a text as it is now, or give back what is stored of its message already.

        Raises `Unanswerable` when it is gone by now: deleted, with its channel too, or forgotten with its author.
        """
        store, place = self.talk.store, str(said.message)
        async with self._keeping.setdefault(said.message, asyncio.Lock()):
            if (known := await store.message(PLATFORM, place)) is not None:
                return known
            if self._gone(said):
                raise Unanswerable(words.question_gone)
            text = self._edited.get(said.message, said.text)
            author = await store.person(PLATFORM, str(said.author))
            stored = await store.add_message(
                conversation,
                "user",
                text,
                author=author,
                parent=parent.message if parent else None,
                platform_id=place,
            )
            if self._gone(said):  # meanwhile
                await store.erase_message(PLATFORM, place)
                raise Unanswerable(words.question_gone)
            newest = self._edited.get(said.message, text)
            return stored if newest == text else await store.edit_message(PLATFORM, place, newest) or stored

    def _gone(self, said: Said) -> bool:
        forgotten = self._forgotten.get(said.author)
        return (
            said.message in self._deleted
            or not said.channels.isdisjoint(self._deleted)
            or (forgotten is not None and said.message < forgotten)
        )

    # -- changes

    def saw(self, message: discord.Message) -> None:
        """A message is known as it is after its newest edit."""
        if message.edited_at is not None:
            _remember(self._edits, message.id, message.edited_at)

    async def deleted(self, message: int) -> None:
        """Forget the text of a message that was deleted; an answer to it, or in it, that runs is stopped first."""
        _remember(self._deleted, message, True)
        if self.talk.hearing.withdraw(message):
            return
        answer = self.talk.running.get(str(message)) or self.talk.growing.get(message)
        if answer is not None:
            answer.stop()
            await answer.wait()
        if await self.talk.store.erase_message(PLATFORM, str(message)):
            log.info("erased the text of a deleted message")

    async def channel_deleted(self, channel: int) -> None:
        """Forget what was said in a channel or thread that was deleted."""
        _remember(self._deleted, channel, True)
        await self._stop(channel=channel)
        if erased := await self.talk.store.erase_channel(PLATFORM, str(channel)):
            log.info("erased %d texts of a deleted channel", erased)

    async def forget(self, user: int, wanted: int) -> int:
        """Erase all that is kept of a person, what waits and what runs included; returns how many texts went.

        `wanted` is the id of the interaction that said so: Discord's ids are in the order of time.
        """
        _remember(self._forgotten, user, wanted)
        person = await self.talk.store.person(PLATFORM, str(user))
        await self._stop(person=person)
        self.talk.names.forget(person)
        return await self.talk.store.forget(person)

    async def edited(self, message: discord.Message) -> None:
        """Take over the new text of a person's message. Without the bot's mention Discord doesn't show it to us."""
        if message.author.bot or message.edited_at in (None, self._edits.get(message.id)):
            return  # it got a link's preview, or was pinned
        stored = await self.talk.store.message(PLATFORM, str(message.id))
        if stored is None and message.id not in self._awaited:
            return  # nothing to do with us
        if stored is not None and stored.role != "user":
            return
        self.saw(message)
        try:
            text = await written(message, self.talk.me)
        except Unreadable:  # the file is gone, and with it what was said
            text = text_of(message, self.talk.me)
        new = stored is None or text != stored.text
        found = await self.talk.chat.moderation.incoming(text) if text and new else None
        # What could not be checked is taken over: the lists found nothing, and the old text holds no longer.
        if not text or found not in (None, Kind.UNCHECKED):
            await self.deleted(message.id)
            return
        if message.id in self._awaited:
            self._edited[message.id] = text
        if stored is not None and new:
            await self.talk.store.edit_message(PLATFORM, str(message.id), text)


def _remember(entries: OrderedDict[int, T], number: int, entry: T) -> None:
    """Put an entry among the newest, and let the oldest go when there are too many."""
    entries[number] = entry
    entries.move_to_end(number)
    if len(entries) > REMEMBERED:
        entries.popitem(last=False)
