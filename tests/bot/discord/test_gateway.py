"""Discord's failures: connections that drop, sessions that end, a gateway that is gone, requests that are refused.

simcord plays none of that; here the bot talks to a server on loopback.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import discord
import pytest
import yarl

from bot.discord.client import Bot, talk_on_discord
from bot.settings import Settings
from data import schema
from data.errors import BadInput
from tests.bot.discord.world import RATE, World, eventually
from tests.fakes.discord_server import MESSAGE_CONTENT, DiscordServer, Refusal

pytestmark = pytest.mark.played

TOKEN = "a-token"


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wait neither the five seconds that Discord wants between two logins, nor long after a refused request."""

    async def at_once(*_: object, **__: object) -> None:
        pass

    class Hurried:
        def __getattr__(self, name: str) -> Any:
            return getattr(asyncio, name)

        async def sleep(self, seconds: float) -> None:
            await asyncio.sleep(min(seconds, 0.01))

    monkeypatch.setattr(Bot, "before_identify_hook", at_once)
    monkeypatch.setattr(discord.http, "asyncio", Hurried())


@pytest.fixture(autouse=True)
def addresses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Restores discord.py's own addresses: the settings change them for the whole process."""
    monkeypatch.setattr(discord.http.Route, "BASE", discord.http.Route.BASE)
    gateway = discord.gateway.DiscordWebSocket
    monkeypatch.setattr(gateway, "DEFAULT_GATEWAY", gateway.DEFAULT_GATEWAY)
    # Between two attempts to reach a gateway discord.py waits for seconds.
    monkeypatch.setattr(discord.backoff.ExponentialBackoff, "delay", lambda _: 0.02)


@asynccontextmanager
async def talking(world: World, server: DiscordServer, **settings: Any) -> AsyncIterator[asyncio.Task[None]]:
    """The bot on this server; the task stands for its process."""
    bot = world.bot(
        **{"discord_api": server.api, "discord_gateway": server.gateway, "discord_token": TOKEN, "shards": None}
        | settings
    )
    discord.http.Route.BASE = server.api
    discord.gateway.DiscordWebSocket.DEFAULT_GATEWAY = yarl.URL(server.gateway)
    async with bot:
        running = asyncio.create_task(bot.start(TOKEN))
        ready = asyncio.create_task(server.ready.wait())
        async with asyncio.timeout(30):
            await asyncio.wait({running, ready}, return_when=asyncio.FIRST_COMPLETED)
        ready.cancel()
        yield running
        assert not running.done(), "the bot ended"
        await bot.close()
    await running


def answers(server: DiscordServer) -> list[str]:
    return [message["content"] for message in server.messages.values() if message["author"]["bot"]]


def buttons(message: dict[str, Any]) -> list[str]:
    return [button["label"] for row in message["components"] for button in row["components"]]


async def questions(world: World) -> int:
    return sum(row.role == "user" for row in await world.rows(schema.MessageRow))


async def test_the_gateway_of_the_settings_wins_over_what_discord_recommends(world: World):
    async with DiscordServer(TOKEN, shards=2) as server, talking(world, server):
        assert [identity["shard"] for identity in server.identified] == [[0, 2], [1, 2]]
        assert not any(identity["intents"] & MESSAGE_CONTENT for identity in server.identified)
        await server.direct_message("hello")
        await server.said("a fake answer")


async def test_shards_are_as_many_as_the_settings_say(world: World):
    async with DiscordServer(TOKEN) as server, talking(world, server, shards=2):
        await server.direct_message("hello")
        await server.said("a fake answer")
        assert [identity["shard"] for identity in server.identified] == [[0, 2], [1, 2]]


async def test_a_dropped_connection_is_resumed_and_every_message_answered_once(world: World):
    async with DiscordServer(TOKEN) as server, talking(world, server):
        world.fake.answer("one")
        await server.direct_message("first")
        await server.said("one")
        world.fake.answer("two")
        await server.drop()
        await server.direct_message("missed")
        await server.said("two")
        world.fake.answer("three")
        await server.direct_message("third")
        await server.said("three")
        assert server.resumed  # the first message came a second time
        assert len(server.identified) == 1
        assert answers(server) == ["one", "two", "three"]
        assert await questions(world) == 3


