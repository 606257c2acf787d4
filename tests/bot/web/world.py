"""The page in the test's process, with a store and a fake engine, and browsers that visit it."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import httpx2
import pytest
from sqlalchemy import select

from bot.conversation import Chat
from bot.engine.open import open_engine
from bot.settings import Settings
from bot.sign_in_links import SignInLinks
from bot.trial import Trial
from bot.web.app import create_app
from bot.web.site import Site
from data.store import Store
from tests.fakes.engine import FakeEngine
from tests.fakes.near import go_near

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from data import schema

ADDRESS = "http://127.0.0.1:8321"


class World:
    """A page with its parts."""

    def __init__(self, site: Site, fake: FakeEngine) -> None:
        self.site = site
        self.store = site.store
        self.fake = fake
        self.app = create_app(site)
        self._browsers: list[httpx2.AsyncClient] = []

    def browser(self, *, address: str = "203.0.113.7", **headers: str) -> httpx2.AsyncClient:
        """A browser without cookies, which comes from this IP address."""
        transport = httpx2.ASGITransport(self.app, client=(address, 50000))
        browser = httpx2.AsyncClient(transport=transport, base_url=ADDRESS, headers=headers)
        self._browsers.append(browser)
        return browser

    async def close(self) -> None:
        for browser in self._browsers:
            await browser.aclose()

    async def rows(self, table: type[schema.Base]) -> list[Any]:
        async with self.store.database.read() as session:
            return list((await session.scalars(select(table))).all())


@asynccontextmanager
async def opened(home: Path, *, trial: Trial | None = None, **settings: Any) -> AsyncIterator[World]:
    """A world with these settings."""
    store = await Store.open(home)
    patch = pytest.MonkeyPatch()
    async with FakeEngine() as fake:
        go_near(patch, fake)
        engine = await open_engine(home, url=fake.url)
        chat = Chat(store, engine)
        chosen = Settings(_env_file=None, home=home, **settings)
        links = SignInLinks()
        links.address = chosen.web_address or ADDRESS
        world = World(Site(chosen, store, chat, trial or Trial(home, None), links), fake)
        try:
            async with asyncio.timeout(60):
                yield world
        finally:
            await world.close()
            await chat.close()
            await engine.close()
            await store.close()
            patch.undo()
