"""The scenes: what people do on a server, played by simcord, and what they see.

Everything in the pictures was sent by the bot itself; only the questions and the model's answers are made up.
"""

from __future__ import annotations

import asyncio
import os
import re
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

import discord
import simcord.interactions
from simcord.env import Env

from bot.discord import compare
from bot.engine.open import open_engine
from data.store import Store
from tests.bot.discord.world import World, eventually, labels
from tests.fakes.engine import FakeEngine
from tests.screens.draw import Caption, Field, Message, SceneItem, Window, draw

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    import simcord

LANGUAGES = ("en", "zh")
QUOTED = 40  # characters of a message that a reply to it shows
LABELS = 18  # the component that holds a label and its field

# What people ask and the model answers: name, English, Chinese.
LINES = {
    "ask": ("How do I keep basil alive on a windowsill?", "窗台上的罗勒怎样才能养活？"),
    "half": ("Give it sun, and water it when", "让它多晒太阳，等到"),
    "whole": (
        "Give it sun, and water it when the top of the soil feels dry. Pinch the tips, and it grows bushy.",
        "让它多晒太阳，等到表层的土干了再浇水。常掐顶芽，它会长得更茂密。",
    ),
    "other": ("Basil needs water.", "罗勒要浇水。"),
    "better": ("Sun, dry feet, and pinch the tips.", "多晒太阳，少浇水，常掐顶芽。"),
    "later": ("a moment later", "片刻之后"),
    "there": ("in the moderators' channel", "在版主的频道"),
    "pressed": ("{who} presses {what}", "{who} 按了 {what}"),
    "sent": ("sent", "提交之后"),
}


@dataclass(frozen=True)
class Stage:
    """A world to play in, in one language; turns what was sent into what is drawn."""

    world: World
    language: str

    def line(self, name: str, **values: str) -> str:
        """A line of `LINES` in the scene's language."""
        return LINES[name][LANGUAGES.index(self.language)].format(**values)

    def pressed(self, who: str, what: str) -> Caption:
        """A caption: a person presses a button."""
        return Caption(self.line("pressed", who=who, what=what))

    def message(self, message: discord.Message, command: tuple[str, str] | None = None) -> Message:
        """A message as its readers see it."""
        replied = None
        if message.reference is not None and message.reference.message_id is not None:
            first = next(m for m in self.world.channel.history() if m.id == message.reference.message_id)
            replied = f"@{first.author.display_name} {_quoted(_shown(self.world, first.content))}"
        components = [child for row in message.components for child in getattr(row, "children", [])]
        return Message(
            message.author.display_name,
            _shown(self.world, message.content),
            app=message.author.bot,
            buttons=tuple(str(label) for label in labels(message)),
            tinted=tuple(str(c.label) for c in components if c.style is discord.ButtonStyle.success),
            reply=replied,
            command=command,
            only_you=message.flags.ephemeral,
        )

    def told(self, result: simcord.InteractionResult, command: tuple[str, str] | None = None) -> Message:
        """What the bot replied to a button, a command or a window."""
        shown = result.followups[-1] if result.followups else result.response
        assert shown is not None
        return self.message(shown.message, command)

    async def asked(self) -> discord.Message:
        """Ada's question and its answer."""
        self.world.fake.answer(self.line("whole"))
        return await self.world.ask(self.line("ask"))

    def question_and_answer(self) -> list[SceneItem]:
        """What the channel shows."""
        return [self.message(message) for message in self.world.channel.history()]


async def answer(stage: Stage) -> list[SceneItem]:
    """A question, its answer while it grows, and the whole answer."""
    world, hold = stage.world, asyncio.Event()
    half = stage.line("half")
    world.fake.answer(half, stage.line("whole").removeprefix(half), hold=hold)
    world.say_without_waiting(stage.line("ask"))
    await eventually(lambda: world.contents()[-1] == half and labels(world.last()) == ["⏹"])
    items = [*stage.question_and_answer(), Caption(stage.line("later"))]
    hold.set()
    await eventually(lambda: "↻" in labels(world.last()))
    return [*items, stage.message(world.last())]


async def two_answers(stage: Stage) -> list[SceneItem]:
    """Two answers, a verdict, and which release gave which."""
    world = stage.world
    first = await stage.asked()
    world.fake.answer(stage.line("other"))
    await world.ada.click(first, label="⚖️")
    await world.agree(world.bea.id)
    top, bottom = world.channel.history()[-2:]
    told = await world.bea.click(bottom, label="A")
    return [stage.message(top), stage.message(bottom), stage.pressed("bea", "A"), stage.told(told)]


async def correction(stage: Stage) -> list[SceneItem]:
    """The window for a correction, and the thanks."""
    world = stage.world
    await world.agree(world.ada.id)
    opened = await world.ada.click(await stage.asked(), label="✏️")
    sent = await world.ada.submit_modal(opened, {"text": stage.line("better")})
    return [
        *stage.question_and_answer()[-1:],
        stage.pressed("ada", "✏️"),
        window(opened.modal),
        Caption(stage.line("sent")),
        stage.told(sent),
    ]


