"""The terminal chat: as a process with a pipe, and its lines and commands inside the test's process."""

import asyncio
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from bot.conversation import Chat, Limits
from bot.engine.api import Engine
from bot.engine.open import open_engine
from bot.settings import Settings
from bot.terminal.chat import Terminal
from bot.terminal.console import Lines
from bot.texts import EN
from data import schema
from data.imports import collect_rows
from data.personas import persona
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
            await Terminal(self.store, self.chat, chosen, EN, typed, paper).run()  # type: ignore[arg-type]
        self.prompts = typed.prompts
        return paper.text

    async def rows(self, table: type[schema.Base]) -> list[Any]:
        return await rows(self.store, table)


async def rows(store: Store, table: type[schema.Base]) -> list[Any]:
    async with store.database.read() as session:
        return list((await session.scalars(select(table).order_by(table.id))).all())  # type: ignore[attr-defined]


@pytest.fixture
def world(installed: tuple[Store, FakeEngine, Engine]) -> World:
    store, fake, engine = installed
    return World(store, fake, Chat(store, engine))


# -- commands


async def test_the_start_says_who_answers_and_how_to_go_to_discord(world: World):
    written = await world.enter("/quit")
    assert EN.serving_base in written
    assert EN.to_discord in written
    assert persona("assistant").greeting in written
    assert EN.to_discord not in await world.enter("/quit", discord_token="x")


async def test_stats_say_what_was_taught_and_how_far_it_is_to_a_verdict(world: World):
    written = await world.enter("/consent yes", "y", "hello", "/up", "/stats")
    assert EN.stats_everywhere.format(counts="👍 1, 👎 0, ✏️ 0, ⚖️ 0", people=1) in written
    assert "0 of 8 thumbs of each direction" in written
    assert "Next: " in written


async def test_forget_names_the_command_that_erases_what_this_person_said(world: World):
    written = await world.enter("hello", "/forget")
    name = written.partition("python -m data forget ")[2].split()[0]
    (person,) = await world.rows(schema.Person)
    assert await world.store.person_named(name) == person.id


async def test_an_unknown_command_names_the_nearest_and_is_not_said_to_the_model(world: World):
    assert "There is no command /upp. Did you mean /up?" in await world.enter("/upp")
    assert "There is no command /xyzzy. " + EN.for_help in await world.enter("/xyzzy")
    assert world.fake.requests == []


async def test_a_first_rating_at_a_keyboard_asks_and_a_no_keeps_nothing(world: World):
    written = await world.enter("hello", "/up", "n", "/up")
    assert EN.consent_question.format(days=30) in written
    assert world.prompts.count(EN.ask_consent) == 1  # a person who said no is not asked at every rating
    assert EN.consent_refused in written
    assert EN.consent_first in written
    assert await world.rows(schema.Rating) == []


async def test_a_first_rating_at_a_keyboard_is_stored_after_a_yes(world: World):
    written = await world.enter("hello", "/down too vague", "y", "n", "/down too vague")
    assert EN.stored_down in written
    ratings = await world.rows(schema.Rating)
    assert [rating.value for rating in ratings] == ["down", "down"]
    assert len({rating.source_id for rating in ratings}) == 2


async def test_a_persona_begins_a_new_conversation_with_its_prompt(world: World):
    written = await world.enter("one", "/persona", "/persona tutr", "/persona tutor", "/up", "two")
    assert "Did you mean 'tutor'?" in written
    assert persona("tutor").greeting in written
    assert EN.nothing_to_rate in written
    first, second = world.fake.requests
    assert second["messages"] == [
        {"role": "system", "content": persona("tutor").system_prompt},
        {"role": "user", "content": "two"},
    ]
    assert first["messages"][0]["content"] == persona("assistant").system_prompt
    assert [row.persona for row in await world.rows(schema.Conversation)] == ["assistant", "tutor"]


async def test_again_asks_which_is_better_and_continues_from_it(world: World):
    world.fake.answer("answer a")
    world.fake.answer("answer b")
    await world.store.set_consent(await world.store.person("terminal", _me()), True)
    await world.enter("hello", "/again", "a", "go on")
    (rating,) = await world.rows(schema.Rating)
    assert (rating.kind, rating.value, rating.generation_id, rating.other_id) == ("comparison", "a", 1, 2)
    assert [m["content"] for m in world.fake.requests[-1]["messages"][1:]] == ["hello", "answer a", "go on"]


async def test_an_engine_that_fails_gives_a_sentence_and_the_chat_goes_on(world: World):
    world.fake.fail(400, message="no")
    written = await world.enter("hello", "/up", "again")
    assert EN.nothing_to_rate in written
    assert "a fake answer" in written
    # the question that was not answered is not part of the next one's context
    assert [m["content"] for m in world.fake.requests[-1]["messages"][1:]] == ["again"]


