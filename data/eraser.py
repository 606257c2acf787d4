"""Erases what an installation stores, some texts at a time, and cleans up afterwards.

What one transaction erases is in `data.erasure`. Here are the requests: each takes several transactions, so that
others can write in between, and then drops the erased words from the index of lessons, from the write-ahead log, and
from files that a killed process left.
"""

import asyncio
from collections.abc import Collection, Sequence
from datetime import datetime

from data import erasure, lesson_erasure, open_answers, ratings, settings
from data.database import Database, chunks
from data.lesson_book import LessonBook
from data.tidy import remove_left
from data.write_ahead import WriteAheadLog

_AT_ONCE = 50  # texts that one transaction erases; whoever votes meanwhile waits for no more


class Eraser:
    """When a method returns, what it erases is gone from the database; its log may follow later (`words_in_log`)."""

    def __init__(self, database: Database, key: bytes, lessons: LessonBook) -> None:
        self._database = database
        self._key = key
        self._lessons = lessons
        self._log = WriteAheadLog(database)

    @property
    def words_in_log(self) -> bool:
        """Whether erased texts may still be in the write-ahead log, because somebody reads an older state."""
        return self._log.holds_words

    async def close(self) -> None:
        """Stop cleaning up."""
        await self._log.close()

    async def erase_message(self, platform: str, platform_id: str) -> bool:
        """Erase every version of a message that was deleted on its platform, and what was generated from it."""
        async with self._database.write() as session:
            if not await erasure.erase_message(session, platform, platform_id, self._key):
                return False
        await self._lessons.forget_erased()
        await self._log.clean_up()
        return True

    async def erase_rating_text(self, source_id: str) -> bool:
        """Erase the text of the rating with this source id, and what was made of it; False where it has none."""
        async with self._database.read() as session:
            written = await ratings.text_of(session, source_id)
        if not await self._erase(written):
            return False
        await self._lessons.forget_erased()
        await self._log.clean_up()
        return True

    async def erase_channel(self, platform: str, channel: str) -> int:
        """Erase all that was said in a deleted channel and its threads; returns the number of erased texts."""
        async with self._database.read() as session:
            said = await erasure.channel_versions(session, platform, channel)
        erased = await self._erase(said)
        async with self._database.write() as session:
            await erasure.forget_channel(session, channel)
            erased += await erasure.erase(
                session, await erasure.channel_versions(session, platform, channel), self._key
            )
        await self._lessons.forget_erased()
        if erased:
            await self._log.clean_up()
        return erased

    async def forget(self, person: int) -> int:
        """Erase a person's texts and ratings, and the link to their platform id; returns the number of erased texts.

        Answers that were generated from their texts go too, since they may repeat them. If this is killed half way,
        asking again erases the rest.
        """
        async with self._database.read() as session:
            said = await erasure.versions_by(session, person)
        erased = await self._erase(said, erasure.FORGOTTEN)
        async with self._database.write() as session:
            erased += await erasure.forget(session, person, self._key)
            await settings.forget_opened_for(session, person)
        await self._lessons.forget_erased()
        await self._log.clean_up()
        await asyncio.to_thread(remove_left, self._database.path.parent)
        return erased

    async def erase_lessons(self, lesson_numbers: Collection[int]) -> None:
        """Remove lessons and erase their texts, with the answers that were given with them: for entries of a FAQ."""
        async with self._database.write() as session:
            texts = await lesson_erasure.remove(session, lesson_numbers)
        await self._erase(texts)
        await self._lessons.forget_erased()
        if texts:
            await self._log.clean_up()

    async def purge(self, older_than: datetime) -> int:
        """Erase the texts without consent that are older than this time; returns the number of erased texts.

        It also forgets the servers that removed the bot before then: their settings (lists of people and their own
        personas among them), their personas as they were sent to the model, and their managers' audit log entries.
        """
        async with self._database.read() as session:
            expired = await erasure.expired_versions(session, older_than)
        erased = await self._erase(expired)
        async with self._database.write() as session:
            left = await settings.forget_left(session, older_than)
            await open_answers.forget_older(session, older_than)
        await self._lessons.forget_erased()
        await self._log.clean_up(older_than, empty=bool(erased or left or self.words_in_log))
        await asyncio.to_thread(remove_left, self._database.path.parent, rows=bool(erased))
        return erased

    async def _erase(self, versions: Sequence[int], reason: str = erasure.DELETED) -> int:
        """Erase many texts, some at a time, so that others can write in between; returns how many there were."""
        erased = 0
        for some in chunks(versions, _AT_ONCE):
            async with self._database.write() as session:
                erased += await erasure.erase(session, some, self._key, reason=reason)
        return erased
