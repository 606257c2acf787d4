"""A Discord server to play in: the bot in it, people who write and press buttons, a store, and a fake engine."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import discord
import simcord
from simcord.builders import ChannelHandle
from simcord.env import Env
from sqlalchemy import select

from bot.conversation import Chat, Limits
from bot.discord.client import Bot
from bot.engine.api import Engine
from bot.settings import Settings
from bot.trial import Trial
from data import schema
from data.store import Store
from tests.fakes.engine import FakeEngine

RATE = ["👍", "👎", "✏️", "⚖️", "↻"]  # the buttons below an answer


@asynccontextmanager
async def playing(bot: discord.Client, *, message_content: bool = False) -> AsyncIterator[Env]:
    """Discord with this bot in it; errors of the bot fail the test at the end."""
    # Not simcord.run: it must be left in the context in which it was entered, and a fixture has two.
    intents = discord.Intents.default() | discord.Intents(message_content=message_content)
    env = Env(bot, approved_intents=intents, settle_timeout=20)
    await env.start()
    yield env
    await env.shutdown()
    env.raise_errors()


class World:
    """A server with a channel, people, and the bot in it."""

    env: Env
    channel: ChannelHandle

    def __init__(self, store: Store, fake: FakeEngine, engine: Engine) -> None:
        self.store = store
        self.fake = fake
        self.engine = engine

    def bot(
        self,
        *,
        limits: Limits | None = None,
        seconds_per_edit: float = 0,
        trial: Trial | None = None,
        **settings: Any,
    ) -> Bot:
        chosen = Settings(_env_file=None, **{"home": self.store.database.path.parent, "shards": 1, **settings})
        chat = Chat(self.store, self.engine, limits=limits, show_thinking=chosen.show_thinking)
        return Bot(chosen, self.store, chat, trial, seconds_per_edit=seconds_per_edit)

    async def begin(self, env: Env) -> None:
        self.env = env
        guild = env.create_guild()
        self.guild = guild
        await self.store.set_may_teach("discord", str(guild.id), True)
        self.channel = guild.create_text_channel("general")
        self.ada = guild.add_member(env.create_user("ada"))
        self.bea = guild.add_member(env.create_user("bea"))
        managers = guild.create_role(
            "managers", permissions=discord.Permissions(manage_guild=True, manage_messages=True, manage_channels=True)
        )
        self.max = guild.add_member(env.create_user("max"), roles=[managers])

    @property
    def app(self) -> Any:
        """The parts of the bot that runs now."""
        return self.env.bot.app  # type: ignore[attr-defined]  # our own bot

    @property
    def me(self) -> str:
        assert self.env.bot.user is not None
        return self.env.bot.user.mention

    async def ask(self, text: str, **more: Any) -> discord.Message:
        await self.ada.send(self.channel, f"{self.me} {text}", **more)
        return self.last()

    def last(self, channel: ChannelHandle | None = None) -> discord.Message:
        message = (channel or self.channel).last_message
        assert message is not None
        return message

    async def rows(self, table: type[schema.Base]) -> list[Any]:
        """A table's rows; of settings, those that people made: the bot notes which commands it published."""
        async with self.store.database.read() as session:
            found = (await session.scalars(select(table).order_by(table.id))).all()  # type: ignore[attr-defined]  # every table has an id
        return [row for row in found if not (isinstance(row, schema.Setting) and row.scope == "application")]

    async def agree(self, user_id: int) -> None:
        await self.store.set_consent(await self.store.person("discord", str(user_id)), True)

    async def open_thread(self) -> ChannelHandle:
        """A thread that Ada opens."""
        await self.ada.slash(self.channel, "chat")
        (thread,) = self.channel.threads
        return thread

    async def log(self) -> list[tuple[str, dict[str, Any]]]:
        """The audit log, the oldest entry first."""
        return [(entry.deed, dict(entry.what)) for entry in reversed(await self.store.deeds(None, 99))]

    def say_without_waiting(self, text: str) -> None:
        """Ada asks, and the answer still runs when this returns; simcord's people wait for the bot."""
        self.env.backend.create_message(self.channel.id, self.ada.id, f"{self.me} {text}")

    def contents(self) -> list[str]:
        return [message.content for message in self.channel.history()]

    def sent(self, number: int = -1) -> list[str]:
        return [m["content"] for m in self.fake.requests[number]["messages"][1:]]


def reply_of(result: simcord.InteractionResult) -> Any:
    """The message that a person got from a command, a button or a window."""
    found = result.followups[0] if result.followups else result.response
    assert found is not None
    return found


def said(result: simcord.InteractionResult) -> str:
    """Its text."""
    return str(reply_of(result).content)


def labels(message: discord.Message) -> list[str | None]:
    return [child.label for row in message.components for child in row.children]


async def eventually(condition: Any) -> None:
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110 - the test polls
            await asyncio.sleep(0.01)
