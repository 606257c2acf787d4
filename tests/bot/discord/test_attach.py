"""What Parley adds to a bot when it is attached, and that nothing of it stays when that goes wrong."""

import asyncio
from pathlib import Path
from typing import Any
from unittest.mock import AsyncMock, Mock

import discord
import pytest
from discord.ext import commands

from bot.discord import extension
from data.errors import BadInput
from data.store import Store
from tests.bot.discord.world import World


@pytest.fixture
def host(world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PARLEY_HOME", str(tmp_path))
    monkeypatch.setenv("PARLEY_ENGINE_URL", world.fake.url)
    return commands.Bot(command_prefix=commands.when_mentioned, intents=discord.Intents.default())


def left(host: Any) -> list[Any]:
    """Everything of Parley's in a bot."""
    listeners = [listener for found in host.extra_events.values() for listener in found]
    ours = [vars(host)["parley"]] if "parley" in vars(host) else []
    return [*listeners, *host.tree.get_commands(type=None), *host._connection._view_store._dynamic_items, *ours]


async def test_nothing_is_left_of_one_that_could_not_begin(host: Any, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(Store, "open_answers", AsyncMock(side_effect=OSError("the disk is full")))
    with pytest.raises(OSError, match="the disk is full"):
        await extension.load(host)
    assert left(host) == []
    assert host not in extension._open


async def test_nothing_is_left_of_one_that_found_no_room(host: Any, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(host, "add_dynamic_items", Mock(side_effect=BadInput("no room")))
    with pytest.raises(BadInput, match="no room"):
        await extension.load(host)
    assert left(host) == []


async def test_one_that_waits_for_a_login_is_taken_away_at_once(host: Any, monkeypatch: pytest.MonkeyPatch):
    waits = asyncio.Event()

    async def ready() -> None:
        waits.set()
        await asyncio.Event().wait()

    monkeypatch.setattr(host, "wait_until_ready", ready)
    before = asyncio.all_tasks()
    await extension.load(host)
    await waits.wait()
    in_vain: list[asyncio.Task[Any]] = []
    wait = asyncio.wait

    async def watched(tasks: Any, **more: Any) -> Any:
        done, pending = await wait(tasks, **more)
        in_vain.extend(pending)
        return done, pending

    monkeypatch.setattr(asyncio, "wait", watched)
    await extension.unload(host)
    assert in_vain == []
    assert [task for task in asyncio.all_tasks() - before if not task.done()] == []


async def test_whose_the_application_is_is_looked_up_once_when_it_is_ready(talk: World):
    bot = talk.bot()
    bot.app.operators.look = AsyncMock()  # type: ignore[method-assign]
    await talk.env.restart_bot(bot)
    bot.app.operators.look.assert_awaited_once()
