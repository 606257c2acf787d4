"""The menus on an answer: who may delete it, and that old answers can be rated and corrected."""

import pytest

from bot.texts import EN
from data import schema
from tests.bot.discord.test_windows import texts_of
from tests.bot.discord.world import World, reply_of, said

pytestmark = pytest.mark.played


async def test_context_menus_reach_old_answers(talk: World):
    answer = await talk.ask("hello")
    await talk.agree(talk.ada.id)
    await talk.env.restart_bot(talk.bot())
    opened = await talk.ada.context_menu(talk.channel, "Correct this answer", answer)
    assert opened.modal is not None
    rated = await talk.ada.context_menu(talk.channel, "Rate this answer", answer)
    assert rated.ephemeral
    buttons = rated.followups[0] if rated.followups else rated.response
    await talk.ada.click(buttons, label="👍")
    assert await texts_of(talk, "vote") == [("up", "")]
    question = talk.channel.history()[0]
    for name in ("Correct this answer", "Rate this answer"):
        told = await talk.ada.context_menu(talk.channel, name, question)
        said = told.followups[0] if told.followups else told.response
        assert said is not None
        assert said.content == EN.no_answer_here


async def test_only_the_person_who_asked_and_moderators_can_delete_an_answer(talk: World):
    talk.fake.answer("long. " * 700)
    first = await talk.ask("hello")
    assert reply_of(await talk.bea.context_menu(talk.channel, "Delete this answer", first)).content == (
        EN.not_yours_to_delete
    )
    assert len(talk.channel.history()) > 2
    assert reply_of(await talk.ada.context_menu(talk.channel, "Delete this answer", first)).content == EN.deleted
    assert talk.contents() == [f"{talk.me} hello"]
    assert [row.text for row in await talk.rows(schema.MessageVersion)] == ["hello", None]
    again = await talk.ask("and now?")
    assert reply_of(await talk.max.context_menu(talk.channel, "Delete this answer", again)).content == EN.deleted
    question = talk.channel.history()[0]
    assert reply_of(await talk.ada.context_menu(talk.channel, "Delete this answer", question)).content == (
        EN.no_answer_here
    )


async def test_the_person_who_used_the_menu_can_delete_the_answer(talk: World):
    await talk.bea.send(talk.channel, "What is the capital of France?")
    await talk.ada.context_menu(talk.channel, "Answer this", talk.last())
    await talk.env.restart_bot(talk.bot())
    cem = talk.guild.add_member(talk.env.create_user("cem"))
    answer = talk.last()
    assert said(await cem.context_menu(talk.channel, "Delete this answer", answer)) == EN.not_yours_to_delete
    assert said(await talk.ada.context_menu(talk.channel, "Delete this answer", answer)) == EN.deleted
    assert talk.contents() == ["What is the capital of France?"]
    assert await talk.log() == []


async def test_the_author_of_the_answered_message_can_delete_the_answer(talk: World):
    await talk.bea.send(talk.channel, "What is the capital of France?")
    await talk.ada.context_menu(talk.channel, "Answer this", talk.last())
    assert said(await talk.bea.context_menu(talk.channel, "Delete this answer", talk.last())) == EN.deleted


async def test_the_menu_does_not_let_people_delete_answers_to_others(talk: World):
    answer = await talk.ask("hello")
    await talk.bea.context_menu(talk.channel, "Answer this", talk.channel.history()[0])
    told = await talk.bea.context_menu(talk.channel, "Delete this answer", answer)
    assert said(told) == EN.not_yours_to_delete


async def test_a_long_answer_can_be_deleted_from_any_of_its_messages(talk: World):
    await talk.bea.send(talk.channel, "Tell me.")
    talk.fake.answer("long. " * 700)
    await talk.ada.context_menu(talk.channel, "Answer this", talk.last())
    assert len(talk.channel.history()) > 2
    assert said(await talk.ada.context_menu(talk.channel, "Delete this answer", talk.last())) == EN.deleted
    assert talk.contents() == ["Tell me."]


@pytest.mark.parametrize("own", [True, False])
async def test_a_moderators_deletion_is_recorded_unless_the_answer_is_their_own(talk: World, own: bool):
    asker = talk.max if own else talk.ada
    await asker.send(talk.channel, f"{talk.me} hello")
    assert said(await talk.max.context_menu(talk.channel, "Delete this answer", talk.last())) == EN.deleted
    assert await talk.log() == ([] if own else [("delete_answer", {"channel": talk.channel.id})])
