"""`/consent yes` in the terminal: nobody agrees to a text that was not shown."""

from typing import Any

import pytest

from bot.conversation import Chat
from bot.texts import EN
from data import schema
from tests.bot.terminal import world

QUESTION = EN.consent_question.format(days=30)


@pytest.fixture
def terminal(installed: Any) -> world.World:
    store, fake, engine = installed
    return world.World(store, fake, Chat(store, engine))


async def granted(terminal: world.World) -> list[bool]:
    return [row.granted for row in await terminal.rows(schema.Consent)]


async def test_a_yes_at_a_keyboard_is_asked_for_below_the_text(terminal: world.World):
    written = await terminal.enter("/consent yes", "y", "/consent yes")
    assert written.index(QUESTION) < written.index(EN.consent_given)
    assert written.count(QUESTION) == 1  # a person who has agreed to the current text has nothing to read
    assert written.count(EN.consent_given) == 2
    assert await granted(terminal) == [True]


async def test_a_person_who_changes_their_mind_has_not_agreed(terminal: world.World):
    assert EN.consent_refused in await terminal.enter("/consent yes", "n")
    assert await granted(terminal) == [False]


async def test_a_yes_to_a_text_that_was_shown_before_counts_at_once(terminal: world.World):
    written = await terminal.enter("hello", "/up", "n", "/consent yes", "n", "/up")
    assert written.count(QUESTION) == 1
    assert written.index(EN.consent_refused) < written.index(EN.consent_given)
    assert await granted(terminal) == [False, True]


async def test_a_script_that_agrees_leaves_the_text_in_what_it_wrote(
    terminal: world.World, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(world.ScriptedLines, "interactive", False)
    written = await terminal.enter("/consent yes")
    assert written.index(QUESTION) < written.index(EN.consent_given)
    assert await granted(terminal) == [True]


async def test_a_no_is_a_no_at_once(terminal: world.World):
    assert QUESTION not in await terminal.enter("/consent no")
    assert await granted(terminal) == [False]
