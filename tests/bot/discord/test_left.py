"""A server that removed the bot, as it comes to that on Discord: what was set there goes with what was said."""

from datetime import timedelta
from typing import Any

from bot.texts import EN
from data import schema
from data.schema import now
from tests.bot.discord.world import World


async def removed(talk: World) -> None:
    bot: Any = talk.env.bot
    (guild,) = bot.guilds
    bot._connection._guilds.clear()  # simcord's servers cannot remove it
    await bot.parley.on_guild_remove(guild)


async def test_what_was_set_in_channels_threads_and_conversations_goes_with_the_server(talk: World):
    await talk.max.slash(talk.channel, "threads", answer="on")
    await talk.max.slash(talk.channel, "persona", name="tutor")
    await talk.max.slash(talk.channel, "limits", person=5)
    await talk.max.slash(talk.channel, "limits", server=50, where="server")
    await talk.ada.slash(talk.channel, "ask", question="hello", persona="writer")
    await talk.max.slash(talk.channel, "teaching", allowed="on")
    await talk.ada.slash(talk.channel, "chat")
    (thread,) = talk.channel.threads
    await talk.ada.send(thread, "can you read this?")
    assert talk.last(thread).content == EN.cannot_read_thread  # that it was said is kept, too
    set_there = await talk.rows(schema.Setting)
    kinds = sorted(row.scope for row in set_there)
    assert kinds == ["channel"] * 5 + ["conversation", "server"]
    assert {row.server for row in set_there if row.scope == "channel"} == {str(talk.guild.id)}
    assert len(await talk.rows(schema.AuditRow)) >= 3
    await removed(talk)
    assert not await talk.store.may_teach("discord", str(talk.guild.id))
    await talk.store.purge(now() + timedelta(seconds=1))
    assert await talk.rows(schema.Setting) == []
    assert await talk.rows(schema.AuditRow) == []
