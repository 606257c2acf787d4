"""What the bot does by the clock: it looks for a new champion to announce, and tells managers what was refused."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

import aiohttp
import discord

from bot.discord import refused
from bot.discord.announcing import announce
from bot.discord.place import NOBODY

if TYPE_CHECKING:
    from bot.discord.app import App

log = logging.getLogger(__name__)

MINUTE, MINUTES = 60.0, 60  # the looks at the champion, and how many of them are between two counts of refusals


async def chores(app: App) -> None:
    """Do them until cancelled. What fails is logged, and done at its next turn."""
    await app.client.wait_until_ready()
    minute = 0
    while True:
        await asyncio.sleep(MINUTE)
        minute += 1
        try:
            await announce(app)
            if minute % MINUTES == 0:
                await tell_managers(app)
        except Exception:
            log.exception("what the bot does by the clock failed")


async def tell_managers(app: App) -> None:
    """Tell each server's managers, in the channel that they chose, what was refused since the last time."""
    counts = app.refused.take()
    chosen = await app.store.said_anywhere(refused.CHANNEL) if counts else {}
    for (_, server), channel in chosen.items():
        if not counts.get(int(server)) or app.client.get_guild(int(server)) is None:
            continue
        place = app.client.get_channel(int(channel)) or app.client.get_partial_messageable(int(channel))
        text = refused.lines(counts[int(server)], await app.rules.texts(place, int(server)))
        try:
            await app.client.get_partial_messageable(int(channel)).send(text, allowed_mentions=NOBODY)
        except discord.HTTPException as error:
            log.info("counts of refused messages did not reach their channel: %s (code %s)", error.status, error.code)
        except (aiohttp.ClientError, OSError) as error:
            log.info("counts of refused messages did not reach their channel: %s", type(error).__name__)
