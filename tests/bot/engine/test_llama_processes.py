"""Releases on real llama.cpp servers, one process each: those of the embedded engine, found at their addresses."""

import asyncio
import json
import os
import subprocess
import sys
from contextlib import ExitStack, contextmanager

import pytest

from bot.engine.open import open_engine
from data.releases import Releases
from tests.bot.engine.asked import said, serving, until
from tests.fakes.adapter import make_release

pytestmark = pytest.mark.base
KEY = "0123456789abcdef" * 2


@contextmanager
def running(home, release):
    command = [sys.executable, "-m", "bot.engine", "--with-parent", "--release", str(release), "--key-on-stdin"]
    process = subprocess.Popen(
        [*command, "--parallel", "1", "--context", "512"],
        env=os.environ | {"PARLEY_HOME": str(home)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        process.stdin.write(f"{KEY}\n")
        process.stdin.flush()
        yield json.loads(process.stdout.readline())["url"]
    finally:
        process.kill()
        process.communicate()


async def test_processes_at_their_addresses_are_checked_and_followed(base_home, tmp_path, monkeypatch):
    for name in ("URL", "MODEL", "RELEASES"):
        monkeypatch.delenv(f"PARLEY_ENGINE_{name}", raising=False)
    home = tmp_path / "home"
    home.mkdir()
    make_release(home, strength=0.5)
    with ExitStack() as stack:
        urls = [stack.enter_context(running(home, release)) for release in (0, 1)]
        monkeypatch.setattr("bot.engine.llama.release_address", lambda _, release: urls[release])
        engine = await open_engine(home, releases="http://127.0.0.1:9{release:03}/v1", api_key=KEY)
        assert await serving(engine) == 0
        base_said = await asyncio.wait_for(said(engine), 60)
        Releases(home).promote(1)
        await until(engine, 1)
        async with engine.session() as session:
            assert session.context_length == 512
            assert await session.count_tokens([{"role": "user", "content": "Hello"}]) > 3
        assert (await asyncio.wait_for(said(engine), 60))[0] != base_said[0]
        await engine.close()
