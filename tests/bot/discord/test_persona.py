"""Whom people talk to, by channel and server."""

import discord

from bot.discord.place import scopes
from bot.texts import EN
from data.personas import persona
from tests.bot.discord.world import World, said


def prompted(talk: World) -> str:
    return str(talk.fake.requests[-1]["messages"][0]["content"])


async def test_managers_choose_for_a_channel_and_for_the_server(talk: World):
    other = talk.guild.create_text_channel("other")
    assert "tutor" in said(await talk.max.slash(talk.channel, "persona", name="tutor", where="server"))
    await talk.ask("hello")
    assert prompted(talk) == persona("tutor").system_prompt
    assert said(await talk.max.slash(talk.channel, "persona", name="writer")).endswith("You are talking to writer.")
    await talk.ask("hello")
    assert prompted(talk) == persona("writer").system_prompt
    await talk.ada.send(other, f"{talk.me} hello")
    assert prompted(talk) == persona("tutor").system_prompt
    await talk.max.slash(talk.channel, "persona", name="default")
    await talk.ask("hello")
    assert prompted(talk) == persona("tutor").system_prompt


def test_a_thread_has_its_channels_persona():
    thread = discord.Object(7)
    thread.parent_id, thread.parent = 5, discord.Object(5)  # type: ignore[attr-defined]
    thread.parent.category_id = 3  # type: ignore[attr-defined]
    assert scopes(thread, 1) == [("channel", "7"), ("channel", "5"), ("channel", "3"), ("server", "1")]
    assert scopes(discord.Object(9), None) == [("channel", "9")]


async def test_members_are_told_and_do_not_choose(talk: World):
    assert said(await talk.ada.slash(talk.channel, "persona")).endswith("You are talking to assistant.")
    assert said(await talk.ada.slash(talk.channel, "persona", name="tutor")) == EN.managers_only
    assert said(await talk.ada.slash(talk.channel, "persona", name="tutor", where="server")) == EN.managers_only
    await talk.ask("hello")
    assert prompted(talk) == persona("assistant").system_prompt


async def test_in_a_direct_conversation_everybody_chooses_for_themselves(talk: World):
    user = talk.ada.user
    await user.slash("persona", name="tutor")
    await user.send_dm("hello")
    assert prompted(talk) == persona("tutor").system_prompt
    await talk.bea.user.send_dm("hello")
    assert prompted(talk) == persona("assistant").system_prompt