async def test_a_new_champion_is_announced_when_it_answers(world: World):
    world.fake.model = "release-0007"
    engine = await open_engine(world.store.database.path.parent, url=world.fake.url)
    world.chat = Chat(world.store, engine)
    assert EN.serving.format(release=7) in await world.enter("/quit")
    await engine.close()


async def test_a_withdrawal_and_a_retraction(world: World):
    written = await world.enter(
        "/consent yes", "y", "hello", "/up", "/retract", "/retract", "/consent no", "/consent maybe"
    )
    assert EN.stored_retraction in written
    assert EN.nothing_to_retract in written
    assert EN.consent_usage.format(consent=EN.no) in written
    assert [rating.kind for rating in await world.rows(schema.Rating)] == ["vote", "retraction"]


async def test_a_fresh_yes_begins_a_conversation_that_the_consent_covers_whole(world: World):
    await world.enter(
        "before", "/consent yes", "y", "y", "after", "/correct better", "/consent yes", "and more", "/up"
    )
    rows_of = [conversation.id for conversation in await world.rows(schema.Conversation)]
    assert len(rows_of) == 2  # a second yes changes nothing
    collected = await collect_rows(world.store, discord_permission=None)
    (demonstration,) = collected.of("demonstration")
    assert [m["content"] for m in demonstration.messages if m["role"] == "user"] == ["after"]
    (labelled,) = collected.of("labelled")
    assert [m["content"] for m in labelled.messages if m["role"] == "user"] == ["after", "and more"]


async def test_a_yes_after_the_first_answer_offers_a_new_conversation_and_a_no_stays_in_this_one(world: World):
    await world.enter("before", "/up", "maybe", "Yes", "perhaps", "no", "after")
    assert world.prompts.count(EN.ask_consent) == 2
    assert world.prompts.count(EN.ask_new) == 2
    assert [m["content"] for m in world.fake.requests[-1]["messages"][1:]] == ["before", "a fake answer", "after"]


async def test_a_question_about_consent_that_was_not_answered_records_nothing(world: World):
    await world.enter("hello", "/up", "what?", "/quit")
    assert await world.rows(schema.Consent) == []


async def test_new_begins_a_conversation_without_what_was_said(world: World):
    written = await world.enter("one", "/new", "/up", "two")
    assert EN.begun_anew in written
    assert EN.nothing_to_rate in written
    assert [m["content"] for m in world.fake.requests[-1]["messages"][1:]] == ["two"]


async def test_a_conversation_that_is_stuck_offers_a_new_one(world: World):
    world.chat = Chat(world.store, world.chat.engine, limits=Limits(history_tokens=200))
    written = await world.enter("one", "word " * 300)
    assert EN.anew_offer in written


async def test_a_correction_of_several_lines_ends_with_a_dot(world: World):
    await world.store.set_consent(await world.store.person("terminal", _me()), True)
    written = await world.enter(
        "hello", "/correct", "First line.", "", "  /up is not a command here", ".", "/correct", "."
    )
    assert EN.correction_lines in written
    assert EN.correction_empty in written
    (rating,) = await world.rows(schema.Rating)
    (text,) = [row.text for row in await world.rows(schema.MessageVersion) if row.id == rating.text_version_id]
    assert text == "First line.\n\n  /up is not a command here"


def _me() -> str:
    from bot.terminal.chat import _user

    return _user()


async def test_lines_of_a_pipe_come_whole_whatever_the_blocks():
    reader, writer = os.pipe()
    lines = Lines(interactive=False, descriptor=reader)
    lines.start()
    for block in (b"on", b"e\r\ntw", "ö\n".encode()[:1], "ö\n".encode()[1:], b"\nlast"):
        os.write(writer, block)
        await asyncio.sleep(0.01)
    os.close(writer)
    got = []
    async with asyncio.timeout(10):
        while (line := await lines.read()) is not None:
            got.append(line)
        assert await lines.read() is None  # the end stays the end
    assert got == ["one", "twö", "", "last"]
    os.close(reader)


async def test_stop_is_seen_while_an_answer_runs_and_other_lines_wait():
    reader, writer = os.pipe()
    lines = Lines(interactive=False, descriptor=reader)
    lines.start()
    asked = asyncio.create_task(lines.stop_asked())
    os.write(writer, b"later\n")
    await asyncio.sleep(0.05)
    assert not asked.done()
    async with asyncio.timeout(10):
        assert await lines.read() == "later"
        os.write(writer, b" /stop \n")
        await asked
    os.close(writer)
    async with asyncio.timeout(10):
        assert await lines.read() is None
    os.close(reader)


# -- a process and a pipe