async def test_an_answer_goes_on_while_the_connection_drops(world: World):
    hold = asyncio.Event()
    async with DiscordServer(TOKEN) as server, talking(world, server):
        world.fake.answer("half ", "and whole", hold=hold)
        await server.direct_message("hello")
        await server.said("half")
        await server.drop()
        await eventually(lambda: server.resumed)
        hold.set()
        await server.said("half and whole")
        assert len(answers(server)) == 1


async def test_a_session_that_is_no_longer_valid_is_replaced_by_a_new_one(world: World):
    async with DiscordServer(TOKEN) as server, talking(world, server):
        await server.direct_message("first")
        await server.said("a fake answer")
        await server.invalidate()
        async with asyncio.timeout(30):
            await server.ready.wait()
        world.fake.answer("another")
        await server.direct_message("second")
        await server.said("another")
        assert (len(server.identified), server.resumed) == (2, [])
        assert answers(server) == ["a fake answer", "another"]


async def test_what_is_said_while_the_gateway_is_away_is_answered_when_it_is_back(world: World):
    async with DiscordServer(TOKEN) as server, talking(world, server) as running:
        await server.direct_message("first")
        await server.said("a fake answer")
        await server.go_away()
        world.fake.answer("another")
        await server.direct_message("is anybody there?")
        await asyncio.sleep(0.3)  # several attempts
        assert not running.done()
        server.come_back()
        await server.said("another")
        assert len(server.identified) == 1
        assert answers(server) == ["a fake answer", "another"]


async def test_a_session_that_ended_while_the_gateway_was_away_is_replaced_by_a_new_one(world: World):
    async with DiscordServer(TOKEN) as server, talking(world, server):
        await server.go_away()
        server.forget_sessions()
        server.come_back()
        async with asyncio.timeout(30):
            await server.ready.wait()
        await server.direct_message("hello")
        await server.said("a fake answer")
        assert len(server.identified) == 2


@pytest.mark.parametrize("refusals", [[429, 429], [500], [502]])
async def test_a_refused_message_is_sent_again_until_it_is_there_once(world: World, refusals: list[int]):
    async with DiscordServer(TOKEN) as server, talking(world, server):
        server.refusals = [Refusal(status) for status in refusals]
        await server.direct_message("hello")
        message = await server.said("a fake answer")
        await eventually(lambda: buttons(message) == RATE)
        assert server.tried == len(refusals) + 1
        assert answers(server) == ["a fake answer"]


async def test_a_message_that_discord_kept_but_reported_as_failed_is_there_once(world: World):
    async with DiscordServer(TOKEN) as server, talking(world, server):
        server.refusals = [Refusal(500, kept=True)]
        await server.direct_message("hello")
        await server.said("a fake answer")
        await eventually(lambda: server.tried == 2)
        assert answers(server) == ["a fake answer"]


async def test_an_intent_that_is_off_gives_a_sentence_and_is_not_asked_for_again(world: World):
    async with DiscordServer(TOKEN, privileged=False) as server:
        settings = Settings(
            _env_file=None,
            home=world.store.database.path.parent,
            discord_token=TOKEN,
            discord_api=server.api,
            discord_gateway=server.gateway,
            discord_message_content=True,
        )
        bot: Bot = world.bot()
        with pytest.raises(BadInput, match="Message Content Intent"):
            await talk_on_discord(settings, world.store, bot.app.chat)
        assert len(server.identified) == 1


async def test_with_the_intent_on_the_bot_asks_for_it(world: World):
    async with DiscordServer(TOKEN) as server, talking(world, server, discord_message_content=True):
        assert server.identified[0]["intents"] & MESSAGE_CONTENT


@pytest.mark.parametrize("guild", [None, 500])
async def test_people_who_installed_the_app_are_answered_where_the_bot_is_not_a_member(
    world: World, guild: int | None
):
    async with DiscordServer(TOKEN) as server, talking(world, server):
        token = await server.command("ask", {"question": "hello"}, guild=guild)
        answer = await server.said("a fake answer")
        await eventually(lambda: buttons(answer)[-1:] == RATE[-1:])
        paths = [path for _, path, _ in server.interactions]
        assert paths[0].endswith(f"/{token}/callback")
        assert all(token in path for path in paths)
        assert server.tried == 0  # nothing was sent to the channel: the bot may not write there
        world.fake.answer("another")
        again = answer["components"][0]["components"][-1]
        token = await server.press(answer, again["custom_id"], guild=guild)
        await server.said("another")
        assert server.tried == 0
        assert all(token in path for _, path, _ in server.interactions[len(paths) :])
