"""Everybody sees what their own vote on an answer is, and takes it back; what others voted they don't."""

import simcord

from bot.texts import EN
from tests.bot.discord.world import World

VOTES = ["👍", "👎", "✏️"]


def said(result: simcord.InteractionResult) -> simcord.ResponseMessage:
    shown = result.followups[0] if result.followups else result.response
    assert shown is not None
    return shown


def buttons(shown: simcord.ResponseMessage) -> list[str]:
    return [button["label"] for row in shown.components for button in row["components"]]


async def test_who_rates_an_old_answer_sees_their_own_vote_on_it_and_nobody_elses(talk: World):
    answer = await talk.ask("hello")
    for member in (talk.ada, talk.bea):
        await talk.agree(member.id)
    await talk.bea.click(answer, label="👍")
    shown = said(await talk.ada.context_menu(talk.channel, "Rate this answer", answer))
    assert shown.content == f"{EN.rate_this} {EN.vote_none}"
    assert shown.ephemeral
    assert buttons(shown) == VOTES
    assert said(await talk.ada.click(shown, label="👍")).content == EN.stored_up
    shown = said(await talk.ada.context_menu(talk.channel, "Rate this answer", answer))
    assert shown.content == f"{EN.rate_this} {EN.vote_up}"
    assert buttons(shown) == [*VOTES, EN.take_back]
    opened = await talk.ada.click(shown, label="👎")
    assert said(await talk.ada.submit_modal(opened, {"text": "too short"})).content == EN.stored_down
    shown = said(await talk.ada.context_menu(talk.channel, "Rate this answer", answer))
    assert shown.content == f"{EN.rate_this} {EN.vote_down}"
    await talk.ada.click(shown, label=EN.take_back)
    shown = said(await talk.ada.context_menu(talk.channel, "Rate this answer", answer))
    assert shown.content == f"{EN.rate_this} {EN.vote_none}"
    shown = said(await talk.bea.context_menu(talk.channel, "Rate this answer", answer))
    assert shown.content == f"{EN.rate_this} {EN.vote_up}"


async def test_what_was_wrong_with_an_answer_is_told_with_the_vote_of_now(talk: World):
    answer = await talk.ask("hello")
    await talk.agree(talk.ada.id)
    opened = await talk.ada.click(answer, label="👎")
    await talk.ada.click(answer, label="👍")
    sent = said(await talk.ada.submit_modal(opened, {}))  # nothing was filled in, so there is no new vote in it
    assert sent.content == f"{EN.already} {EN.vote_up}"
    assert buttons(sent) == [EN.take_back]
