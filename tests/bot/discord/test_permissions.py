"""What the bot does without permissions that it would like to have: it answers as well as it may."""

import discord
import pytest

from bot.discord import place
from bot.texts import EN
from tests.bot.discord.world import World, reply_of, said

pytestmark = pytest.mark.played

SEND = "/channels/*/messages"


@pytest.fixture(autouse=True)
def _nothing_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(place, "_refused", {})


def replies_tried(talk: World) -> int:
    bodies = [r.json for r in talk.env.http_requests if r.method == "POST" and isinstance(r.json, dict)]
    return sum("message_reference" in body for body in bodies)


async def test_without_read_message_history_it_answers_with_plain_messages(talk: World):
    talk.env.inject_error("POST", SEND, status=403, code=place.NO_HISTORY)
    answer = await talk.ask("one")
    assert (answer.content, answer.reference) == ("a fake answer", None)
    assert replies_tried(talk) == 1
    answer = await talk.ask("two")  # the channel is remembered
    assert (answer.content, answer.reference) == ("a fake answer", None)
    assert (await talk.ask("")).content == EN.mention_only
    assert replies_tried(talk) == 1
    other = talk.guild.create_text_channel("other")
    await talk.ada.send(other, f"{talk.me} three")
    assert talk.last(other).reference is not None


async def test_a_refused_reply_is_tried_again_after_a_while(talk: World, monkeypatch: pytest.MonkeyPatch):
    talk.env.inject_error("POST", SEND, status=400, code=place.NO_HISTORY)
    assert (await talk.ask("")).reference is None
    monkeypatch.setattr(place, "_NOT_ASKED", 0.0)
    assert (await talk.ask("")).reference is not None


async def test_a_message_that_cannot_be_replied_to_is_answered_all_the_same(talk: World):
    talk.env.inject_error("POST", SEND, status=400, code=50035, message="In message_reference: not this one")
    answer = await talk.ask("one")
    assert (answer.content, answer.reference) == ("a fake answer", None)
    assert (await talk.ask("two")).reference is not None


async def test_where_it_may_not_write_in_threads_it_opens_none(talk: World):
    await talk.max.slash(talk.channel, "threads", answer="on")
    no_threads = discord.PermissionOverwrite(send_messages_in_threads=False)
    here = talk.guild.create_text_channel("here", overwrites={talk.guild.default_role: no_threads})
    await talk.max.slash(here, "threads", answer="on")
    await talk.ada.send(here, f"{talk.me} one")
    assert talk.last(here).content == "a fake answer"
    assert here.threads == []
    assert said(await talk.ada.slash(here, "chat")) == EN.chat_refused
    assert here.threads == []


async def test_without_attach_files_an_export_says_so(talk: World):
    talk.env.inject_error("POST", "/webhooks/*", status=403, code=50013)
    assert said(await talk.ada.slash(talk.channel, "export")) == EN.no_files_here
    assert reply_of(await talk.ada.slash(talk.channel, "export")).attachments
