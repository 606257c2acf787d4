"""Whether everybody on a server can see where something is taught."""

from types import SimpleNamespace
from typing import Any

import discord
import pytest

from bot.discord.openness import everybody_sees
from tests.bot.discord.world import World

pytestmark = pytest.mark.played


def place(talk: World, channel: Any) -> Any:
    return SimpleNamespace(client=talk.env.bot, guild_id=talk.guild.id, channel_id=channel.id)


async def test_everybody_sees_a_channel_that_no_role_is_kept_from(talk: World):
    hidden = discord.PermissionOverwrite(view_channel=False)
    staff = talk.guild.create_text_channel("staff", overwrites={talk.guild.default_role: hidden})
    assert everybody_sees(place(talk, talk.channel))
    assert not everybody_sees(place(talk, staff))


async def test_a_thread_is_as_open_as_its_channel_unless_it_is_private(talk: World):
    thread = await talk.open_thread()
    assert everybody_sees(place(talk, thread))
    known = talk.env.bot.get_guild(talk.guild.id).get_thread(thread.id)
    known._type = discord.ChannelType.private_thread
    assert not everybody_sees(place(talk, thread))


async def test_what_the_bot_does_not_know_is_not_seen_by_everybody(talk: World):
    nowhere = SimpleNamespace(id=1)
    assert not everybody_sees(place(talk, nowhere))
    direct = SimpleNamespace(client=talk.env.bot, guild_id=None, channel_id=5)
    assert not everybody_sees(direct)


async def test_a_correction_says_whether_everybody_saw_it(talk: World):
    await talk.agree(talk.ada.id)
    opened = await talk.ada.click(await talk.ask("When is game night?"), label="✏️")
    await talk.ada.submit_modal(opened, {"text": "On Friday."})
    (lesson,) = await talk.store.lessons.every()
    assert lesson.place == f"server {talk.guild.id}"
