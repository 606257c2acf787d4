"""What shows before the first words of an answer: typing that is renewed, and a message that can be stopped."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import discord
import pytest

from bot.conversation import Limits
from bot.discord import pending
from bot.discord.answering import show
from bot.discord.app import App
from bot.discord.compare import show_two
from bot.discord.draft import Pace
from bot.discord.interrupted import closed
from bot.settings import Settings
from bot.sign_in_links import SignInLinks
from bot.texts import EN
from bot.trial import Trial
from data import schema
from tests.bot.core import World as Core
from tests.bot.core import opened
from tests.bot.discord.wall import Wall
from tests.bot.discord.world import World, eventually

ON_ITS_WAY = "⏳ " + EN.on_its_way


# simcord moves its clock only while nothing is in flight, so these have no Discord.
class Thinking(Core):
    """A core whose model thinks before its first word, with hundredths of a second for seconds."""

    app: Any

    def say(self, text: str, wall: Wall, way: Any = show) -> asyncio.Task[str | None]:  # type: ignore[override]  # another signature on purpose
        return asyncio.create_task(way(self.app, self.ask(text), key=text, asker=1, place=wall))


@pytest.fixture
async def thinking(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Thinking]:
    monkeypatch.setattr(pending, "SOON", 0.01)
    monkeypatch.setattr(pending, "TYPING", 0.05)

    async with opened(tmp_path, limits=Limits(slots=1)) as core:
        settings = Settings(_env_file=None, home=tmp_path)  # type: ignore[call-arg]  # pydantic-settings takes it
        client = discord.Client(intents=discord.Intents.none())
        core.__class__ = Thinking  # the same, with what Discord's side needs
        core.app = App(client, settings, core.store, core.chat, Pace(0), Trial(tmp_path, None), SignInLinks())
        yield core


async def test_while_the_model_thinks_a_message_shows_and_typing_is_renewed(thinking: Thinking):
    wall, hold = Wall(), asyncio.Event()
    thinking.fake.answer("at last", hold=hold)
    showing = thinking.say("think", wall)
    await eventually(lambda: wall.contents == [ON_ITS_WAY])
    assert wall.labels() == ["⏹"]
    await eventually(lambda: wall.typed >= 4)
    hold.set()
    assert await showing is None
    assert wall.contents == ["at last"]
    before = wall.typed
    await asyncio.sleep(0.2)
    assert wall.typed == before


async def test_an_answer_can_be_stopped_before_its_first_word(thinking: Thinking):
    wall = Wall()
    thinking.fake.answer("never", hold=asyncio.Event())
    showing = thinking.say("think", wall)
    await eventually(lambda: wall.contents == [ON_ITS_WAY])
    assert thinking.app.running.stop("think")
    await showing
    assert (wall.contents, wall.labels()) == ([EN.stopped_early], [])
    assert await thinking.count(schema.Generation) == 0


async def test_two_answers_show_at_once_that_they_come(thinking: Thinking):
    wall, hold = Wall(), asyncio.Event()
    thinking.fake.answer("at last", hold=hold)
    showing = thinking.say("think", wall, show_two)
    await eventually(lambda: wall.contents == ["⏳ " + EN.two_coming])
    assert wall.labels() == ["⏹"]
    await eventually(lambda: wall.typed >= 3)
    hold.set()
    await showing


async def test_a_question_whose_turn_has_come_no_longer_says_that_it_waits(thinking: Thinking):
    walls, holds = [Wall(), Wall()], [asyncio.Event(), asyncio.Event()]
    showing = []
    for number, (wall, hold) in enumerate(zip(walls, holds, strict=True)):
        thinking.fake.answer("first", hold=hold)
        showing.append(thinking.say(str(number), wall))
        await eventually(lambda wall=wall: wall.contents)
    assert (walls[1].contents, walls[1].labels()) == (["⏳ " + EN.waiting.format(ahead=1)], ["⏹"])
    await eventually(lambda: walls[1].typed >= 3)  # also while it waits
    holds[0].set()
    await eventually(lambda: walls[1].contents == [ON_ITS_WAY])
    holds[1].set()
    await asyncio.gather(*showing)
    assert walls[1].contents == ["first"]


@pytest.mark.played
async def test_an_answer_that_begins_at_once_needs_no_message_before_it(talk: World):
    await talk.ask("hello")
    shown = [r.json for r in talk.env.http_requests if r.method in ("POST", "PATCH") and isinstance(r.json, dict)]
    assert not any(ON_ITS_WAY in str(body) for body in shown)


@pytest.mark.parametrize("content", [ON_ITS_WAY, "⋯"])
def test_an_interruption_leaves_nothing_of_the_message_before_the_answer(content: str):
    assert closed(content, "interrupted") == "-# interrupted"
