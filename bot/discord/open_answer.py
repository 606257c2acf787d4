"""An answer that is being shown is on record as open, so that the next process can close it if this one dies.

The record is on disk before the first message goes out, and is removed when everything is shown. It holds no text of
the question or the answer; what is shown on Discord stays there.
"""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import TYPE_CHECKING

from bot.discord.ids import PLATFORM
from data.store import OpenAnswer

if TYPE_CHECKING:
    import discord

    from bot.discord.draft import Draft
    from bot.discord.place import Place
    from bot.discord.render import MessagePart
    from data.store import Store

log = logging.getLogger(__name__)


class RecordedPlace:
    """A place for one answer, which is on record as open from before its first message until it is whole.

    `key` is what the answer runs under, `question` the id of the question's message where that is another one.
    """

    def __init__(self, place: Place, store: Store, key: str, question: str | None) -> None:
        self.channel, self.guild, self.channels = place.channel, place.guild, place.channels
        self._place = place
        self._store = store
        self._answer = OpenAnswer(PLATFORM, key, str(place.channel), key if question is None else question)
        self._recorded = False

    async def send(self, content: str, view: discord.ui.View | None) -> int:
        """See `Place.send`."""
        if not self._recorded:
            self._recorded = True
            await self._record(None)
        return await self._place.send(content, view)

    async def edit(self, message: int, content: str, view: discord.ui.View | None) -> None:
        """See `Place.edit`."""
        await self._place.edit(message, content, view)

    async def typing(self) -> None:
        """See `Place.typing`."""
        await self._place.typing()

    def below(self, message: int) -> Place:
        """See `Place.below`."""
        return self._place.below(message)

    async def shown(self, message: int) -> None:
        """This is its newest message. Called last when a message is sent: a reply to it may come at once."""
        await self._record(str(message))

    async def finish(self, draft: Draft, wanted: list[MessagePart]) -> bool:
        """Show the end of the answer; returns whether all of it is shown.

        An answer that is not shown in full stays on record for the next start, like one whose process died.
        """
        whole = await draft.finish(wanted)
        if whole and self._recorded:
            await self._store.close_answer(PLATFORM, self._answer.key)
        return whole

    async def _record(self, message: str | None) -> None:
        try:
            await self._store.keep_open(replace(self._answer, message=message))
        except Exception:  # an answer that nobody can close later is still better than none
            log.exception("an answer could not be recorded as open")
