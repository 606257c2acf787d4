"""The terminal chat as a process with a pipe, and the lines of a pipe."""

import asyncio
import os
import signal
import sys
from pathlib import Path

import pytest

from bot.terminal.console import Lines
from bot.texts import EN
from data import schema
from data.store import Store
from tests.bot.terminal.world import rows
from tests.fakes.engine import FakeEngine


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
        process.enter("/again", "b", "/again", "what else?", "/again", "bad", "/correct It is Paris.", "the last one")
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
        ("comparison", "b"),
        ("comparison", "both_bad"),
        ("correction", None),
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
