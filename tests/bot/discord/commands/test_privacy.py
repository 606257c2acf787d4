"""`/privacy`, `/consent`, `/export` and `/forget`."""

import json

import pytest

from bot.texts import EN
from data import schema
from tests.bot.discord.world import World, reply_of, said

pytestmark = pytest.mark.played


async def test_privacy_and_consent_commands(talk: World):
    told = await talk.ada.slash(talk.channel, "privacy")
    assert told.ephemeral
    text = told.followups[0].content if told.followups else told.response.content  # type: ignore[union-attr]  # there is one
    assert EN.training_held in text
    assert EN.consent_unanswered in text
    asked = await talk.ada.slash(talk.channel, "consent", answer="yes")
    await talk.ada.click(asked.followups[0] if asked.followups else asked.response, label=EN.yes)
    person = await talk.store.person("discord", str(talk.ada.id))
    assert await talk.store.consent(person) is True
    await talk.ada.slash(talk.channel, "consent", answer="no")
    assert await talk.store.consent(person) is False


async def test_a_yes_by_command_shows_the_text_first(talk: World):
    result = await talk.ada.slash(talk.channel, "consent", answer="yes")
    assert said(result) == EN.consent_question_held.format(days=30)
    assert await talk.rows(schema.Consent) == []
    await talk.ada.click(result.followups[0] if result.followups else result.response, label=EN.yes)
    assert [row.granted for row in await talk.rows(schema.Consent)] == [True]
    again = await talk.ada.slash(talk.channel, "consent", answer="yes")
    assert said(again) == EN.consent_question_held.format(days=30)  # it does not say that the text changed
    assert len(await talk.rows(schema.Consent)) == 1
    assert said(await talk.ada.slash(talk.channel, "consent", answer="no")) == EN.consent_refused
    assert [row.granted for row in await talk.rows(schema.Consent)] == [True, False]


async def test_export_gives_a_person_what_is_kept_about_them_and_nothing_about_others(talk: World):
    answer = await talk.ask("my secret question")
    await talk.bea.send(talk.channel, f"{talk.me} what bea asked")
    await talk.agree(talk.ada.id)
    opened = await talk.ada.click(answer, label="✏️")
    await talk.ada.submit_modal(opened, {"text": "what it should have been"})
    given = reply_of(await talk.ada.slash(talk.channel, "export"))
    assert given.content == EN.kept
    (file,) = given.attachments
    kept = json.loads(await file.read())
    assert [message["text"] for message in kept["messages"]] == ["my secret question"]
    assert [(rating["kind"], rating["text"]) for rating in kept["ratings"]] == [
        ("correction", "what it should have been")
    ]
    assert [consent["training"] for consent in kept["consents"]] == [True]
    assert "bea" not in json.dumps(kept)


async def test_forget_asks_once_more_and_then_erases_everything(talk: World):
    answer = await talk.ask("my secret question")
    await talk.agree(talk.ada.id)
    await talk.ada.click(answer, label="👍")
    left = talk.app.settings.home / "rounds" / "0001" / "rows.jsonl"
    left.parent.mkdir(parents=True)
    left.write_text("words")
    asked = await talk.ada.slash(talk.channel, "forget")
    assert reply_of(asked).content == EN.forget_question
    assert asked.ephemeral
    assert len(await talk.rows(schema.Rating)) == 1
    await talk.ada.click(reply_of(asked), label=EN.forget_yes)
    assert await talk.rows(schema.Rating) == []
    assert not [row.text for row in await talk.rows(schema.MessageVersion) if row.text]
    assert not left.exists()
    kept = json.loads(await reply_of(await talk.ada.slash(talk.channel, "export")).attachments[0].read())
    assert (kept["messages"], kept["ratings"], kept["consents"]) == ([], [], [])


async def test_a_command_that_fails_says_so(talk: World, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(talk.store, "kept_of", lambda _: 1 / 0)
    result = await talk.ada.slash(talk.channel, "export")
    assert said(result) == EN.internal_error
    talk.env._errors.clear()
