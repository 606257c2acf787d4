"""An answer on Discord while it grows: messages that are edited slowly enough for Discord's limits."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

import aiohttp
import discord

from bot.discord.others import AnsweredElsewhere
from bot.discord.render import MessagePart, next_change

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from bot.discord.place import Place

    Wanted = Callable[[], list[MessagePart]]

log = logging.getLogger(__name__)

SECONDS_PER_EDIT = 1.2
EMPTY = "⋯"  # what a message shows when its text is held back, or when the answer turned out shorter


class Pace:
    """When the next message or edit of a channel may go out."""

    def __init__(self, seconds: float = SECONDS_PER_EDIT) -> None:
        self.seconds = seconds
        self._next: dict[int, float] = {}

    async def turn(self, channel: int) -> None:
        """Wait for the channel's next turn, and take it."""
        now = asyncio.get_running_loop().time()
        at = max(now, self._next.get(channel, now))
        if len(self._next) > 1000:
            self._next = {other: due for other, due in self._next.items() if due > now}
        self._next[channel] = at + self.seconds
        if at > now:
            await asyncio.sleep(at - now)


class Draft:
    """The messages of one answer.

    One request at a time. A newer text replaces one that has not gone out yet, and the last text always goes out.
    What is wanted is asked for only when a request can go out, so a text may grow by any number of pieces meanwhile.
    `view` makes the buttons that a part names. `on_sent` is called after each new message, and `on_gone` when
    somebody deleted one or took the permission away.
    """

    def __init__(
        self,
        place: Place,
        pace: Pace,
        view: Callable[[str], discord.ui.View | None],
        on_sent: Callable[[int], Awaitable[None]],
        on_gone: Callable[[], None],
    ) -> None:
        self._place = place
        self._pace = pace
        self._view = view
        self._on_sent = on_sent
        self._on_gone = on_gone
        self._wanted: Wanted = list
        self._shown: list[MessagePart] = []
        self._messages: list[int] = []
        self._work: asyncio.Task[None] | None = None
        self._gone = False

    @property
    def started(self) -> bool:
        """Whether anything was shown, or is about to be."""
        return bool(self._wanted())

    def show(self, wanted: Wanted) -> None:
        """Show what this returns by then, as soon as the pace allows."""
        self._wanted = wanted
        if self._work is None or self._work.done():
            self._work = asyncio.create_task(self._paint())

    async def settled(self) -> None:
        """Wait until what was wanted so far has gone out, or could not."""
        if self._work is not None:
            await asyncio.wait({self._work})

    async def finish(self, wanted: list[MessagePart]) -> bool:
        """Show this and nothing else; returns whether that worked. A failure is tried once more, then logged."""
        self._wanted = lambda: wanted
        if self._work is not None:
            await self._work
        # Nothing else may stay: an answer that was withdrawn can be shorter than what was shown of it.
        whole_text = [*wanted, *[MessagePart(EMPTY)] * (len(self._messages) - len(wanted))]
        self._wanted = lambda: whole_text
        for _ in range(2):
            await self._paint()
        whole = next_change(self._shown, whole_text) is None
        if not self._gone and not whole:
            log.warning("an answer could not be shown in full")
        return whole and not self._gone

    async def _paint(self) -> None:
        while not self._gone and next_change(self._shown, self._wanted()) is not None:
            await self._pace.turn(self._place.channel)
            wanted = self._wanted()  # the newest text, after the wait
            index = next_change(self._shown, wanted)
            if index is None:
                return
            part = wanted[index]
            try:
                await self._put(index, part)
            except (discord.NotFound, discord.Forbidden, AnsweredElsewhere) as error:
                # Somebody deleted the message or took the permission away: nobody wants to see the rest.
                log.info("an answer cannot be shown any more: %s (code %s)", error.status, error.code)
                self._gone = True
                self._on_gone()
            except (discord.DiscordException, aiohttp.ClientError, OSError) as error:
                code = getattr(error, "code", 0)
                log.warning("a message did not reach Discord: %s (code %s)", type(error).__name__, code)
                return
            else:
                self._shown[index : index + 1] = [part]

    async def _put(self, index: int, part: MessagePart) -> None:
        view = self._view(part.buttons)
        if index < len(self._messages):
            await self._place.edit(self._messages[index], part.content, view)
            return
        sent = await self._place.send(part.content, view)
        self._messages.append(sent)
        await self._on_sent(sent)
