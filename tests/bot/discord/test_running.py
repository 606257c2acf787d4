"""How the bot stands on Discord: its shards and intents, the link that invites it, and a message that comes twice."""

import logging
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import discord
import pytest
import simcord
from hypothesis import given
from hypothesis import strategies as st

from bot.conversation import Chat
from bot.discord.client import intents, talk_on_discord
from bot.discord.hearing import hear
from bot.discord.invite import PERMISSIONS, invite_link
from bot.discord.seen import Seen
from bot.settings import Settings, load
from data import schema
from data.errors import BadInput
from tests.bot.discord.world import World


def test_message_content_is_asked_for_only_by_its_setting():
    asked = intents(Settings(_env_file=None, discord_message_content=True))
    assert asked.message_content
    assert not any((asked.members, asked.presences))
    assert not intents(Settings(_env_file=None)).message_content


@pytest.mark.parametrize("shards", ["0", "many", "1.5"])
def test_shards_are_a_number(monkeypatch: pytest.MonkeyPatch, shards: str):
    monkeypatch.setenv("PARLEY_SHARDS", shards)
    with pytest.raises(BadInput, match="PARLEY_SHARDS"):
        load(None)


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


# -- the invitation


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


async def test_the_link_is_logged_when_the_bot_is_ready(world: World, caplog: pytest.LogCaptureFixture):
    with caplog.at_level(logging.INFO, "bot"):
        async with simcord.run(world.bot(), approved_intents=discord.Intents.default()) as env:
            assert any(invite_link(env.bot.application_id or 0) in r.getMessage() for r in caplog.records)


# -- what comes twice


@given(st.lists(st.integers(0, 20)), st.integers(1, 8))
def test_an_id_is_new_once_within_what_is_remembered(ids: list[int], last: int):
    seen, told = Seen(last), []
    for number in ids:
        recent = list(dict.fromkeys(reversed(told)))[:last]
        assert seen.first(number) == (number not in recent)
        if number not in recent:
            told.append(number)


async def heard_again(talk: World, number: int) -> None:
    """Discord sends the message that is the channel's n-th once more."""
    bot: Any = talk.env.bot
    channel = bot.get_channel(talk.channel.id)
    await hear(bot.app, await channel.fetch_message(talk.channel.history()[number].id))


async def test_a_message_that_comes_twice_is_answered_once(talk: World):
    await talk.ask("hello")
    await talk.ask("")
    before = talk.contents()
    for number in (0, 2):
        await heard_again(talk, number)
    assert talk.contents() == before
    assert len(talk.fake.requests) == 1


async def test_a_message_that_was_answered_before_a_restart_is_not_answered_again(talk: World):
    await talk.ask("hello")
    before = talk.contents()
    await talk.env.restart_bot(talk.bot())
    await heard_again(talk, 0)
    assert talk.contents() == before
    assert len(await talk.rows(schema.Generation)) == 1


async def test_a_question_that_a_dead_process_left_open_is_answered_and_kept_once(talk: World):
    talk.fake.fail(400, message="no")
    await talk.ask("hello")
    assert await talk.rows(schema.Generation) == []
    await talk.env.restart_bot(talk.bot())
    await heard_again(talk, 0)
    assert talk.last().content == "a fake answer"
    assert [row.role for row in await talk.rows(schema.MessageRow)] == ["user", "assistant"]
