"""Whose word counts: a yes to a text that was shown, who deletes an answer, how often somebody reports one."""

import pytest

from bot.texts import EN
from data import schema
from tests.bot.discord.world import World, said

# -- consent


async def test_a_yes_by_command_shows_what_it_is_a_yes_to(talk: World):
    result = await talk.ada.slash(talk.channel, "consent", answer="yes")
    assert said(result) == EN.consent_question_held.format(days=30)
    assert await talk.rows(schema.Consent) == []
    await talk.ada.click(result.followups[0] if result.followups else result.response, label=EN.yes)
    assert [row.granted for row in await talk.rows(schema.Consent)] == [True]
    again = await talk.ada.slash(talk.channel, "consent", answer="yes")
    assert said(again) == EN.consent_question_held.format(days=30)  # not that it had changed
    assert len(await talk.rows(schema.Consent)) == 1
    assert said(await talk.ada.slash(talk.channel, "consent", answer="no")) == EN.consent_refused
    assert [row.granted for row in await talk.rows(schema.Consent)] == [True, False]


# -- deleting


async def test_who_used_the_menu_deletes_the_answer(talk: World):
    await talk.bea.send(talk.channel, "What is the capital of France?")
    await talk.ada.context_menu(talk.channel, "Answer this", talk.last())
    await talk.env.restart_bot(talk.bot())
    cem = talk.guild.add_member(talk.env.create_user("cem"))
    answer = talk.last()
    assert said(await cem.context_menu(talk.channel, "Delete this answer", answer)) == EN.not_yours_to_delete
    assert said(await talk.ada.context_menu(talk.channel, "Delete this answer", answer)) == EN.deleted
    assert talk.contents() == ["What is the capital of France?"]
    assert await talk.store.deeds(None, 9) == []


async def test_so_does_whose_words_were_answered(talk: World):
    await talk.bea.send(talk.channel, "What is the capital of France?")
    await talk.ada.context_menu(talk.channel, "Answer this", talk.last())
    assert said(await talk.bea.context_menu(talk.channel, "Delete this answer", talk.last())) == EN.deleted


async def test_the_menu_gives_no_hold_on_answers_to_others(talk: World):
    answer = await talk.ask("hello")
    await talk.bea.context_menu(talk.channel, "Answer this", talk.channel.history()[0])
    told = await talk.bea.context_menu(talk.channel, "Delete this answer", answer)
    assert said(told) == EN.not_yours_to_delete


async def test_a_long_answer_is_deleted_by_any_of_its_messages(talk: World):
    await talk.bea.send(talk.channel, "Tell me.")
    talk.fake.answer("long. " * 700)
    await talk.ada.context_menu(talk.channel, "Answer this", talk.last())
    assert len(talk.channel.history()) > 2
    assert said(await talk.ada.context_menu(talk.channel, "Delete this answer", talk.last())) == EN.deleted
    assert talk.contents() == ["Tell me."]


@pytest.mark.parametrize("own", [True, False])
async def test_a_moderators_deed_is_written_down_and_not_what_is_their_own(talk: World, own: bool):
    asker = talk.max if own else talk.ada
    await asker.send(talk.channel, f"{talk.me} hello")
    assert said(await talk.max.context_menu(talk.channel, "Delete this answer", talk.last())) == EN.deleted
    found = [(deed.deed, deed.what) for deed in await talk.store.deeds(None, 9)]
    assert found == ([] if own else [("delete_answer", {"channel": talk.channel.id})])


# -- reports


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
    assert len(moderators.history()) == 3 if agreed else 4  # of who did not agree nothing is on disk


async def test_a_report_that_did_not_arrive_may_be_made_again(talk: World):
    moderators = talk.guild.create_text_channel("moderators")
    answer = await talk.ask("hello")
    await talk.max.slash(talk.channel, "reports", channel=moderators)
    talk.env.inject_error("POST", "/channels/*/messages", status=403)
    assert said(await talk.ada.context_menu(talk.channel, "Report this answer", answer)) == EN.reports_missing
    assert said(await talk.ada.context_menu(talk.channel, "Report this answer", answer)) == EN.reported
    assert len(moderators.history()) == 1
