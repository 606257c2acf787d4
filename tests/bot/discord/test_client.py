"""Parley's own client: intents, logins that fail, shards, and the link that invites it."""

import logging
from pathlib import Path
from unittest.mock import Mock

import discord
import pytest
import simcord

from bot.conversation import Chat
from bot.discord.client import intents, talk_on_discord
from bot.discord.invite import PERMISSIONS, invite_link
from bot.settings import Settings, load
from data import schema
from data.errors import BadInput
from tests.bot.discord.world import World


def test_the_only_privileged_intent_is_message_content_if_it_is_set():
    asked = intents(Settings(_env_file=None))
    assert not any((asked.message_content, asked.members, asked.presences))
    asked = intents(Settings(_env_file=None, discord_message_content=True))
    assert asked.message_content
    assert not any((asked.members, asked.presences))


@pytest.mark.played
async def test_a_token_that_discord_refuses_gives_a_sentence(world: World, monkeypatch: pytest.MonkeyPatch):
    async def refuse(self: discord.Client, token: str) -> None:
        raise discord.LoginFailure("Improper token has been passed.")

    monkeypatch.setattr(discord.Client, "login", refuse)
    settings = Settings(_env_file=None, discord_token="very-secret")
    with pytest.raises(BadInput, match="DISCORD_TOKEN") as error:
        await talk_on_discord(settings, world.store, Chat(world.store, world.engine))
    assert "secret" not in str(error.value)


@pytest.mark.played
async def test_a_discord_that_cannot_be_reached_gives_a_sentence(world: World, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(discord.http.Route, "BASE", discord.http.Route.BASE)

    async def unreachable(self: discord.Client, token: str) -> None:
        raise OSError("no route")

    monkeypatch.setattr(discord.Client, "login", unreachable)
    settings = Settings(_env_file=None, discord_token="x", discord_api="http://127.0.0.1:9/api/v10")
    with pytest.raises(BadInput, match=r"http://127\.0\.0\.1:9/api/v10"):
        await talk_on_discord(settings, world.store, Chat(world.store, world.engine))


@pytest.mark.played
@pytest.mark.parametrize(
    ("refusal", "told"),
    [
        (
            discord.PrivilegedIntentsRequired(0),
            r"PARLEY_DISCORD_MESSAGE_CONTENT.*https://discord\.com/developers/applications.*Message Content Intent",
        ),
        (discord.GatewayNotFound(), "gateway"),
        (discord.ConnectionClosed(Mock(), shard_id=0, code=4011), "unset PARLEY_SHARDS"),
        (discord.ConnectionClosed(Mock(), shard_id=0, code=4004), r"code 4004\)\.$"),
    ],
)
async def test_a_refused_connection_says_what_to_do(
    world: World, monkeypatch: pytest.MonkeyPatch, refusal: Exception, told: str
):
    async def refuse(self: discord.Client, token: str) -> None:
        raise refusal

    monkeypatch.setattr(discord.Client, "login", refuse)
    settings = Settings(_env_file=None, discord_token="x", discord_message_content=True)
    with pytest.raises(BadInput, match=told):
        await talk_on_discord(settings, world.store, Chat(world.store, world.engine))


@pytest.mark.parametrize("shards", ["0", "many", "1.5"])
def test_shards_are_a_number(monkeypatch: pytest.MonkeyPatch, shards: str):
    monkeypatch.setenv("PARLEY_SHARDS", shards)
    with pytest.raises(BadInput, match="PARLEY_SHARDS"):
        load(None)


@pytest.mark.played
async def test_every_shard_talks(world: World):
    async with simcord.run(world.bot(shards=3), approved_intents=discord.Intents.default()) as env:
        for shard in range(3):
            guild = env.create_guild(shard_id=shard)
            channel = guild.create_text_channel("general")
            ada = guild.add_member(env.create_user(f"ada-{shard}"))
            assert env.bot.user is not None
            await ada.send(channel, f"{env.bot.user.mention} hello")
            assert channel.last_message is not None
            assert channel.last_message.content == "a fake answer"
        assert len(env.bot.guilds) == 3
        servers = await world.rows(schema.Server)
        assert [server.left_at for server in servers] == [None] * 3


def test_the_link_asks_for_what_is_used_and_for_nothing_else():
    assert {name for name, allowed in PERMISSIONS if allowed} == {
        "read_messages",  # discord.py's other name for view_channel
        "send_messages",
        "send_messages_in_threads",
        "create_public_threads",
        "read_message_history",
        "attach_files",
    }
    link = invite_link(123)
    assert link.startswith("https://discord.com/oauth2/authorize?client_id=123&")
    assert "scope=bot+applications.commands" in link
    assert f"permissions={PERMISSIONS.value}" in link


@pytest.mark.parametrize("readme", ["README.md", "README.zh-CN.md"])
def test_the_readme_shows_the_link(readme: str):
    link = invite_link(123).replace("123", "YOUR_APPLICATION_ID", 1)
    assert f"`{link}`" in (Path(__file__).parents[3] / readme).read_text(encoding="utf-8")


@pytest.mark.played
async def test_the_link_is_logged_when_the_bot_is_ready(world: World, caplog: pytest.LogCaptureFixture):
    with caplog.at_level(logging.INFO, "bot"):
        async with simcord.run(world.bot(), approved_intents=discord.Intents.default()) as env:
            assert any(invite_link(env.bot.application_id or 0) in r.getMessage() for r in caplog.records)
