"""`/access`: whom the bot answers on a server, and where, as its managers decide."""

import json
from typing import Any

import discord
import pytest

from bot.access import MOST
from bot.discord.windows import REASONS
from bot.texts import EN
from data import schema
from tests.bot.discord.world import RATE, World, reply_of

pytestmark = pytest.mark.played


async def everything(talk: World, answer: discord.Message) -> list[str]:
    """What Ada is told about each way to get an answer or to rate one; her plain message is the last."""
    question = talk.channel.history()[0]
    told = [reply_of(await talk.ada.slash(talk.channel, "ask", question="hello"))]
    told.append(reply_of(await talk.ada.context_menu(talk.channel, "Answer this", question)))
    told += [reply_of(await talk.ada.click(answer, label=label)) for label in RATE]
    for menu in ("Correct this answer", "Rate this answer", "Report this answer"):
        told.append(reply_of(await talk.ada.context_menu(talk.channel, menu, answer)))
    assert all(one.ephemeral for one in told)
    return [one.content for one in told]


async def test_a_blocked_person_gets_no_answers_and_rates_nothing_and_is_told_in_private(talk: World):
    answer = await talk.ask("hello")
    await talk.agree(talk.ada.id)
    window = await talk.ada.click(answer, label="✏️")
    reasons = await talk.ada.click(answer, label="👎")
    rated = len(await talk.rows(schema.Rating))
    assert talk.ada.mention in reply_of(await talk.max.slash(talk.channel, "access block", who=talk.ada)).content
    before = talk.contents()
    assert set(await everything(talk, answer)) == {EN.access_person}
    await talk.ada.send(talk.channel, f"{talk.me} and this?")
    assert talk.contents() == [
        *before,
        f"{talk.me} and this?",
    ]  # no command left anything, and the bot is silent
    for opened, fields in ((window, {"text": "better"}), (reasons, {"reasons": [REASONS[0]]})):
        assert (await talk.ada.submit_modal(opened, fields)).followups[0].content == EN.access_person
    assert len(await talk.rows(schema.Rating)) == rated
    assert len(await talk.rows(schema.Generation)) == 1
    assert len([row for row in await talk.rows(schema.MessageRow) if row.role == "user"]) == 1
    await talk.bea.send(talk.channel, f"{talk.me} hello")
    assert talk.last().content == "a fake answer"
    await talk.ada.user.send_dm("hello")  # a server's list holds only on that server
    assert talk.last(talk.ada.user.dm_channel).content == "a fake answer"
    await talk.max.slash(talk.channel, "access clear", who=talk.ada)
    assert (await talk.ask("again")).content == "a fake answer"


async def test_a_blocked_person_keeps_their_rights_and_can_take_ratings_back(talk: World):
    answer = await talk.ask("hello")
    await talk.agree(talk.ada.id)
    stored = (await talk.ada.click(answer, label="👍")).followups[0]
    await talk.max.slash(talk.channel, "access block", who=talk.ada)
    await talk.ada.click(stored, label=EN.take_back)
    assert [row.kind for row in await talk.rows(schema.Rating)] == ["vote", "retraction"]
    await talk.ada.click(reply_of(await talk.ada.slash(talk.channel, "forget")), label=EN.forget_yes)
    assert await talk.rows(schema.Rating) == []


async def test_an_export_shows_a_person_the_lists_that_they_are_on(talk: World):
    await talk.max.slash(talk.channel, "access block", who=talk.ada)
    for member, lists in ((talk.ada, {str(talk.guild.id): "block"}), (talk.bea, {})):
        (file,) = reply_of(await member.slash(talk.channel, "export")).attachments
        assert json.loads(await file.read())["server_lists"] == lists


async def test_blocking_a_role_blocks_everybody_who_has_it(talk: World):
    role = talk.guild.create_role("visitors")
    cem = talk.guild.add_member(talk.env.create_user("cem"), roles=[role])
    await talk.max.slash(talk.channel, "access block", who=role)
    await cem.send(talk.channel, f"{talk.me} hello")
    assert talk.contents() == [f"{talk.me} hello"]
    assert reply_of(await cem.slash(talk.channel, "ask", question="hello")).content == EN.access_person
    await talk.ask("hello")
    assert len(talk.fake.requests) == 1


async def test_once_somebody_is_allowed_only_they_and_managers_are_answered(talk: World):
    await talk.max.slash(talk.channel, "access allow", who=talk.bea)
    for _ in range(2):
        await talk.ada.send(talk.channel, f"{talk.me} hello")
    # She is told why once, because she cannot know it. A second time would be noise.
    assert talk.contents() == [f"{talk.me} hello", EN.access_unlisted, f"{talk.me} hello"]
    assert reply_of(await talk.ada.slash(talk.channel, "ask", question="hello")).content == EN.access_unlisted
    assert talk.fake.requests == []
    for member in (talk.bea, talk.max):
        await member.send(talk.channel, f"{talk.me} hello")
        assert talk.last().content == "a fake answer"