async def reasons(stage: Stage) -> list[SceneItem]:
    """The window that asks what was wrong."""
    world = stage.world
    await world.agree(world.ada.id)
    opened = await world.ada.click(await stage.asked(), label="👎")
    return [*stage.question_and_answer()[-1:], stage.pressed("ada", "👎"), window(opened.modal)]


async def consent(stage: Stage) -> list[SceneItem]:
    """The question at the first rating."""
    told = await stage.world.ada.click(await stage.asked(), label="👍")
    return [*stage.question_and_answer()[-1:], stage.pressed("ada", "👍"), stage.told(told)]


async def command(stage: Stage, name: str) -> list[SceneItem]:
    """What a command replies."""
    world = stage.world
    if name == "stats":
        written = await stage.asked()
        for who, label in ((world.ada, "👍"), (world.bea, "👍"), (world.max, "👎")):
            await world.agree(who.id)
            await who.click(written, label=label)
        opened = await world.ada.click(written, label="✏️")
        await world.ada.submit_modal(opened, {"text": stage.line("better")})
    return [stage.told(await world.ada.slash(world.channel, name), ("ada", f"/{name}"))]


async def report(stage: Stage) -> list[SceneItem]:
    """A report: the thanks, and what the moderators see."""
    world = stage.world
    moderators = world.guild.create_text_channel("moderators")
    await world.max.slash(world.channel, "reports", channel=moderators)
    told = await world.bea.context_menu(world.channel, "Report this answer", await stage.asked())
    last = world.last(moderators)
    return [
        *stage.question_and_answer()[-1:],
        stage.told(told, ("bea", "“举报这个回答”" if stage.language == "zh" else "“Report this answer”")),
        Caption(stage.line("there")),
        stage.message(last),
    ]


SCENES: dict[str, Callable[[Stage], Awaitable[list[SceneItem]]]] = {
    "answer": answer,
    "compare": two_answers,
    "correct": correction,
    "reasons": reasons,
    "consent": consent,
    "teach": partial(command, name="teach"),
    "stats": partial(command, name="stats"),
    "report": report,
}


async def picture(name: str, language: str) -> str:
    """Play a scene and draw it; returns the SVG."""
    async with _stage(language) as stage:
        items = await SCENES[name](stage)
    return draw(f"Parley: {name}", "general", items, language)


@asynccontextmanager
async def _stage(language: str) -> AsyncIterator[Stage]:
    """A server where people's Discord is set to a language, without any settings of this machine."""
    base = simcord.interactions.base_payload

    def localised(*args: Any, **more: Any) -> Any:
        record, payload = base(*args, **more)
        return record, {**payload, "locale": {"en": "en-US", "zh": "zh-CN"}[language]}

    plain = {name: value for name, value in os.environ.items() if not name.startswith(("PARLEY_", "DISCORD_"))}
    with (
        TemporaryDirectory() as folder,
        patch.dict(os.environ, plain, clear=True),
        patch.object(simcord.interactions, "base_payload", localised),
        patch.object(compare.random, "sample", lambda answers, _: list(answers)),
    ):
        store = await Store.open(Path(folder))
        async with FakeEngine() as fake:
            engine = await open_engine(Path(folder), url=fake.url)
            world = World(store, fake, engine)
            env = Env(world.bot(language=language), approved_intents=discord.Intents.default(), settle_timeout=5.0)
            env.backend.bot_user.name = "Parley"
            await env.start()
            await world.begin(env)
            try:
                yield Stage(world, language)
            finally:
                await env.shutdown()
                await engine.close()
        env.raise_errors()
        await store.close()


def window(modal: dict[str, Any] | None) -> Window:
    """A window as it was sent to Discord."""
    assert modal is not None
    fields = []
    for component in modal["components"]:
        assert component["type"] == LABELS
        inner = component["component"]
        options = tuple(f"☐ {option['label']}" for option in inner.get("options", []))
        fields.append(Field(component["label"], inner.get("value") or "", options))
    return Window(modal["title"], tuple(fields))


def _shown(world: World, content: str) -> str:
    """A content with names instead of ids, which differ each time."""
    people = {str(who.id): who.name for who in (world.ada, world.bea, world.max)}
    people[str(world.env.bot.user.id)] = "Parley"  # type: ignore[union-attr]  # the bot is logged in
    content = re.sub(r"<@!?(\d+)>", lambda match: f"<@{people[match[1]]}>", content)
    content = re.sub(r"https://discord\.com/channels/[\d/]+", "<#general>", content)
    return re.sub(r"<#\d+>", "<#moderators>", content)


def _quoted(content: str) -> str:
    """The beginning of a message as a reply to it shows it."""
    plain = re.sub(r"-# |\*\*|[<>]", "", content.replace("\n", " "))
    return plain if len(plain) <= QUOTED else f"{plain[:QUOTED].rstrip()} …"
