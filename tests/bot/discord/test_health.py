"""Health and figures, as a monitor on the same machine reads them."""

import json
import socket
import sqlite3
from contextlib import closing
from types import SimpleNamespace
from typing import Any

import aiohttp
import discord
import pytest

from bot.conversation import Chat
from bot.discord.client import Bot, talk_on_discord
from bot.discord.health import connected, counted_requests, health_served
from bot.metrics import Metrics
from bot.settings import Settings
from data.database import NAME
from data.errors import BadInput
from tests.bot.discord.world import World
from tests.bot.test_metrics import figures
from tests.fakes.discord_server import DiscordServer


def address(caplog: pytest.LogCaptureFixture) -> str:
    """The address of the pages, from the log."""
    (told,) = [record.getMessage() for record in caplog.records if "health and metrics" in record.getMessage()]
    return told.removeprefix("health and metrics are at ")


async def fetch(url: str) -> tuple[int, str, str]:
    async with aiohttp.ClientSession() as session, session.get(url) as response:
        return response.status, response.headers["Content-Type"], await response.text()


@pytest.fixture
async def watched_bot(talk: World, caplog: pytest.LogCaptureFixture):
    caplog.set_level("INFO", logger="bot")
    bot = talk.bot(metrics_port=0)
    await talk.env.restart_bot(bot)
    async with health_served(bot.app):
        yield address(caplog)


@pytest.mark.played
async def test_a_bot_that_works_is_healthy(talk: World, watched_bot: str):
    status, kind, body = await fetch(f"{watched_bot}/health")
    assert (status, kind.partition(";")[0]) == (200, "application/json")
    assert json.loads(body) == {"status": "ok", "engine": True, "discord": True, "store": True, "champion": 0}
    assert watched_bot.startswith("http://127.0.0.1:")


@pytest.mark.parametrize(
    ("closed", "ready", "shards", "well"),
    [
        (False, True, [False, False], True),
        (False, True, [False, True], False),
        (False, False, [False], False),
        (True, True, [False], False),
    ],
)
def test_the_bot_is_connected_only_if_every_shard_is(closed: bool, ready: bool, shards: list[bool], well: bool):
    client: Any = SimpleNamespace(
        is_closed=lambda: closed,
        is_ready=lambda: ready,
        shards={number: SimpleNamespace(is_closed=lambda gone=gone: gone) for number, gone in enumerate(shards)},
    )
    assert connected(client) is well


async def unhealthy(url: str) -> set[str]:
    """What is wrong, by name."""
    status, _, body = await fetch(f"{url}/health")
    found = json.loads(body)
    wrong = {name for name, value in found.items() if value is False or value is None}
    assert (status, found["status"]) == ((503, "failing") if wrong else (200, "ok"))
    return wrong


@pytest.mark.played
async def test_each_problem_is_named(talk: World, watched_bot: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("bot.discord.health.LOCKED", 0.05)
    home = talk.store.database.path.parent
    with closing(sqlite3.connect(home / NAME, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        assert await unhealthy(watched_bot) == {"store"}
    (home / "releases").mkdir(exist_ok=True)
    (home / "releases" / "champion").write_text("no number")
    assert await unhealthy(watched_bot) == {"champion"}
    (home / "releases" / "champion").unlink()
    monkeypatch.setattr(discord.ShardInfo, "is_closed", lambda _: True)
    assert await unhealthy(watched_bot) == {"discord"}
    monkeypatch.undo()
    monkeypatch.setattr("bot.engine.remote._PAUSE", 0)
    await talk.fake.stop()
    assert await unhealthy(watched_bot) == {"engine"}


@pytest.mark.played
async def test_the_figures_hold_what_happened_and_nobodys_ids(talk: World, watched_bot: str):
    answer = await talk.ask("my secret words")
    await talk.agree(talk.ada.id)
    await talk.ada.click(answer, label="👍")
    status, kind, text = await fetch(f"{watched_bot}/metrics")
    assert (status, kind) == (200, "text/plain; version=0.0.4; charset=utf-8")
    found = figures(text)
    assert found['parley_questions_total{platform="discord"}'] == 1
    assert found['parley_answers_total{finish_reason="stop"}'] == 1
    assert found['parley_ratings_total{kind="vote"}'] == 1
    assert found["parley_answers_running"] == found["parley_questions_waiting"] == 0
    assert found["parley_discord_connected"] == 1
    assert found["parley_discord_servers"] == 1
    assert found["parley_release"] == 0
    ids = [talk.ada.id, talk.guild.id, talk.channel.id, answer.id]
    assert not any(str(part) in text for part in (*ids, "secret", "ada", "general"))


@pytest.mark.played
async def test_reports_are_counted(talk: World):
    answer = await talk.ask("hello")
    await talk.agree(talk.bea.id)
    await talk.max.slash(talk.channel, "reports", channel=talk.channel)
    await talk.bea.context_menu(talk.channel, "Report this answer", answer)
    metrics = talk.app.chat.metrics
    assert figures(metrics.text())['parley_ratings_total{kind="report"}'] == 1


@pytest.mark.played
async def test_an_unusable_host_gives_a_sentence(talk: World):
    bot = talk.bot(metrics_port=0, metrics_host="192.0.2.1")
    with pytest.raises(BadInput, match=r"nothing can listen at 192\.0\.2\.1, port 0 \(.+\)"):
        async with health_served(bot.app):
            pass


@pytest.mark.played
async def test_without_a_port_nothing_listens(talk: World, caplog: pytest.LogCaptureFixture):
    caplog.set_level("INFO", logger="bot")
    async with health_served(talk.bot().app):
        assert "health and metrics" not in caplog.text


@pytest.mark.played
async def test_a_port_that_is_taken_gives_a_sentence(world: World):
    with closing(socket.create_server(("127.0.0.1", 0))) as taken:
        port = taken.getsockname()[1]
        settings = Settings(
            _env_file=None, home=world.store.database.path.parent, discord_token="x", metrics_port=port
        )
        with pytest.raises(BadInput, match=f"PARLEY_METRICS_PORT: nothing can listen at 127.0.0.1, port {port}"):
            await talk_on_discord(settings, world.store, Chat(world.store, world.engine))


@pytest.mark.played
async def test_requests_to_discord_are_counted_by_their_status(world: World):
    metrics = Metrics()
    async with DiscordServer("a-token") as server:
        session = aiohttp.ClientSession(trace_configs=[counted_requests(metrics)])
        async with session:
            async with session.get(f"{server.api}/users/@me", headers={"Authorization": "Bot a-token"}):
                pass
            async with session.patch(f"{server.api}/users/@me"):
                pass
            with pytest.raises(aiohttp.ClientError):
                await session.post("http://127.0.0.1:9/secret")
    assert {name: value for name, value in figures(metrics.text()).items() if "requests" in name} == {
        'parley_discord_requests_total{method="GET",status="200"}': 1,
        'parley_discord_requests_total{method="PATCH",status="401"}': 1,
        'parley_discord_requests_total{method="POST",status="none"}': 1,
    }


@pytest.mark.played
async def test_the_bot_counts_its_requests(world: World):
    bot: discord.Client = world.bot()
    assert isinstance(bot, Bot)
    assert bot.http.http_trace is not None
