"""Commands are published in the background, and only when they are not what was published last."""

import asyncio
import logging
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import discord
import pytest
from discord import app_commands
from discord.http import Route

from bot.discord import publishing
from bot.discord.commands.publish import Chinese
from bot.discord.publishing import keep_published, publish_if_new
from data.store import Store
from tests.bot.discord.test_process import begin
from tests.fakes.discord_server import DiscordServer
from tests.fakes.engine import FakeEngine

ME, ANOTHER = 1, 2


class Commands(app_commands.CommandTree[Any]):
    """A tree that counts how often it is published, and fails in these ways first."""

    def __init__(self, *names: str, fails: tuple[Exception, ...] = ()) -> None:
        super().__init__(discord.Client(intents=discord.Intents(guilds=True)))
        self.sent = 0
        self.fails = list(fails)
        for name in names:
            self.command(name=name, description=f"About {name}")(_nothing)

    async def sync(self, *, guild: discord.abc.Snowflake | None = None) -> list[app_commands.AppCommand]:
        del guild
        self.sent += 1
        if self.fails:
            raise self.fails.pop(0)
        return []


async def _nothing(_: discord.Interaction) -> None: ...


def refused(status: int) -> discord.HTTPException:
    return discord.HTTPException(SimpleNamespace(status=status, reason=""), "no")  # type: ignore[arg-type]  # a stand-in


@pytest.fixture
async def store(tmp_path: Path) -> Any:
    store = await Store.open(tmp_path)
    yield store
    await store.close()


async def test_the_same_commands_are_published_once(store: Store):
    assert await publish_if_new(Commands("one", "two"), store, ME)
    again = Commands("two", "one")  # the order is nothing new
    assert not await publish_if_new(again, store, ME)
    assert again.sent == 0


async def test_other_commands_names_places_and_applications_are_new(store: Store, monkeypatch: pytest.MonkeyPatch):
    tree = Commands("one")
    assert await publish_if_new(tree, store, ME)
    assert await publish_if_new(tree, store, ANOTHER)
    assert not await publish_if_new(tree, store, ME)  # each application has its own
    assert await publish_if_new(Commands("one", "two"), store, ME)
    assert await publish_if_new(tree, store, ME)
    found = tree.get_command("one")
    assert isinstance(found, app_commands.Command)
    found.description = "Something else"
    assert await publish_if_new(tree, store, ME)
    monkeypatch.setattr(Route, "BASE", "http://another.example/api/v10")
    assert await publish_if_new(tree, store, ME)


async def test_a_new_translation_is_published(store: Store):
    tree = Commands("one")
    await tree.set_translator(Chinese())
    assert await publish_if_new(tree, store, ME)
    found = tree.get_command("one")
    assert isinstance(found, app_commands.Command)
    found._locale_description = app_commands.locale_str("About one", zh="关于一")
    assert await publish_if_new(tree, store, ME)
    assert not await publish_if_new(tree, store, ME)


async def test_what_failed_is_tried_again_and_what_was_refused_is_not(store: Store, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(publishing, "WAITS", (0.0, 0.0))
    away = Commands("one", fails=(refused(500), refused(429), ConnectionResetError()))
    await keep_published(away, store, ME)
    assert away.sent == 4
    wrong = Commands("two", fails=(refused(400), refused(400)))
    await keep_published(wrong, store, ME)
    assert wrong.sent == 1
    await keep_published(wrong, store, ME)  # the next start tries again
    assert wrong.sent == 2


async def test_another_failure_is_logged_and_ends_nothing(store: Store, caplog: pytest.LogCaptureFixture):
    with caplog.at_level(logging.ERROR):
        await keep_published(Commands("one", fails=(ValueError("odd"),)), store, ME)
    assert "were not published" in caplog.text


@pytest.mark.process
async def test_the_bot_talks_while_discord_lets_publishing_wait_and_publishes_once(tmp_path: Path):
    async with FakeEngine() as fake, DiscordServer("a-token") as server:
        for number, (busy, sent) in enumerate([(True, 1), (False, 1), (False, 0)]):
            server.busy = busy
            server.published.clear()
            server.ready.clear()
            process = await begin(tmp_path, fake.url, server, "a-token")
            async with asyncio.timeout(60):
                await server.ready.wait()
                fake.answer(f"answer {number}")
                await server.direct_message("hello")
                await server.said(f"answer {number}")
                while len(server.published) < sent:  # noqa: ASYNC110 - the test polls
                    await asyncio.sleep(0.05)
            process.terminate()
            await process.communicate()
            assert process.returncode == 0
            assert len(server.published) == sent