async def test_the_most_specific_place_wins(talk: World):
    category = talk.guild.create_category("fun")
    quiet, loud = (talk.guild.create_text_channel(name, category=category) for name in ("quiet", "loud"))
    thread_id = talk.env.backend.create_thread(quiet.id, "a thread", talk.ada.id).id
    (thread,) = (one for one in quiet.threads if one.id == thread_id)

    async def answered(place: Any) -> bool:
        asked = len(talk.fake.requests)
        await talk.ada.send(place, f"{talk.me} hello")
        return len(talk.fake.requests) > asked

    await talk.max.slash(talk.channel, "access block", everywhere=True)
    assert not await answered(talk.channel)
    await talk.max.slash(talk.channel, "access allow", where=category)
    assert [await answered(place) for place in (talk.channel, quiet, loud, thread)] == [False, True, True, True]
    await talk.max.slash(talk.channel, "access block", where=quiet)
    assert [await answered(place) for place in (quiet, loud, thread)] == [False, True, False]
    told = reply_of(await talk.max.slash(talk.channel, "access allow", where=thread)).content
    assert told.splitlines() == [
        EN.access_places_allowed.format(names=f"{category.mention}, {thread.mention}"),
        EN.access_places_blocked.format(names=f"{EN.access_whole_server}, {quiet.mention}"),
        EN.access_managers,
    ]
    assert [await answered(place) for place in (quiet, loud, thread)] == [False, True, True]
    assert reply_of(await talk.ada.slash(quiet, "ask", question="hello")).content == EN.access_place


async def test_managers_are_never_locked_out(talk: World):
    await talk.max.slash(talk.channel, "access block", who=talk.max, where=talk.channel, everywhere=True)
    await talk.max.send(talk.channel, f"{talk.me} hello")
    assert talk.last().content == "a fake answer"
    await talk.max.slash(talk.channel, "ask", question="hello")
    assert talk.last().content == "a fake answer"


async def test_members_are_refused_even_if_the_command_is_shown_to_them(talk: World, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(discord.Interaction, "permissions", discord.Permissions.none())
    for command in ("access allow", "access block", "access clear"):
        assert reply_of(await talk.max.slash(talk.channel, command, everywhere=True)).content == EN.managers_only
    assert reply_of(await talk.max.slash(talk.channel, "access list")).content == EN.managers_only
    assert await talk.rows(schema.Setting) == []


async def test_a_missing_choice_gives_a_sentence_and_changes_are_recorded(talk: World):
    assert reply_of(await talk.max.slash(talk.channel, "access block")).content == EN.access_choose
    listed = f"{EN.access_nothing}\n{EN.access_managers}"
    assert reply_of(await talk.max.slash(talk.channel, "access list")).content == listed
    assert await talk.log() == []
    await talk.max.slash(talk.channel, "access block", who=talk.ada, where=talk.channel)
    await talk.max.slash(talk.channel, "access clear", who=talk.ada)
    whom = await talk.store.person("discord", str(talk.ada.id))  # not her id on Discord
    assert await talk.log() == [
        ("access", {"verdict": "block", "kind": "user", "whom": whom}),
        ("access", {"verdict": "block", "kind": "channel", "whom": str(talk.channel.id)}),
        ("access", {"verdict": "clear", "kind": "user", "whom": whom}),
    ]


async def test_a_long_list_is_shown_whole_and_a_full_one_gives_a_sentence(talk: World):
    full = {f"user:{10**18 + number}": "block" for number in range(MOST)}
    await talk.store.set_setting("access", ("server", str(talk.guild.id)), full)
    shown = await talk.max.slash(talk.channel, "access list")
    pages = [message.content for message in (shown.response, *shown.followups) if message]
    assert len(pages) > 2
    assert "".join(pages).count("<@1") == MOST
    told = reply_of(await talk.max.slash(talk.channel, "access block", who=talk.ada)).content
    assert told == EN.access_full.format(most=MOST)


async def test_what_managers_do_is_recorded_for_them_and_their_server(talk: World):
    await talk.max.slash(talk.channel, "teaching", allowed="off")
    await talk.max.slash(talk.channel, "reports", channel=talk.channel)
    await talk.max.slash(talk.channel, "reports")
    await talk.max.slash(talk.channel, "persona", name="tutor", where="server")
    await talk.max.slash(talk.channel, "persona")  # this only shows it
    await talk.ada.user.slash("persona", name="tutor")  # only for herself
    assert await talk.log() == [
        ("teaching", {"allowed": "off"}),
        ("reports", {"channel": talk.channel.id}),
        ("reports", {"channel": None}),
        ("persona", {"name": "tutor", "where": "server"}),
    ]
    max_ = await talk.store.person("discord", str(talk.max.id))
    assert {(entry.person, entry.server) for entry in await talk.store.deeds(None, 9)} == {(max_, str(talk.guild.id))}
