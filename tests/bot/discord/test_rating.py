"""Votes: consent comes first, a click counts once, and people see only their own vote and can take it back."""

import discord
import pytest
import simcord

from bot.texts import EN
from data import schema
from tests.bot.discord.world import World, reply_of

pytestmark = pytest.mark.played


async def test_the_first_rating_asks_for_consent_and_nothing_is_stored_before(talk: World):
    answer = await talk.ask("hello")
    asked = await talk.ada.click(answer, label="👍")
    (question,) = asked.followups
    assert question.ephemeral
    assert question.content == EN.consent_question_held.format(days=30)
    assert await talk.rows(schema.Rating) == []
    assert await talk.rows(schema.Consent) == []
    agreed = await talk.ada.click(question, label=EN.yes)
    assert agreed.followups[-1].content == EN.stored_up
    assert agreed.followups[-1].ephemeral
    (rating,) = await talk.rows(schema.Rating)
    assert (rating.kind, rating.value, rating.platform) == ("vote", "up", "discord")
    (consent,) = await talk.rows(schema.Consent)
    assert consent.granted


async def test_a_person_who_says_no_is_not_recorded(talk: World):
    answer = await talk.ask("hello")
    (question,) = (await talk.ada.click(answer, label="👎")).followups
    await talk.ada.click(question, label=EN.no)
    assert await talk.rows(schema.Rating) == []
    (consent,) = await talk.rows(schema.Consent)
    assert not consent.granted


async def test_with_discords_permission_the_question_says_that_ratings_train(world: World):
    bot = world.bot(discord_training_permission="ticket 1")
    async with simcord.run(bot, approved_intents=discord.Intents.default()) as env:
        await world.begin(env)
        answer = await world.ask("hello")
        (question,) = (await world.ada.click(answer, label="👍")).followups
        assert question.content == EN.consent_question.format(days=30)


async def test_two_clicks_are_one_event_and_a_change_of_mind_is_another(talk: World):
    answer = await talk.ask("hello")
    await talk.agree(talk.ada.id)
    assert (await talk.ada.click(answer, label="👍")).followups[0].content == EN.stored_up
    assert (await talk.ada.click(answer, label="👍")).followups[0].content == f"{EN.already} {EN.vote_up}"
    assert len(await talk.rows(schema.Rating)) == 1
    await talk.ada.click(answer, label="👎")
    assert [rating.value for rating in await talk.rows(schema.Rating)] == ["up", "down"]
    again = await talk.ada.click(answer, label="👎")
    assert again.followups[0].content == f"{EN.already} {EN.vote_down}"
    await talk.ada.click(again.followups[0], label=EN.take_back)
    stored = await talk.store.shown("discord", str(answer.id))
    assert stored is not None
    assert await talk.store.vote(stored.generation, await talk.store.person("discord", str(talk.ada.id))) is None


async def test_buttons_of_an_earlier_process_still_work(talk: World):
    answer = await talk.ask("hello")
    await talk.agree(talk.bea.id)
    await talk.env.restart_bot(talk.bot())
    assert (await talk.bea.click(answer, label="👍")).followups[0].content == EN.stored_up
    assert [rating.value for rating in await talk.rows(schema.Rating)] == ["up"]


async def test_consent_given_after_a_restart_stores_the_vote_once(talk: World):
    answer = await talk.ask("hello")
    (question,) = (await talk.ada.click(answer, label="👍")).followups
    await talk.env.restart_bot(talk.bot())
    await talk.ada.click(question, label=EN.yes)
    assert len(await talk.rows(schema.Rating)) == 1
    assert len(await talk.rows(schema.Consent)) == 1


VOTES = ["👍", "👎", "✏️"]


def buttons(shown: simcord.ResponseMessage) -> list[str]:
    return [button["label"] for row in shown.components for button in row["components"]]


async def test_a_person_who_rates_an_old_answer_sees_only_their_own_vote(talk: World):
    answer = await talk.ask("hello")
    for member in (talk.ada, talk.bea):
        await talk.agree(member.id)
    await talk.bea.click(answer, label="👍")
    shown = reply_of(await talk.ada.context_menu(talk.channel, "Rate this answer", answer))
    assert shown.content == f"{EN.rate_this} {EN.vote_none}"
    assert shown.ephemeral
    assert buttons(shown) == VOTES
    assert reply_of(await talk.ada.click(shown, label="👍")).content == EN.stored_up
    shown = reply_of(await talk.ada.context_menu(talk.channel, "Rate this answer", answer))
    assert shown.content == f"{EN.rate_this} {EN.vote_up}"
    assert buttons(shown) == [*VOTES, EN.take_back]
    opened = await talk.ada.click(shown, label="👎")
    assert reply_of(await talk.ada.submit_modal(opened, {"text": "too short"})).content == EN.stored_down
    shown = reply_of(await talk.ada.context_menu(talk.channel, "Rate this answer", answer))
    assert shown.content == f"{EN.rate_this} {EN.vote_down}"
    await talk.ada.click(shown, label=EN.take_back)
    shown = reply_of(await talk.ada.context_menu(talk.channel, "Rate this answer", answer))
    assert shown.content == f"{EN.rate_this} {EN.vote_none}"
    shown = reply_of(await talk.bea.context_menu(talk.channel, "Rate this answer", answer))
    assert shown.content == f"{EN.rate_this} {EN.vote_up}"


async def test_the_reply_to_reasons_shows_the_current_vote(talk: World):
    answer = await talk.ask("hello")
    await talk.agree(talk.ada.id)
    opened = await talk.ada.click(answer, label="👎")
    await talk.ada.click(answer, label="👍")
    sent = reply_of(await talk.ada.submit_modal(opened, {}))  # nothing was filled in, so this is not a new vote
    assert sent.content == f"{EN.already} {EN.vote_up}"
    assert buttons(sent) == [EN.take_back]
