"""Parley on a bot: nothing is left of it when it cannot be added, and it knows its servers."""

import asyncio
from datetime import timedelta
from pathlib import Path
from typing import Any
from unittest.mock import AsyncMock, Mock

import discord
import pytest
from discord.ext import commands

from bot.discord import extension
from bot.texts import EN
from data import schema
from data.errors import BadInput
from data.store import Store
from data.times import now
from tests.bot.discord.world import World

pytestmark = pytest.mark.played


@pytest.fixture
def host(world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PARLEY_HOME", str(tmp_path))
    monkeypatch.setenv("PARLEY_ENGINE_URL", world.fake.url)
    return commands.Bot(command_prefix=commands.when_mentioned, intents=discord.Intents.default())


def left(host: Any) -> list[Any]:
    """Everything that Parley added to a bot."""
    listeners = [listener for found in host.extra_events.values() for listener in found]
    ours = [vars(host)["parley"]] if "parley" in vars(host) else []
    return [*listeners, *host.tree.get_commands(type=None), *host._connection._view_store._dynamic_items, *ours]


async def test_nothing_is_left_when_parley_cannot_begin(host: Any, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(Store, "open_answers", AsyncMock(side_effect=OSError("the disk is full")))
    with pytest.raises(OSError, match="the disk is full"):
        await extension.load(host)
    assert left(host) == []
    assert host not in extension._open


async def test_nothing_is_left_when_there_is_no_room(host: Any, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(host, "add_dynamic_items", Mock(side_effect=BadInput("no room")))
    with pytest.raises(BadInput, match="no room"):
        await extension.load(host)
    assert left(host) == []


async def test_parley_is_removed_at_once_while_it_waits_for_a_login(host: Any, monkeypatch: pytest.MonkeyPatch):
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


async def test_the_applications_owner_is_looked_up_once_when_the_bot_is_ready(talk: World):
    bot = talk.bot()
    bot.app.operators.look = AsyncMock()  # type: ignore[method-assign]  # a stand-in
    await talk.env.restart_bot(bot)
    bot.app.operators.look.assert_awaited_once()


async def removed(talk: World) -> None:
    """The server removes the bot."""
    bot: Any = talk.env.bot
    (guild,) = bot.guilds
    bot._connection._guilds.clear()  # simcord's servers cannot remove it
    await bot.parley.on_guild_remove(guild)


async def test_the_bot_knows_which_servers_it_is_in(talk: World):
    await talk.ask("hello")
    (server,) = await talk.rows(schema.Server)
    assert server.left_at is None
    await talk.store.servers_now("discord", set())
    await talk.env.restart_bot(talk.bot())  # it was removed and added again while it was away
    (server,) = await talk.rows(schema.Server)
    assert server.left_at is None
    await removed(talk)
    (server,) = await talk.rows(schema.Server)
    assert server.left_at is not None


async def test_what_was_set_in_channels_threads_and_conversations_goes_with_the_server(talk: World):
    await talk.max.slash(talk.channel, "threads", answer="on")
    await talk.max.slash(talk.channel, "persona", name="tutor")
    await talk.max.slash(talk.channel, "limits", person=5)
    await talk.max.slash(talk.channel, "limits", server=50, where="server")
    await talk.ada.slash(talk.channel, "ask", question="hello", persona="writer")
    await talk.max.slash(talk.channel, "teaching", allowed="on")
    thread = await talk.open_thread()
    await talk.ada.send(thread, "can you read this?")
    assert talk.last(thread).content == EN.cannot_read_thread  # that this was said is stored, too
    set_there = await talk.rows(schema.Setting)
    kinds = sorted(row.scope for row in set_there)
    assert kinds == ["channel"] * 5 + ["conversation", "server"]
    assert {row.server for row in set_there if row.scope == "channel"} == {str(talk.guild.id)}
    assert len(await talk.rows(schema.AuditRow)) >= 3
    await removed(talk)
    assert not await talk.store.may_teach("discord", str(talk.guild.id))
    await talk.store.eraser.purge(now() + timedelta(seconds=1))
    assert await talk.rows(schema.Setting) == []
    assert await talk.rows(schema.AuditRow) == []
