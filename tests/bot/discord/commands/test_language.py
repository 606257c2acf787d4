"""`/language`: the most specific place decides in which language the bot speaks."""

import discord
import pytest

from bot.texts import EN, ZH
from data import schema
from data.personas import persona
from tests.bot.discord.world import World, said

pytestmark = pytest.mark.played


async def test_the_most_specific_place_decides(talk: World):
    told = await talk.max.slash(talk.channel, "language", name="zh", where="server")
    assert said(told) == EN.language_now.format(name="Chinese")
    await talk.ada.send(talk.channel, talk.me)
    assert talk.last().content == ZH.mention_only
    await talk.ask("one")
    assert talk.fake.requests[-1]["messages"][0]["content"] == persona("assistant", "zh").system_prompt
    assert (await talk.rows(schema.Conversation))[-1].language == "zh"
    await talk.max.slash(talk.channel, "language", name="en")
    await talk.ada.send(talk.channel, talk.me)
    assert talk.last().content == EN.mention_only
    other = talk.guild.create_text_channel("other")
    await talk.ada.send(other, talk.me)
    assert talk.last(other).content == ZH.mention_only
    await talk.max.slash(talk.channel, "language", name="default")
    await talk.ada.send(talk.channel, talk.me)
    assert talk.last().content == ZH.mention_only
    assert await talk.log() == [
        ("language", {"name": "zh", "where": "server"}),
        ("language", {"name": "en", "where": "here"}),
        ("language", {"name": "default", "where": "here"}),
    ]


async def test_only_managers_change_it(talk: World, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(discord.Interaction, "permissions", discord.Permissions.none())
    assert said(await talk.max.slash(talk.channel, "language", name="zh")) == EN.managers_only
    assert await talk.rows(schema.Setting) == []


async def test_a_thread_follows_its_channel_and_a_servers_own_persona_keeps_its_text(reading: World):
    await reading.max.slash(reading.channel, "language", name="zh")
    thread = await reading.open_thread()
    assert reading.last(thread).content.startswith(persona("assistant", "zh").greeting)
    own = {"system_prompt": "You are a cat.", "greeting": "Meow."}
    server = ("server", str(reading.guild.id))
    await reading.store.set_setting("personas", server, {"cat": own})
    await reading.store.set_setting("persona", server, "cat")
    await reading.ada.send(thread, "one")
    assert reading.fake.requests[-1]["messages"][0]["content"] == "You are a cat."
    assert (await reading.rows(schema.Conversation))[-1].language == "zh"