class Process:
    """`python -m bot --platform terminal` with a pipe on both ends."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        assert process.stdin is not None
        assert process.stdout is not None
        self.stdin, self.stdout = process.stdin, process.stdout
        self.written = ""

    def enter(self, *lines: str) -> None:
        self.stdin.write("".join(f"{line}\n" for line in lines).encode())

    async def until(self, text: str) -> None:
        async with asyncio.timeout(60):
            while text not in self.written:
                block = await self.stdout.read(4096)
                assert block, f"the end came before {text!r}: {self.written}"
                self.written += block.decode()

    async def end(self) -> str:
        self.stdin.close()
        async with asyncio.timeout(60):
            self.written += (await self.stdout.read()).decode()
            await self.process.wait()
        return self.written


async def begin(home: Path, url: str) -> Process:
    env = {name: value for name, value in os.environ.items() if not name.startswith(("PARLEY_", "DISCORD_"))}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bot", "--platform", "terminal"),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        env={**env, "PARLEY_HOME": str(home), "PARLEY_ENGINE_URL": url, "DISCORD_TOKEN": ""},
    )
    return Process(process)


async def begin_with_half_an_answer(home: Path, fake: FakeEngine) -> Process:
    fake.answer("half an ", "never", hold=asyncio.Event())
    process = await begin(home, fake.url)
    process.enter("go on")
    await process.until("half an ")
    return process


@pytest.mark.process
async def test_a_script_through_a_pipe_leaves_its_records(tmp_path: Path):
    async with FakeEngine() as fake:
        fake.answer("Pa", "ris.", delay=0.02)
        process = await begin(tmp_path, fake.url)
        process.enter("What is the capital of France?", "/up", "/consent yes", "/up", "/up", "/down why not")
        process.enter("/correct It is Paris.", "/again", "b", "/again", "what else?", "/again", "bad", "the last one")
        written = await process.end()
    assert process.process.returncode == 0
    assert "\x1b" not in written
    assert EN.you not in written
    assert EN.which_is_better not in written
    assert "Paris.\n" in written
    assert written.index(EN.consent_first) < written.index(EN.consent_given) < written.index(EN.stored_up)
    assert written.count(EN.stored_up) == 1
    assert EN.already in written
    assert EN.not_a_verdict in written
    store = await Store.open(tmp_path)
    ratings = await rows(store, schema.Rating)
    assert [(rating.kind, rating.value) for rating in ratings] == [
        ("vote", "up"),
        ("vote", "down"),
        ("correction", None),
        ("comparison", "b"),
        ("comparison", "both_bad"),
    ]
    generations = await rows(store, schema.Generation)
    assert len(generations) == 6  # the end of the input does not cut the last answer off
    assert {generation.finish_reason for generation in generations} == {"stop"}
    texts = [version.text for version in await rows(store, schema.MessageVersion)]
    assert "what else?" in texts
    assert "the last one" in texts
    await store.close()


@pytest.mark.process
async def test_stop_from_a_pipe_keeps_what_was_said(tmp_path: Path):
    async with FakeEngine() as fake:
        process = await begin_with_half_an_answer(tmp_path, fake)
        process.enter("/stop", "/quit", "never said")
        written = await process.end()
    assert EN.stopped in written
    store = await Store.open(tmp_path)
    (generation,) = await rows(store, schema.Generation)
    assert generation.finish_reason == "stopped"
    assert len(fake.requests) == 1
    await store.close()


@pytest.mark.process
async def test_ctrl_c_stops_the_answer_and_then_leaves(tmp_path: Path):
    async with FakeEngine() as fake:
        process = await begin_with_half_an_answer(tmp_path, fake)
        process.process.send_signal(signal.SIGINT)
        await process.until(EN.stopped)
        process.process.send_signal(signal.SIGINT)
        async with asyncio.timeout(30):
            await process.process.wait()
    assert process.process.returncode == 0
    assert await process.end()


@pytest.mark.process
async def test_an_acknowledged_rating_survives_a_kill(tmp_path: Path):
    async with FakeEngine() as fake:
        process = await begin(tmp_path, fake.url)
        process.enter("/consent yes", "hello", "/up")
        await process.until(EN.stored_up)
        process.process.kill()
        await process.end()
    store = await Store.open(tmp_path)
    (rating,) = await rows(store, schema.Rating)
    assert (rating.kind, rating.value) == ("vote", "up")
    await store.close()


@pytest.mark.process
async def test_the_chat_begins_without_its_engine_and_says_so(tmp_path: Path):
    process = await begin(tmp_path, "http://bob:hunter2@127.0.0.1:9/v1")
    process.enter("hello")
    written = await process.end()
    assert process.process.returncode == 0
    assert written.count(EN.engine_unreachable) == 2  # at the start, and as the answer
    assert "Traceback" not in written
    assert "hunter2" not in written
