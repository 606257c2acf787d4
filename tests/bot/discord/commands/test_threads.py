"""`/chat` and `/threads`: who may have a thread, who owns it, and what is stored about that."""

import json

import discord
import pytest

from bot.discord.commands.threads import AN_HOUR
from bot.texts import EN
from data import schema
from data.settings import OPENED_FOR
from tests.bot.discord.world import World, reply_of, said

pytestmark = pytest.mark.played


async def test_a_blocked_person_gets_no_thread(talk: World):
    await talk.max.slash(talk.channel, "access block", who=talk.ada)
    assert said(await talk.ada.slash(talk.channel, "chat")) == EN.access_person
    assert talk.channel.threads == []


async def test_the_bot_opens_no_thread_for_a_person_who_may_not_open_one(talk: World):
    closed = discord.PermissionOverwrite(create_public_threads=False)
    quiet = talk.guild.create_text_channel("quiet", overwrites={talk.ada: closed})
    assert said(await talk.ada.slash(quiet, "chat")) == EN.chat_not_allowed
    assert quiet.threads == []
    assert said(await talk.bea.slash(quiet, "chat")).startswith("Your thread is open")


async def test_nobody_floods_a_server_with_threads(talk: World):
    talk.env.inject_error("POST", "/channels/*/threads", status=403)
    assert said(await talk.ada.slash(talk.channel, "chat")) == EN.chat_refused  # this does not count
    for _ in range(AN_HOUR):
        assert said(await talk.ada.slash(talk.channel, "chat")).startswith("Your thread is open")
    assert said(await talk.ada.slash(talk.channel, "chat")) == EN.chat_enough.format(limit=AN_HOUR, minutes=60)
    assert len(talk.channel.threads) == AN_HOUR
    assert said(await talk.bea.slash(talk.channel, "chat")).startswith("Your thread is open")


async def test_a_thread_that_could_not_be_greeted_takes_room_too(talk: World):
    for _ in range(AN_HOUR):
        talk.env.inject_error("POST", "/channels/*/messages", status=403)
        assert said(await talk.ada.slash(talk.channel, "chat")) == EN.chat_refused
    assert said(await talk.ada.slash(talk.channel, "chat")) == EN.chat_enough.format(limit=AN_HOUR, minutes=60)


async def test_what_managers_decide_about_threads_is_recorded(talk: World):
    await talk.max.slash(talk.channel, "threads", answer="on")
    assert await talk.log() == [("threads", {"answer": "on"})]


@pytest.mark.parametrize("how", ["command", "mention"])
async def test_the_person_for_whom_a_thread_was_opened_chooses_its_persona(talk: World, how: str):
    if how == "command":
        await talk.ada.slash(talk.channel, "chat")
    else:
        await talk.max.slash(talk.channel, "threads", answer="on")
        await talk.ada.send(talk.channel, f"{talk.me} hello")
    (thread,) = talk.channel.threads
    await talk.env.restart_bot(talk.bot())
    assert said(await talk.bea.slash(thread, "persona", name="tutor")) == EN.managers_only
    assert said(await talk.ada.slash(thread, "persona", name="tutor")).endswith("You are talking to tutor.")
    assert said(await talk.ada.slash(thread, "persona", name="tutor", where="server")) == EN.managers_only
    assert said(await talk.ada.slash(talk.channel, "persona", name="tutor")) == EN.managers_only


async def test_the_owner_of_a_thread_is_exported_and_forgotten(talk: World):
    await talk.ada.slash(talk.channel, "chat")
    await talk.bea.slash(talk.channel, "chat")
    mine, other = (str(next(t.id for t in talk.channel.threads if t.name == name)) for name in ("ada", "bea"))
    exported = await talk.ada.slash(talk.channel, "export")
    (file,) = reply_of(exported).attachments
    assert json.loads(await file.read())["threads"] == [mine]
    await talk.ada.click(reply_of(await talk.ada.slash(talk.channel, "forget")), label=EN.forget_yes)
    left = [row.scope_id for row in await talk.rows(schema.Setting) if row.key == OPENED_FOR]
    assert left == [other]
    thread = next(one for one in talk.channel.threads if str(one.id) == mine)
    assert said(await talk.ada.slash(thread, "persona", name="tutor")) == EN.managers_only
