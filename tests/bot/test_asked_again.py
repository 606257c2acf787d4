"""People who agreed to an older text are asked again before anything new is stored, and only once."""

import pytest

from bot.conversation import Chat
from bot.discord import consent
from bot.discord.buttons import Press
from bot.engine.api import Engine
from bot.texts import EN
from data import schema
from data.consent import CONSENT_VERSION
from data.store import Store
from data.user import user_here
from tests.bot.discord.world import World, said
from tests.bot.terminal.world import World as Terminal
from tests.fakes.engine import FakeEngine

AGAIN = f"{EN.consent_changed}\n{EN.consent_question_held.format(days=30)}"


async def agreed_before(talk: World) -> int:
    person = await talk.store.person("discord", str(talk.ada.id))
    await talk.store.set_consent(person, True, "2026-11")
    return person


@pytest.mark.played
async def test_the_new_text_is_asked_about_once_and_then_the_rating_is_kept(talk: World):
    answer = await talk.ask("hello")
    await agreed_before(talk)
    (question,) = (await talk.ada.click(answer, label="👍")).followups
    assert question.content == AGAIN
    assert question.ephemeral
    assert await talk.rows(schema.Rating) == []
    agreed = await talk.ada.click(question, label=EN.yes)
    assert agreed.followups[-1].content == EN.stored_up
    assert [rating.value for rating in await talk.rows(schema.Rating)] == ["up"]
    given = [(row.granted, row.text_version) for row in await talk.rows(schema.Consent)]
    assert given == [(True, "2026-11"), (True, CONSENT_VERSION)]
    other = await talk.ask("and now?")
    assert said(await talk.ada.click(other, label="👍")) == EN.stored_up
    assert len(await talk.rows(schema.Consent)) == 2


@pytest.mark.played
async def test_nothing_new_is_kept_without_an_answer_to_the_new_text(talk: World):
    moderators = talk.guild.create_text_channel("moderators")
    await talk.max.slash(talk.channel, "reports", channel=moderators)
    answer = await talk.ask("hello")
    person = await agreed_before(talk)
    assert said(await talk.ada.click(answer, label="👎")) == AGAIN
    opened = await talk.ada.click(answer, label="✏️")
    assert opened.modal is None
    assert said(opened) == AGAIN
    assert said(await talk.ada.context_menu(talk.channel, "Report this answer", answer)) == EN.reported
    assert await talk.rows(schema.Rating) == []
    assert await talk.store.consent(person) is True  # to what the older text said


@pytest.mark.played
async def test_privacy_says_to_which_text_the_yes_was(talk: World):
    await agreed_before(talk)
    assert EN.consent_older in said(await talk.ada.slash(talk.channel, "privacy"))
    await talk.store.set_consent(await talk.store.person("discord", str(talk.ada.id)), True)
    assert EN.consent_older not in said(await talk.ada.slash(talk.channel, "privacy"))


@pytest.mark.played
async def test_a_no_to_the_new_text_is_a_no(talk: World):
    answer = await talk.ask("hello")
    person = await agreed_before(talk)
    (question,) = (await talk.ada.click(answer, label="👍")).followups
    await talk.ada.click(question, label=EN.no)
    assert await talk.store.consent(person) is False
    (question,) = (await talk.ada.click(answer, label="👍")).followups
    assert question.content == EN.consent_question_held.format(days=30)  # the question for people who have not agreed


async def test_the_terminal_asks_again_too(installed: tuple[Store, FakeEngine, Engine]):
    store, fake, engine = installed
    terminal = Terminal(store, fake, Chat(store, engine))
    person = await store.person("terminal", user_here())
    await store.set_consent(person, True, "2026-11")
    written = await terminal.enter("hello", "/up", "y", "y", "more", "/up")
    assert written.count(EN.consent_changed) == terminal.prompts.count(EN.ask_consent) == 1
    assert written.count(EN.stored_up) == 2
    assert len(await terminal.rows(schema.Rating)) == 2
    assert len(await terminal.rows(schema.Conversation)) == 2  # the new yes does not cover earlier messages


@pytest.mark.played
async def test_a_yes_below_an_older_text_asks_about_the_new_one_and_keeps_what_was_meant(
    talk: World, monkeypatch: pytest.MonkeyPatch
):
    answer = await talk.ask("hello")
    with monkeypatch.context() as before:  # the question was shown before an update, and is answered after it
        before.setattr(consent, "CONSENT_VERSION", "2026-11")
        (old,) = (await talk.ada.click(answer, label="👍")).followups
    (new,) = (await talk.ada.click(old, label=EN.yes)).followups
    assert new.content == EN.consent_question_held.format(days=30)
    assert await talk.rows(schema.Consent) == []
    assert await talk.rows(schema.Rating) == []
    await talk.ada.click(new, label=EN.yes)
    assert [row.text_version for row in await talk.rows(schema.Consent)] == [CONSENT_VERSION]
    assert [rating.value for rating in await talk.rows(schema.Rating)] == ["up"]


@pytest.mark.played
async def test_a_yes_from_before_buttons_named_the_text_asks_again(talk: World, monkeypatch: pytest.MonkeyPatch):
    answer = await talk.ask("hello")
    with monkeypatch.context() as before:
        usual = Press.__init__
        before.setattr(
            Press,
            "__init__",
            lambda self, action, rest, label=None: usual(
                self, *(("yes", rest.partition(":")[2]) if action == "agree" else (action, rest)), label
            ),
        )
        (old,) = (await talk.ada.click(answer, label="👍")).followups
    (new,) = (await talk.ada.click(old, label=EN.yes)).followups
    assert new.content == EN.consent_question_held.format(days=30)
    assert await talk.rows(schema.Consent) == []
