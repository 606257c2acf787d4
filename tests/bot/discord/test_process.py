"""`python -m bot` as a whole process on another Discord-compatible server: login, a conversation, the end."""

import asyncio
import json
import os
import signal
import sys
from pathlib import Path

import pytest
from sqlalchemy import select

from bot.texts import EN
from data import schema
from data.store import Store
from tests.bot.discord.world import RATE
from tests.fakes.discord_server import DiscordServer
from tests.fakes.engine import FakeEngine


async def begin(
    home: Path, engine: str, server: DiscordServer, token: str, **more: str
) -> asyncio.subprocess.Process:
    env = {name: value for name, value in os.environ.items() if not name.startswith(("PARLEY_", "DISCORD_"))}
    settings = {
        "PARLEY_HOME": str(home),
        "PARLEY_ENGINE_URL": engine,
        "PARLEY_DISCORD_API": server.api,
        "PARLEY_DISCORD_GATEWAY": server.gateway,
        "DISCORD_TOKEN": token,
    }
    return await asyncio.create_subprocess_exec(
        sys.executable, "-m", "bot", stderr=asyncio.subprocess.PIPE, env={**env, **settings, **more}
    )


@pytest.mark.process
async def test_the_token_alone_starts_discord_and_a_signal_ends_it_with_everything_recorded(tmp_path: Path):
    async with FakeEngine() as fake, DiscordServer("a-token") as server:
        process = await begin(tmp_path, fake.url, server, "a-token")
        async with asyncio.timeout(60):
            await server.ready.wait()
        fake.answer("good ", "evening")
        await server.direct_message("hello there")
        answer = await server.said("good evening")
        fake.answer("half ", "never", hold=asyncio.Event())
        await server.direct_message("and now?")
        await server.said("half")
        process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(60):
            _, logged = await process.communicate()
        assert process.returncode == 0
        assert [button["label"] for button in answer["components"][0]["components"]] == RATE
        assert [m["content"] for m in fake.requests[1]["messages"][1:]] == ["hello there", "good evening", "and now?"]
        await server.said(f"half\n-# {EN.ended}")
    assert b"-m bot --platform terminal" in logged  # how to chat beside it
    for secret in (b"a-token", b"hello there", b"good evening", b"half"):
        assert secret not in logged
    store = await Store.open(tmp_path)
    async with store.database.read() as session:
        reasons = (await session.scalars(select(schema.Generation.finish_reason))).all()
    assert list(reasons) == ["stop", "stopped"]
    await store.close()


@pytest.mark.process
async def test_a_refused_token_ends_the_process_with_a_sentence(tmp_path: Path):
    async with FakeEngine() as fake, DiscordServer("a-token") as server:
        process = await begin(tmp_path, fake.url, server, "another-token")
        async with asyncio.timeout(60):
            _, logged = await process.communicate()
    assert process.returncode == 2
    assert b"parley: Discord does not accept the token in DISCORD_TOKEN." in logged
    assert b"another-token" not in logged
    assert b"Traceback" not in logged


@pytest.mark.process
async def test_an_unreachable_gateway_is_logged_in_one_line_and_a_signal_ends_the_bot(tmp_path: Path):
    async with FakeEngine() as fake, DiscordServer("a-token") as server:
        server.gateway = "ws://127.0.0.1:9"  # no server is there
        process = await begin(tmp_path, fake.url, server, "a-token")
        assert process.stderr is not None
        lines = []
        async with asyncio.timeout(60):
            while not lines or b"the gateway cannot be reached" not in lines[-1]:
                lines.append(await process.stderr.readline())
            process.send_signal(signal.SIGTERM)
            _, rest = await process.communicate()
        assert process.returncode == 0
    assert b"Traceback" not in b"".join(lines) + rest
    for theirs in (b"Guilds intent", b"Failed to connect"):
        assert theirs not in b"".join(lines)


@pytest.mark.process
async def test_a_bad_setting_is_a_json_line_if_the_log_is_json(tmp_path: Path):
    env = {name: value for name, value in os.environ.items() if not name.startswith(("PARLEY_", "DISCORD_"))}
    bad = {"PARLEY_HOME": str(tmp_path), "PARLEY_LOG": "json", "PARLEY_QUEUE": "many"}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "bot", stderr=asyncio.subprocess.PIPE, env={**env, **bad}
    )
    _, logged = await process.communicate()
    assert process.returncode == 2
    assert "PARLEY_QUEUE" in json.loads(logged)["message"]
