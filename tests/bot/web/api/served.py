"""The API on a port of its own, as real clients reach it."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from bot.settings import Settings
from bot.web.start import page_served
from tests.bot.web.api.world import Program

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.bot.web.world import World


@asynccontextmanager
async def served(page: World) -> AsyncIterator[tuple[str, Program]]:
    """The address of the API, with /v1, and a program with a key."""
    site = page.site
    settings = Settings(_env_file=None, home=site.settings.home, web_port=0)
    async with page_served(settings, site.store, site.chat, site.trial, site.links):
        yield f"{site.links.address}/v1", await Program.with_key(page, "served")
        await site.chat.close()
