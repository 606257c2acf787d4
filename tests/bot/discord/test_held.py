"""An answer that nobody may see before an endpoint has: what stands in its place meanwhile, and how it ends."""

import asyncio
from collections.abc import AsyncIterator

import discord
import pytest
from simcord.env import Env

from bot.moderation.endpoint import Endpoint
from bot.moderation.step import Moderation
from bot.texts import EN
from tests.bot.discord.world import RATE, World, eventually, labels
from tests.fakes.moderation import FakeModeration


@pytest.fixture
async def held(world: World) -> AsyncIterator[World]:
    """The world with people in it, and an endpoint without which nothing passes."""
    async with FakeModeration({"banana": "violence"}) as fake:
        endpoint = Endpoint(fake.url, model=None, api_key=None, outside=False)
        bot = world.bot()
        bot.app.chat.moderation = bot.app.ratings.moderation = Moderation(endpoint=endpoint, closed=True)
        env = Env(bot, approved_intents=discord.Intents.default(), settle_timeout=3.0)
        await env.start()
        await world.begin(env)
        yield world
        await env.shutdown()
        env.raise_errors()


async def grows(world: World, *pieces: str) -> asyncio.Event:
    """An answer whose first piece is there, and is not shown."""
    hold = asyncio.Event()
    world.fake.answer(*pieces, hold=hold)
    world.say_without_waiting("hello")
    await eventually(lambda: world.contents()[-1] == "⋯")
    assert labels(world.last()) != RATE
    return hold


async def test_an_answer_is_shown_whole_when_the_endpoint_has_seen_it(held: World):
    hold = await grows(held, "all ", "well")
    hold.set()
    await eventually(lambda: (held.contents()[1:], labels(held.last())) == (["all well"], RATE))


async def test_nothing_of_an_answer_that_the_endpoint_flags_was_ever_shown(held: World):
    hold = await grows(held, "a ", "banana")
    hold.set()
    await eventually(lambda: held.contents()[1:] == [f"-# {EN.moderated_answer}"])
    assert not any("banana" in str(request.json) for request in held.env.http_requests)


async def test_what_is_held_can_be_stopped(held: World):
    await grows(held, "half ", "never")
    await held.ada.click(held.last(), custom_id=held.last().components[0].children[0].custom_id)
    await eventually(lambda: held.contents()[1:] == [f"half\n-# {EN.stopped}"])
