"""`python -m bot` as a whole process with the page: alone, and beside Discord."""

import asyncio
import os
import re
import signal
import sys
from pathlib import Path

import httpx2
import pytest

from tests.fakes.discord_server import DiscordServer
from tests.fakes.engine import FakeEngine

pytestmark = pytest.mark.process


async def begin(home: Path, engine: str, *arguments: str, **more: str) -> asyncio.subprocess.Process:
    env = {name: value for name, value in os.environ.items() if not name.startswith(("PARLEY_", "DISCORD_"))}
    settings = {"PARLEY_HOME": str(home), "PARLEY_ENGINE_URL": engine, **more}
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bot", *arguments), stderr=asyncio.subprocess.PIPE, env={**env, **settings}
    )


async def address(process: asyncio.subprocess.Process) -> str:
    """The page's address, as the process prints it."""
    assert process.stderr is not None
    async with asyncio.timeout(60):
        while line := (await process.stderr.readline()).decode():
            if found := re.search(r"the page is at (\S+)", line):
                return found[1]
    raise AssertionError("the process ended without an address")


async def ended(process: asyncio.subprocess.Process) -> int | None:
    process.send_signal(signal.SIGTERM)
    async with asyncio.timeout(60):
        await process.communicate()
    return process.returncode


async def test_the_page_runs_alone_and_a_signal_ends_it(tmp_path: Path):
    async with FakeEngine() as fake, httpx2.AsyncClient() as browser:
        process = await begin(tmp_path, fake.url, "--platform", "web", PARLEY_WEB_PORT="0")
        there = await address(process)
        assert there.startswith("http://127.0.0.1:")
        assert (await browser.get(f"{there}/alive")).text == "ok"
        assert await ended(process) == 0


async def test_the_page_that_make_run_asks_for_and_discord_run_in_one_process(tmp_path: Path):
    async with FakeEngine() as fake, DiscordServer("a-token") as server, httpx2.AsyncClient() as browser:
        more = {"PARLEY_DISCORD_API": server.api, "PARLEY_DISCORD_GATEWAY": server.gateway}
        process = await begin(tmp_path, fake.url, "--page", DISCORD_TOKEN="a-token", **more)
        there = await address(process)
        async with asyncio.timeout(60):
            await server.ready.wait()
        assert (await browser.get(f"{there}/alive")).text == "ok"
        assert await ended(process) == 0


async def test_a_port_in_use_ends_the_process_with_a_sentence(tmp_path: Path):
    taken = await asyncio.start_server(lambda *_: None, "127.0.0.1", 0)
    port = taken.sockets[0].getsockname()[1]
    async with taken, FakeEngine() as fake:
        process = await begin(tmp_path, fake.url, "--platform", "web", PARLEY_WEB_PORT=str(port))
        async with asyncio.timeout(60):
            _, said = await process.communicate()
    assert process.returncode == 2
    assert f"nothing can listen at 127.0.0.1, port {port}" in said.decode()
    assert b"Traceback" not in said
