"""A terminal to type at in the test's process, with a store and a fake engine."""

import asyncio
from collections.abc import Sequence
from typing import Any

from sqlalchemy import select

from bot.conversation import Chat
from bot.settings import Settings
from bot.terminal.chat import Terminal
from bot.texts import EN
from data import schema
from data.store import Store
from tests.fakes.engine import FakeEngine


class Paper:
    """A screen that remembers what was written."""

    def __init__(self) -> None:
        self.text = ""

    def write(self, text: str, style: str | None = None) -> None:
        self.text += text

    def line(self, text: str, style: str | None = None) -> None:
        self.end()
        self.text += f"{text}\n"

    def end(self) -> None:
        if self.text and not self.text.endswith("\n"):
            self.text += "\n"


class ScriptedLines:
    """A keyboard with lines that are given beforehand. `prompts` holds the prompts it was read with."""

    interactive = True

    def __init__(self, lines: Sequence[str]) -> None:
        self._lines = list(lines)
        self.prompts: list[str] = []

    def start(self) -> None:
        pass

    async def read(self, prompt: str = "") -> str | None:
        self.prompts.append(prompt)
        return self._lines.pop(0) if self._lines else None

    def unread(self, line: str) -> None:
        self._lines.insert(0, line)

    async def close(self) -> None:
        pass

    async def stop_asked(self) -> None:
        await asyncio.Event().wait()


class World:
    """A store, a fake engine, and a terminal to type at."""

    def __init__(self, store: Store, fake: FakeEngine, chat: Chat) -> None:
        self.store = store
        self.fake = fake
        self.chat = chat
        self.prompts: list[str] = []

    async def enter(self, *lines: str, **settings: Any) -> str:
        """What is written when these lines are typed at a keyboard."""
        typed, paper = ScriptedLines(lines), Paper()
        chosen = Settings(_env_file=None, **settings)
        async with asyncio.timeout(30):
            await Terminal(self.store, self.chat, chosen, EN, typed, paper).run()  # type: ignore[arg-type]  # fakes
        self.prompts = typed.prompts
        return paper.text

    async def rows(self, table: type[schema.Base]) -> list[Any]:
        return await rows(self.store, table)


async def rows(store: Store, table: type[schema.Base]) -> list[Any]:
    async with store.database.read() as session:
        return list((await session.scalars(select(table).order_by(table.id))).all())  # type: ignore[attr-defined]  # the base class has no id
