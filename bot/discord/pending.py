"""What people see before the first words of an answer: that the bot types, and soon a message that can be stopped."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from bot.discord.render import MessagePart

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from bot.discord.draft import Draft
    from bot.discord.place import Place
    from bot.texts import Texts

SOON = 0.8  # seconds; an answer that begins earlier needs no message before it
TYPING = 8.0  # seconds; Discord shows for ten that somebody types


def pending_parts(texts: Texts) -> list[MessagePart]:
    """What is shown while nothing of the answer is there."""
    return [MessagePart("⏳ " + texts.on_its_way, "stop")]


@asynccontextmanager
async def shown_as_pending(place: Place, draft: Draft, texts: Texts) -> AsyncIterator[asyncio.Task[None]]:
    """Show within the block that an answer is on its way, until the task that this returns is cancelled."""
    task = asyncio.create_task(_show(place, draft, texts))
    try:
        yield task
    finally:
        task.cancel()


async def _show(place: Place, draft: Draft, texts: Texts) -> None:
    await place.typing()
    await asyncio.sleep(SOON)
    if not draft.started:
        draft.show(lambda: pending_parts(texts))
    await draft.settled()
    while True:
        await place.typing()  # a new message ends the sign that the bot types
        await asyncio.sleep(TYPING)
