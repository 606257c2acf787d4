"""👍 and 👎 as reactions to an answer are votes, with the consent that the buttons need."""

import discord
import pytest

from bot.discord.reactions import vote_of
from bot.texts import EN
from data import schema
from tests.bot.discord.world import World, said


async def votes(talk: World) -> list[tuple[str, str | None]]:
    return [(row.kind, row.value) for row in await talk.rows(schema.Rating)]


@pytest.mark.parametrize(
    ("emoji", "vote"),
    [("👍", "up"), ("👎", "down"), ("👍🏽", "up"), ("👎🏿", "down"), ("👍\ufe0f", "up"), ("🎉", None), ("👌", None)],
)
def test_thumbs_of_every_skin_tone_are_votes(emoji: str, vote: str | None):
    assert vote_of(emoji) == vote


@pytest.mark.played
async def test_reactions_of_people_who_agreed_are_votes_and_taking_them_back_is_a_retraction(talk: World):
    await talk.agree(talk.bea.id)
    answer = await talk.ask("one")
    await talk.bea.react(answer, "👍🏾")
    await talk.bea.react(answer, "🎉")
    assert await votes(talk) == [("vote", "up")]
    (row,) = await talk.rows(schema.Rating)
    assert str(answer.id) not in row.source_id  # it would outlive the answer's erasure, and lead to it
    await talk.bea.unreact(answer, "🎉")
    await talk.bea.unreact(answer, "👍🏾")
    assert await votes(talk) == [("vote", "up"), ("retraction", None)]
    await talk.bea.react(answer, "👎")
    assert await votes(talk) == [("vote", "up"), ("retraction", None), ("vote", "down")]


@pytest.mark.played
async def test_of_both_the_newer_counts_and_what_is_left_counts_again(talk: World):
    await talk.agree(talk.bea.id)
    answer = await talk.ask("one")
    await talk.bea.react(answer, "👍")
    await talk.bea.react(answer, "👍🏽")
    await talk.bea.react(answer, "👎")
    assert await votes(talk) == [("vote", "up"), ("vote", "down")]
    await talk.bea.unreact(answer, "👎")
    assert await votes(talk) == [("vote", "up"), ("vote", "down"), ("vote", "up")]
    await talk.bea.unreact(answer, "👍")  # the other thumb still says it
    assert len(await votes(talk)) == 3
    await talk.bea.unreact(answer, "👍🏽")
    assert (await votes(talk))[3:] == [("retraction", None)]


@pytest.mark.played
async def test_answers_of_an_earlier_process_are_voted_on_and_other_messages_are_not(talk: World):
    await talk.agree(talk.bea.id)
    answer = await talk.ask("one")
    question = await talk.ada.send(talk.channel, "hello everybody")
    await talk.env.restart_bot(talk.bot())
    await talk.bea.react(question, "👍")
    assert await votes(talk) == []
    await talk.bea.react(answer, "👍")
    assert await votes(talk) == [("vote", "up")]


@pytest.mark.played
async def test_consent_is_asked_once_in_a_direct_message_and_a_yes_keeps_the_vote(talk: World):
    answer = await talk.ask("one")
    await talk.bea.react(answer, "👎")
    direct = talk.bea.user.dm_channel
    asked = talk.last(direct)
    assert asked.content.startswith(EN.reaction_asks)
    assert EN.consent_question_held.split("{")[0] in asked.content
    await talk.bea.unreact(answer, "👎")
    await talk.bea.react(answer, "👍")
    await talk.env.restart_bot(talk.bot())
    await talk.bea.unreact(answer, "👍")
    await talk.bea.react(answer, "👎")
    assert len(direct.history()) == 1
    assert await votes(talk) == []
    await talk.bea.user.click(asked, label=EN.yes)
    assert await votes(talk) == [("vote", "down")]
    await talk.ada.react(answer, "👍")  # asked by another person's reaction: each is asked
    assert talk.last(talk.ada.user.dm_channel).content.startswith(EN.reaction_asks)


@pytest.mark.played
async def test_people_who_refused_are_never_asked(talk: World):
    await talk.store.set_consent(await talk.store.person("discord", str(talk.bea.id)), False)
    answer = await talk.ask("one")
    await talk.bea.react(answer, "👍")
    assert await votes(talk) == []
    assert [row for row in await talk.rows(schema.Setting) if row.scope == "person"] == []


@pytest.mark.played
async def test_where_a_person_takes_no_direct_messages_the_channel_is_told_once(talk: World):
    answer = await talk.ask("one")
    talk.env.inject_error("POST", "/users/@me/channels", status=403)
    await talk.bea.react(answer, "👍")
    assert talk.last().content == EN.reaction_how
    talk.env.inject_error("POST", "/users/@me/channels", status=403)
    await talk.ada.react(answer, "👍")
    assert talk.contents().count(EN.reaction_how) == 1


@pytest.mark.played
async def test_managers_turn_them_off_and_on(talk: World):
    await talk.agree(talk.bea.id)
    answer = await talk.ask("one")
    assert said(await talk.max.slash(talk.channel, "reactions", count="off")) == EN.reactions_off
    await talk.bea.react(answer, "👍")
    assert await votes(talk) == []
    assert said(await talk.max.slash(talk.channel, "reactions", count="on")) == EN.reactions_on
    await talk.bea.react(answer, "👎")
    assert await votes(talk) == [("vote", "down")]
    assert await talk.log() == [("reactions", {"count": "off"}), ("reactions", {"count": "on"})]


@pytest.mark.played
async def test_nobody_votes_where_teaching_is_off_or_where_they_are_blocked(talk: World):
    await talk.agree(talk.bea.id)
    answer = await talk.ask("one")
    await talk.max.slash(talk.channel, "teaching", allowed="off")
    await talk.bea.react(answer, "👍")
    await talk.max.slash(talk.channel, "teaching", allowed="on")
    await talk.max.slash(talk.channel, "access block", who=talk.bea)
    await talk.bea.react(answer, "👎")
    assert await votes(talk) == []


@pytest.mark.played
async def test_what_a_person_was_asked_is_forgotten_with_them(talk: World):
    answer = await talk.ask("one")
    await talk.bea.react(answer, "👍")
    assert [row.key for row in await talk.rows(schema.Setting) if row.scope == "person"] == ["asked_for_consent"]
    await talk.store.eraser.forget(await talk.store.person("discord", str(talk.bea.id)))
    assert [row for row in await talk.rows(schema.Setting) if row.scope == "person"] == []


@pytest.mark.played
async def test_only_managers_decide(talk: World, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(discord.Interaction, "permissions", discord.Permissions.none())
    assert said(await talk.max.slash(talk.channel, "reactions", count="off")) == EN.managers_only
