"""Reports: the moderators see the answer once, and nobody learns who reported it."""

import pytest

from bot.texts import EN
from data import schema
from tests.bot.discord.world import World, said

pytestmark = pytest.mark.played


async def test_a_report_is_shown_in_the_moderators_channel(talk: World):
    moderators = talk.guild.create_text_channel("moderators")
    answer = await talk.ask("hello")
    assert said(await talk.bea.context_menu(talk.channel, "Report this answer", answer)) == EN.reports_missing
    told = said(await talk.max.slash(talk.channel, "reports", channel=moderators))
    assert told == EN.reports_go.format(channel=f"<#{moderators.id}>")
    assert said(await talk.bea.context_menu(talk.channel, "Report this answer", answer)) == EN.reported
    assert talk.last(moderators).content == EN.reported_there.format(link=answer.jump_url)
    assert "bea" not in talk.last(moderators).content
    assert await talk.rows(schema.Rating) == []  # she never agreed that anything is kept
    await talk.agree(talk.ada.id)
    await talk.ada.context_menu(talk.channel, "Report this answer", answer)
    assert [row.kind for row in await talk.rows(schema.Rating)] == ["report"]


async def test_only_managers_choose_the_channel_and_take_it_back(talk: World):
    moderators = talk.guild.create_text_channel("moderators")
    answer = await talk.ask("hello")
    await talk.max.slash(talk.channel, "reports", channel=moderators)
    assert said(await talk.max.slash(talk.channel, "reports")) == EN.reports_off
    assert said(await talk.ada.context_menu(talk.channel, "Report this answer", answer)) == EN.reports_missing
    question = talk.channel.history()[0]
    assert said(await talk.ada.context_menu(talk.channel, "Report this answer", question)) == EN.no_answer_here


@pytest.mark.parametrize("agreed", [True, False])
async def test_an_answer_is_reported_once_by_each_person(talk: World, agreed: bool):
    moderators = talk.guild.create_text_channel("moderators")
    answer = await talk.ask("hello")
    other = await talk.ask("hello again")
    await talk.max.slash(talk.channel, "reports", channel=moderators)
    if agreed:
        await talk.agree(talk.ada.id)
    for member, reported in ((talk.ada, answer), (talk.ada, answer), (talk.bea, answer), (talk.ada, other)):
        assert said(await member.context_menu(talk.channel, "Report this answer", reported)) == EN.reported
    assert len(moderators.history()) == 3
    assert [row.kind for row in await talk.rows(schema.Rating)] == ["report"] * 2 * agreed
    await talk.env.restart_bot(talk.bot())
    assert said(await talk.ada.context_menu(talk.channel, "Report this answer", answer)) == EN.reported
    assert len(moderators.history()) == 3 if agreed else 4  # nothing is stored about a person who did not agree


async def test_a_report_that_did_not_arrive_may_be_made_again(talk: World):
    moderators = talk.guild.create_text_channel("moderators")
    answer = await talk.ask("hello")
    await talk.max.slash(talk.channel, "reports", channel=moderators)
    talk.env.inject_error("POST", "/channels/*/messages", status=403)
    assert said(await talk.ada.context_menu(talk.channel, "Report this answer", answer)) == EN.reports_missing
    assert said(await talk.ada.context_menu(talk.channel, "Report this answer", answer)) == EN.reported
    assert len(moderators.history()) == 1
