"""The core without a platform: a chat with a store, a fake engine and two people."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from bot.answers import Answered, AnswerEvent, Ask, RunningAnswer
from bot.conversation import Chat
from bot.engine.open import open_engine
from bot.ratings import Ratings
from data import schema
from data.personas import Persona
from data.store import Store, StoredGeneration, StoredMessage
from tests.fakes.engine import FakeEngine
from tests.fakes.near import go_near

PERSONA = Persona("assistant", "en", "Be brief.", "Hello.")


class World:
    """A store, a fake engine, a chat and two people."""

    def __init__(self, store: Store, fake: FakeEngine, chat: Chat) -> None:
        self.store = store
        self.fake = fake
        self.chat = chat
        self.ratings = Ratings(store)
        self.ada = self.bea = self.conversation = 0

    def ask(
        self,
        text: str,
        *,
        parent: int | None = None,
        person: int = 0,
        channel: str = "c",
        persona: Persona = PERSONA,
        **more: Any,
    ) -> Ask:
        async def question() -> StoredMessage:
            return await self.store.add_message(
                self.conversation, "user", text, author=person or self.ada, parent=parent, **more
            )

        return Ask(
            person=person or self.ada, channel=channel, platform="terminal", persona=persona, question=question
        )

    async def say(self, text: str, **more: Any) -> StoredGeneration:
        end = (await events(self.chat.answer(self.ask(text, **more))))[-1]
        assert isinstance(end, Answered), end
        return end.generation

    async def row(self, generation: StoredGeneration) -> schema.Generation:
        async with self.store.database.read() as session:
            return await session.get_one(schema.Generation, generation.generation)

    async def count(self, table: type[schema.Base]) -> int:
        async with self.store.database.read() as session:
            return len((await session.scalars(select(table))).all())


@asynccontextmanager
async def opened(home: Path, *, context: int = 2048, **options: Any) -> AsyncIterator[World]:
    store = await Store.open(home)
    patch = pytest.MonkeyPatch()
    async with FakeEngine(context=context) as fake:
        go_near(patch, fake)
        engine = await open_engine(home, url=fake.url)
        chat = Chat(store, engine, **options)
        world = World(store, fake, chat)
        world.ada = await store.person("terminal", "ada")
        world.bea = await store.person("terminal", "bea")
        world.conversation = await store.conversation("terminal", "k", persona="assistant")
        try:
            yield world
        finally:
            await chat.close()
            await engine.close()
            await store.close()
            patch.undo()


async def events(answer: RunningAnswer) -> list[AnswerEvent]:
    async with asyncio.timeout(20):
        return [event async for event in answer]


async def until(answer: RunningAnswer, wanted: type[AnswerEvent]) -> None:
    async with asyncio.timeout(20):
        async for event in answer:
            if isinstance(event, wanted):
                return
