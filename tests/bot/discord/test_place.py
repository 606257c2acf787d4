"""The places around a message, as settings see them."""

from typing import Any

import discord
import pytest

from bot.discord.place import scopes
from tests.bot.discord.world import World, said

ABROAD, MAIN, THREAD = 99, 6, 5


def thread_abroad(client: Any) -> discord.Thread:
    """A thread on a server without the bot, as a command there brings it: nothing around it is known."""
    data: Any = {
        "id": str(THREAD),
        "parent_id": str(MAIN),
        "owner_id": "7",
        "name": "abroad",
        "type": 11,
        "last_message_id": None,
        "message_count": 0,
        "member_count": 0,
        "thread_metadata": {
            "archived": False,
            "auto_archive_duration": 60,
            "archive_timestamp": "2026-01-01T00:00:00+00:00",
            "locked": False,
        },
    }
    state = client._connection
    return discord.Thread(guild=state._get_or_create_unavailable_guild(ABROAD), state=state, data=data)


@pytest.mark.played
async def test_a_thread_whose_channel_is_unknown_has_no_category(talk: World):
    found = scopes(thread_abroad(talk.env.bot), ABROAD, 3)
    expected = [("conversation", "3"), ("channel", str(THREAD)), ("channel", str(MAIN)), ("server", str(ABROAD))]
    assert found == expected


@pytest.mark.played
async def test_a_channel_and_its_threads_lie_in_its_category(talk: World):
    category = talk.guild.create_category("rooms")
    channel = talk.guild.create_text_channel("room", category=category)
    opened = await talk.ada.slash(channel, "chat")
    (number,) = [
        thread.id for guild in talk.env.bot.guilds for thread in guild.threads if str(thread.id) in said(opened)
    ]
    around = [("channel", str(channel.id)), ("channel", str(category.id)), ("server", str(talk.guild.id))]
    assert scopes(talk.env.bot.get_channel(channel.id), talk.guild.id) == around
    assert scopes(talk.env.bot.get_channel(number), talk.guild.id) == [("channel", str(number)), *around]


def test_a_thread_has_its_channels_persona():
    thread = discord.Object(7)
    thread.parent_id, thread.parent = 5, discord.Object(5)  # type: ignore[attr-defined]  # a stand-in
    thread.parent.category_id = 3  # type: ignore[attr-defined]  # a stand-in
    assert scopes(thread, 1) == [("channel", "7"), ("channel", "5"), ("channel", "3"), ("server", "1")]
    assert scopes(discord.Object(9), None) == [("channel", "9")]
