"""The page in the test's process, with a store and a fake engine, and browsers that visit it."""

from __future__ import annotations

import asyncio
import re
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import httpx2
import pytest
from sqlalchemy import select

from bot.conversation import Chat
from bot.engine.open import open_engine
from bot.moderation.step import open_moderation
from bot.settings import Settings
from bot.sign_in_links import Invited, SignInLinks
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


CSRF = re.compile(r'"X-CSRF": "([^"]+)"')


class Browser:
    """A browser with somebody in front of it."""

    def __init__(self, http: httpx2.AsyncClient) -> None:
        self.http = http
        self.csrf = ""
        self.person = 0

    async def get(self, path: str, **more: Any) -> httpx2.Response:
        """Look at a page, and remember the proof for its forms."""
        answer = await self.http.get(path, **more)
        if found := CSRF.search(answer.text):
            self.csrf = found[1]
        return answer

    async def post(self, path: str, **fields: Any) -> httpx2.Response:
        """Send a form of the page."""
        return await self.http.post(path, data=fields, headers={"x-csrf": self.csrf})

    async def ask(self, text: str, key: str | None = None, **fields: Any) -> tuple[str, httpx2.Response]:
        """Ask in a conversation, by default a new one; its key, and what its end shows."""
        if key is None:
            found = re.search(r'data-address="[^"]*/chat/(\w+)"', (await self.get("/chat")).text)
            assert found
            key = found[1]
        return key, await self.ended(await self.post(f"/chat/{key}", text=text, **fields))

    async def ended(self, begun: httpx2.Response) -> httpx2.Response:
        """Wait for the end of an answer that has begun."""
        assert begun.status_code == 200, begun.text
        live = live_id(begun)
        assert "event: done" in (await self.http.get(f"/live/{live}/events")).text
        return await self.http.get(f"/live/{live}/end")


def live_id(begun: httpx2.Response) -> str:
    found = re.search(r'id="live-([\w-]+)"', begun.text)
    assert found, begun.text
    return found[1]


def number(shown: httpx2.Response) -> int:
    """The number of the answer in a part of a page."""
    found = re.search(r'id="answer-(\d+)"', shown.text)
    assert found, shown.text
    return int(found[1])


class World:
    """A page with its parts."""

    def __init__(self, site: Site, fake: FakeEngine) -> None:
        self.site = site
        self.store = site.store
        self.fake = fake
        self.app = create_app(site)
        self._browsers: list[httpx2.AsyncClient] = []

    def browser(self, *, address: str = "203.0.113.7", **headers: str) -> Browser:
        """A browser without cookies, which comes from this IP address."""
        transport = httpx2.ASGITransport(self.app, client=(address, 50000), raise_app_exceptions=False)
        http = httpx2.AsyncClient(transport=transport, base_url=ADDRESS, headers=headers)
        self._browsers.append(http)
        return Browser(http)

    async def member(self, name: str = "100", *, agrees: bool = False, operator: bool = False) -> Browser:
        """Somebody with an account on Discord who signed in by a personal link."""
        browser = self.browser()
        browser.person = await self.store.person("discord", name)
        if agrees:
            await self.store.set_consent(browser.person, True)
        link = self.site.links.make(Invited(browser.person, operator=operator))
        assert link
        await browser.get(link.removeprefix(ADDRESS))
        done = await browser.post("/sign-in/link", token=link.partition("token=")[2])
        assert done.status_code == 303, done.text
        await browser.get("/chat")
        return browser

    async def close(self) -> None:
        for browser in self._browsers:
            await browser.aclose()

    async def rows(self, table: type[schema.Base]) -> list[Any]:
        async with self.store.database.read() as session:
            return list((await session.scalars(select(table))).all())


@asynccontextmanager
async def opened(
    home: Path, *, trial: Trial | None = None, patience: float = 60, **settings: Any
) -> AsyncIterator[World]:
    """A world with these settings, for `patience` seconds at most."""
    store = await Store.open(home)
    patch = pytest.MonkeyPatch()
    async with FakeEngine() as fake:
        go_near(patch, fake)
        engine = await open_engine(home, url=fake.url)
        chosen = Settings(_env_file=None, home=home, **settings)
        chat = Chat(store, engine, moderation=open_moderation(chosen))
        links = SignInLinks()
        links.address = chosen.web_address or ADDRESS
        world = World(Site(chosen, store, chat, trial or Trial(home, None), links), fake)
        try:
            async with asyncio.timeout(patience):
                yield world
        finally:
            await world.close()
            await chat.close()
            await engine.close()
            await store.close()
            patch.undo()
