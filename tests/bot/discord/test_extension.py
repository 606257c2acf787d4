"""Parley as an extension in somebody else's bot: what it adds, what it leaves alone, and that it can be removed."""

import ast
import asyncio
import logging
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any
from unittest.mock import AsyncMock, Mock

import discord
import pytest
from discord import app_commands
from discord.ext import commands
from simcord.env import Env

from bot.discord.listeners import Parley
from bot.discord.presses import submitted
from bot.texts import EN, texts
from data import schema
from tests.bot.discord.world import RATE, World, labels, said

ROOT = Path(__file__).parents[3]
EXTENSION = "parley"


# Calls that look like a send and are not: `self._place` passes the text to `bot.discord.place`, a store sends none.
NO_MESSAGES = ("self._place", "self.store", "store")


class Host(commands.Bot):
    """A bot that somebody else wrote, with a command of each kind."""

    def __init__(self, menus: int = 0, **more: Any) -> None:
        super().__init__(command_prefix=commands.when_mentioned, intents=discord.Intents.default(), **more)
        self.heard: list[str] = []
        self.translated: list[app_commands.locale_str] = []

        @self.command()
        async def ping(context: commands.Context[Any]) -> None:
            await context.send("pong")

        @self.tree.command(name="privacy", description="The host's own.")
        async def privacy(interaction: discord.Interaction) -> None:
            await interaction.response.send_message("the host's")

        async def menu(interaction: discord.Interaction, message: discord.Message) -> None:
            await interaction.response.send_message("a menu")

        for number in range(menus):
            self.tree.add_command(app_commands.ContextMenu(name=f"Menu {number}", callback=menu))

    async def setup_hook(self) -> None:
        host = self

        class Words(app_commands.Translator):
            async def translate(self, string: app_commands.locale_str, *_: Any) -> str | None:
                host.translated.append(string)
                return None

        await self.tree.set_translator(Words())
        await self.load_extension(EXTENSION)
        await self.tree.sync()


@pytest.fixture(autouse=True)
def modules() -> Iterator[None]:
    """Unloading an extension drops its modules; other tests need the ones that they imported."""
    before = {name: module for name, module in sys.modules.items() if name.startswith(EXTENSION)}
    yield
    for name in [name for name in sys.modules if name.startswith(EXTENSION)]:
        del sys.modules[name]
    sys.modules.update(before)


