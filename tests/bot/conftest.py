"""Fixtures for a simulated Discord; `tests.bot.discord.world` plays it."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from simcord.env import Env

from bot.engine.api import Engine
from bot.engine.open import open_engine
from data.store import Store
from tests.bot.discord.quick import copy_payloads_quickly
from tests.bot.discord.world import World, playing
from tests.bot.tried import Tried
from tests.fakes.engine import FakeEngine
from tests.fakes.near import go_near


@pytest.fixture(autouse=True, scope="session")
def _quick_discord() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        copy_payloads_quickly(patch)
        yield


@pytest.fixture
async def installed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[tuple[Store, FakeEngine, Engine]]:
    """A store, a fake engine, and the bot's client for it."""
    monkeypatch.delenv("DISCORD_TOKEN", raising=False)
    store = await Store.open(tmp_path)
    async with FakeEngine() as fake:
        go_near(monkeypatch, fake)
        engine = await open_engine(tmp_path, url=fake.url)
        yield store, fake, engine
        await engine.close()
    await store.close()


@pytest.fixture
def world(installed: tuple[Store, FakeEngine, Engine]) -> World:
    """A Discord server; nobody is on it yet."""
    return World(*installed)


@pytest.fixture
async def env(world: World) -> AsyncIterator[Env]:
    """Discord, with a bot in it that has no permission to train."""
    async with playing(world.bot()) as env:
        yield env


@pytest.fixture
async def talk(world: World, env: Env) -> World:
    """The world with people in it."""
    await world.begin(env)
    return world


@pytest.fixture
async def reading(world: World) -> AsyncIterator[World]:
    """The world in which the bot may read everything."""
    async with playing(world.bot(discord_message_content=True), message_content=True) as env:
        await world.begin(env)
        yield world


@pytest.fixture
async def tried(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Tried]:
    async with FakeEngine() as fake:
        go_near(monkeypatch, fake)
        yield Tried(tmp_path, fake)