@pytest.fixture(autouse=True)
def settings(world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in (
        "PARLEY_HOME",
        "PARLEY_BASES",
    ):  # the settings write absolute paths back: only for this test
        monkeypatch.setenv(name, str(tmp_path))
    monkeypatch.setenv("PARLEY_ENGINE_URL", world.fake.url)
    # Edits need not keep to Discord's pace.
    monkeypatch.setitem(Parley.__init__.__kwdefaults__, "seconds_per_edit", 0)


@pytest.fixture
async def hosted(world: World) -> AsyncIterator[World]:
    env = Env(Host(), approved_intents=discord.Intents.default(), settle_timeout=10)
    await env.start()
    await world.begin(env)
    yield world
    await env.bot.close()
    await env.shutdown()
    assert [error for error in env.errors if not isinstance(error, app_commands.CommandInvokeError)] == []


def listeners(host: Any) -> list[Any]:
    """Parley's listeners, without simcord's."""
    found = [listener for listeners in host.extra_events.values() for listener in listeners]
    return [listener for listener in found if not listener.__module__.startswith("simcord")]


def bodies(world: World) -> list[dict[str, Any]]:
    """Everything that was sent with a text in it, wherever it went."""
    found = []
    for request in world.env.http_requests:
        body = request.json if isinstance(request.json, dict) else {}
        body = body.get("data", body)
        if isinstance(body, dict) and body.get("content") and not request.path.endswith("/commands"):
            found.append(body)
    return found


@pytest.mark.played
async def test_a_host_talks_and_is_taught_and_nobody_is_pinged(hosted: World):
    hosted.fake.answer(f"@everyone look, {hosted.bea.mention}!")
    answer = await hosted.ask("hello")
    assert labels(answer) == RATE
    (question,) = (await hosted.ada.click(answer, label="👍")).followups
    await hosted.ada.click(question, label=EN.yes)
    assert [row.value for row in await hosted.rows(schema.Rating)] == ["up"]
    assert EN.training_held in said(await hosted.ada.slash(hosted.channel, "parley privacy"))
    assert said(await hosted.ada.slash(hosted.channel, "parley export")) == EN.kept
    hosted.fake.answer("@here")
    await hosted.ada.slash(hosted.channel, "parley ask", question="ping")
    rated = await hosted.ada.context_menu(hosted.channel, "Rate this answer", answer)
    assert said(rated) == f"{EN.rate_this} {EN.vote_up}"
    opened = await hosted.ada.click(answer, label="✏️")
    assert (await hosted.ada.submit_modal(opened, {"text": "@everyone"})).followups
    assert hosted.env.bot.allowed_mentions is None
    assert len(bodies(hosted)) > 6
    assert [body for body in bodies(hosted) if body.get("allowed_mentions", {}).get("parse") != []] == []


@pytest.mark.played
async def test_a_host_is_told_commands_as_they_are_called_there(hosted: World):
    taught = said(await hosted.ada.slash(hosted.channel, "parley teach"))
    assert "/parley privacy says what is kept, /parley forget erases it" in taught
    answer = await hosted.ask("hello")
    await hosted.max.slash(hosted.channel, "parley teaching", allowed="off")
    refused = said(await hosted.ada.context_menu(hosted.channel, "Correct this answer", answer))
    assert refused.endswith("/parley teaching on.")
    assert "/parley privacy" not in EN.teach
    await hosted.env.bot.unload_extension(EXTENSION)  # type: ignore[attr-defined]  # simcord types a client
    assert texts("en") is EN


@pytest.mark.played
async def test_the_hosts_own_things_are_left_alone(hosted: World):
    host: Any = hosted.env.bot
    assert said(await hosted.ada.slash(hosted.channel, "privacy")) == "the host's"
    await hosted.ask("ping")
    assert hosted.contents()[-1] == "pong"
    assert hosted.fake.requests == []
    assert type(host.tree.translator).__name__ == "Words"
    assert host.intents == discord.Intents.default()
    assert discord.http.Route.BASE == "https://discord.com/api/v10"
    assert {string.message: string.extras.get("zh") for string in host.translated}["question"] == "问题"
    group = host.tree.get_command("parley")
    assert isinstance(group, app_commands.Group)
    assert {"ask", "privacy", "consent", "forget", "teaching"} <= {command.name for command in group.commands}
    assert {command.name for command in host.tree.get_commands(type=discord.AppCommandType.chat_input)} == {
        "privacy",
        "parley",
    }


@pytest.mark.played
async def test_a_command_that_fails_in_a_host_tells_the_person(hosted: World, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(hosted.env.bot.parley.app.store, "consent", None)  # type: ignore[attr-defined]  # our own bot
    assert said(await hosted.ada.slash(hosted.channel, "parley privacy")) == EN.internal_error


@pytest.mark.played
async def test_unloading_takes_everything_away_and_it_can_come_again(hosted: World, monkeypatch: pytest.MonkeyPatch):
    host: Any = hosted.env.bot
    hosted.fake.answer("half ", "never", hold=asyncio.Event())
    hosted.say_without_waiting("go on")
    async with asyncio.timeout(10):
        while not any("half" in text for text in hosted.contents()):  # noqa: ASYNC110 - the test polls
            await asyncio.sleep(0.01)
    store = host.parley.app.store
    closed = AsyncMock(wraps=store.database.close)
    monkeypatch.setattr(store.database, "close", closed)
    tasks = asyncio.all_tasks()
    await host.unload_extension(EXTENSION)
    assert hosted.contents()[-1] == f"half\n-# {EN.ended}"  # the running answer was finished and stored
    assert [row.finish_reason for row in await hosted.rows(schema.Generation)] == ["stopped"]
    assert [command.name for command in host.tree.get_commands(type=None)] == ["privacy"]
    assert listeners(host) == []
    assert host._connection._view_store._dynamic_items == {}
    assert not hasattr(host, "parley")
    left = [task for task in asyncio.all_tasks() - tasks if not task.done()]
    assert [task for task in left if "simcord" not in repr(task)] == []  # simcord's clock
    assert not [task for task in asyncio.all_tasks() if "purge_daily" in repr(task.get_coro())]
    closed.assert_awaited_once()
    requests = len(hosted.fake.requests)
    await hosted.ask("hello")
    assert len(hosted.fake.requests) == requests
    await host.load_extension(EXTENSION)
    await host.tree.sync()
    assert (await hosted.ask("hello")).content == "a fake answer"
    assert host.parley.app.store is not store


@pytest.mark.played
async def test_the_hosts_own_windows_are_left_to_it():
    interaction = Mock(data={"custom_id": "fix:1"})
    await submitted(Mock(), interaction)
    interaction.response.defer.assert_not_called()


@pytest.mark.played
async def test_menus_that_find_no_room_are_named_and_the_rest_works(world: World, caplog: pytest.LogCaptureFixture):
    with caplog.at_level(logging.WARNING, "bot"):
        host = Host(menus=3)
        await host.load_extension(EXTENSION)
    menus = [menu.name for menu in host.tree.get_commands(type=discord.AppCommandType.message)]
    assert menus == ["Menu 0", "Menu 1", "Menu 2", "Report this answer", "Correct this answer"]
    (told,) = [record.getMessage() for record in caplog.records if "menus" in record.getMessage()]
    assert "no room for Delete this answer, Rate this answer, Answer this." in told
    await host.unload_extension(EXTENSION)
    assert len(host.tree.get_commands(type=None)) == 4


@pytest.mark.played
async def test_parleys_own_menus_fit():
    host = Host()
    await host.load_extension(EXTENSION)
    assert len(host.tree.get_commands(type=discord.AppCommandType.message)) == 5
    await host.unload_extension(EXTENSION)


async def refused(host: Host) -> str:
    with pytest.raises(commands.ExtensionFailed) as failed:
        await host.load_extension(EXTENSION)
    assert listeners(host) == []
    assert not hasattr(host, "parley")
    assert EXTENSION not in host.extensions
    return str(failed.value.original)


@pytest.mark.played
async def test_a_host_with_a_command_of_that_name_is_told(world: World):
    host = Host()
    host.tree.add_command(app_commands.Group(name="parley", description="The host's own."))
    assert "has a command /parley of its own" in await refused(host)
    assert host.tree.get_command("parley").description == "The host's own."  # type: ignore[union-attr]  # it is there


@pytest.mark.played
async def test_its_only_name_is_parley():
    host: Any = Host()
    with pytest.raises(commands.NoEntryPointError):
        await host.load_extension("bot.discord")
    await host.load_extension(EXTENSION)
    with pytest.raises(commands.ExtensionAlreadyLoaded):
        await host.load_extension(EXTENSION)
    assert len(listeners(host)) == len({listener.__name__ for listener in listeners(host)})
    await host.unload_extension(EXTENSION)
    assert [command.name for command in host.tree.get_commands(type=None)] == ["privacy"]
    assert listeners(host) == []


@pytest.mark.played
async def test_a_bad_setting_gives_a_sentence_for_the_host(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("PARLEY_RETENTION_DAYS", "soon")
    assert "PARLEY_RETENTION_DAYS" in await refused(Host())


@pytest.mark.played
async def test_an_intent_that_the_host_does_not_ask_for_is_named(caplog: pytest.LogCaptureFixture):
    host = Host()
    host._connection._intents.dm_messages = False
    with caplog.at_level(logging.WARNING, "bot"):
        await host.load_extension(EXTENSION)
    assert any("intents dm_messages" in record.getMessage() for record in caplog.records)
    await host.unload_extension(EXTENSION)


PROGRAM = """
import asyncio, discord, sys
from discord.ext import commands

async def main():
    host = commands.Bot(command_prefix="!", intents=discord.Intents.none())
    try:
        await host.load_extension(sys.argv[1])
    except commands.ExtensionFailed as error:
        print("failed:", error)

asyncio.run(main())
"""


@pytest.mark.process
@pytest.mark.parametrize(
    "shadow",
    [
        "bot.py",  # a common name for a bot's program
        "bot/__init__.py",
        "data.py",
        "data/__init__.py",
    ],
)
def test_a_package_in_the_way_is_named(tmp_path: Path, shadow: str):
    (tmp_path / shadow).parent.mkdir(exist_ok=True)
    (tmp_path / shadow).write_text("raise SystemExit('the host was run')")
    (tmp_path / "program.py").write_text(PROGRAM)
    done = subprocess.run(
        [sys.executable, "program.py", EXTENSION],
        cwd=tmp_path,
        env={"PYTHONPATH": str(ROOT), "PATH": ""},
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
    )
    assert done.stdout.startswith(f"failed: Extension {EXTENSION!r} raised an error: ImportError: Parley needs"), done
    name = shadow.split("/")[0].removesuffix(".py")
    assert f"`{name}` is {tmp_path / shadow}. Rename that file or folder" in done.stdout


@pytest.mark.played
def test_every_sentence_is_sent_without_pinging_anybody():
    # On somebody else's bot nothing else prevents pings.
    sends = {"send", "send_message", "edit", "edit_message", "edit_original_response", "reply"}
    places = 0
    for path in sorted((ROOT / "bot" / "discord").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
                continue
            if node.func.attr not in sends or ast.unparse(node.func.value) in NO_MESSAGES:
                continue
            assert "allowed_mentions" in {keyword.arg for keyword in node.keywords}, f"{path.name}:{node.lineno}"
            places += 1
    assert places > 8
