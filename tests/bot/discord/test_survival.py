"""What is left when the process is told to end, is killed, or meets a locked database; and what its log says."""

import asyncio
import json
import signal
import sys
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web

from bot.texts import EN
from data import schema
from data.store import Store
from tests.bot.discord.test_process import begin
from tests.bot.discord.world import World, eventually
from tests.bot.test_metrics import figures
from tests.fakes.discord_server import DiscordServer
from tests.fakes.engine import FakeEngine


async def ready(server: DiscordServer) -> None:
    async with asyncio.timeout(60):
        await server.ready.wait()


async def ended(process: asyncio.subprocess.Process) -> str:
    async with asyncio.timeout(60):
        _, logged = await process.communicate()
    return logged.decode()


@pytest.mark.process
async def test_an_answer_whose_process_was_killed_is_closed_by_the_next(tmp_path: Path):
    async with FakeEngine() as fake, DiscordServer("a-token") as server:
        process = await begin(tmp_path, fake.url, server, "a-token")
        await ready(server)
        fake.answer("half ", "never", hold=asyncio.Event())
        await server.direct_message("hello there")
        await server.said("half")
        process.send_signal(signal.SIGKILL)
        await ended(process)
        server.ready.clear()
        process = await begin(tmp_path, fake.url, server, "a-token")
        answer = await server.said(f"half\n-# {EN.interrupted}")
        (button,) = answer["components"][0]["components"]
        assert button["label"] == "↻"
        await ready(server)
        process.send_signal(signal.SIGTERM)
        await ended(process)
        assert process.returncode == 0
    store = await Store.open(tmp_path)
    assert await store.open_answers("discord") == []
    await store.close()


@pytest.mark.process
async def test_a_signal_to_end_keeps_every_running_answer(tmp_path: Path):
    async with FakeEngine() as fake, DiscordServer("a-token") as server:
        process = await begin(tmp_path, fake.url, server, "a-token")
        await ready(server)
        for number in range(3):
            fake.answer(f"half{number} ", "never", hold=asyncio.Event())
            await server.direct_message(f"hello {number}", channel=300 + number)
            await server.said(f"half{number}")
        process.send_signal(signal.SIGTERM)
        await ended(process)
        assert process.returncode == 0
        for number in range(3):
            await server.said(f"half{number}\n-# {EN.ended}")
    store = await Store.open(tmp_path)
    async with store.database.read() as session:
        found = await session.execute(
            schema.Generation.__table__.select().with_only_columns(schema.Generation.finish_reason)
        )
        assert [reason for (reason,) in found] == ["stopped"] * 3
    assert await store.open_answers("discord") == []
    await store.close()


@pytest.mark.played
async def test_the_end_of_the_bot_waits_for_what_was_asked_by_command(talk: World):
    talk.fake.answer("half ", "never", hold=asyncio.Event())
    asking = asyncio.create_task(talk.ada.slash(talk.channel, "ask", question="one"))
    await eventually(lambda: talk.channel.history() and talk.contents()[-1] == "half")
    await talk.env.bot.close()
    assert talk.contents()[-1] == f"half\n-# {EN.ended}"
    await asyncio.gather(asking, return_exceptions=True)
    assert await talk.store.open_answers("discord") == []


@pytest.mark.process
async def test_a_locked_database_loses_no_answer_and_no_rating(talk: World):
    answer = await talk.ask("hello")
    await talk.agree(talk.bea.id)
    hold = asyncio.Event()
    talk.fake.answer("all ", "of it", hold=hold)
    talk.say_without_waiting("and now?")
    await eventually(lambda: talk.contents()[-1] == "all")
    program = (
        "import sqlite3, sys\n"
        f"other = sqlite3.connect({str(talk.store.database.path)!r}, isolation_level=None)\n"
        "other.execute('BEGIN IMMEDIATE')\n"
        "print('locked', flush=True)\n"
        "sys.stdin.readline()\n"
    )
    pipe = asyncio.subprocess.PIPE
    other = await asyncio.create_subprocess_exec(sys.executable, "-c", program, stdin=pipe, stdout=pipe)
    assert other.stdout is not None
    assert await other.stdout.readline() == b"locked\n"
    clicking = asyncio.create_task(talk.bea.click(answer, label="👍"))
    hold.set()
    await asyncio.sleep(1)
    assert await talk.rows(schema.Rating) == []  # the rating waits, and so does the answer
    assert len(await talk.rows(schema.Generation)) == 1
    await other.communicate(b"\n")
    assert (await clicking).followups[0].content == EN.stored_up
    await talk.env.settle()
    assert talk.contents()[-1] == "all of it"
    assert [rating.value for rating in await talk.rows(schema.Rating)] == ["up"]
    assert len(await talk.rows(schema.Generation)) == 2


class Echoing(DiscordServer):
    """Refuses an answer at first, and repeats its text in the refusal, as Discord does."""

    refusing = True

    async def _rest(self, request: web.Request) -> web.Response:
        if self.refusing and request.method == "GET" and request.match_info["path"].endswith("/messages"):
            words = " ".join(message["content"] for message in self.messages.values())
            body = json.dumps({"code": 50035, "message": words})
            return web.Response(status=400, body=body.encode(), content_type="application/json")
        return await super()._rest(request)


@pytest.mark.process
async def test_the_log_of_a_whole_process_is_json_without_anybodys_words(tmp_path: Path):
    async with FakeEngine() as fake, Echoing("a-token") as server:
        process = await begin(tmp_path, fake.url, server, "a-token", PARLEY_LOG="json", PARLEY_METRICS_PORT="0")
        await ready(server)
        await server.direct_message("my secret question")  # its history cannot be read
        await server.said(EN.internal_error)
        server.refusing = False
        fake.answer("a secret ", "answer")
        fake.fail(400, message="my secret question")
        await server.direct_message("my secret question")
        await server.said("a secret answer")
        await server.direct_message("another secret question")
        await server.said(EN.engine_refused)
        assert process.stderr is not None
        lines = []
        while not lines or "health and metrics" not in lines[-1]:
            lines.append((await process.stderr.readline()).decode())
        url = json.loads(lines[-1])["message"].rpartition(" ")[2]
        async with aiohttp.ClientSession() as session:
            async with asyncio.timeout(30):  # discord.py waits for servers at first
                while (await session.get(f"{url}/health")).status != 200:  # noqa: ASYNC110 - the test polls
                    await asyncio.sleep(0.05)
            async with session.get(f"{url}/metrics") as response:
                found = figures(await response.text())
        assert found['parley_discord_requests_total{method="GET",status="400"}'] == 1
        assert found['parley_failures_total{kind="internal"}'] == 1
        assert found['parley_failures_total{kind="engine_error"}'] == 1
        assert found['parley_answers_total{finish_reason="stop"}'] == 1
        process.send_signal(signal.SIGTERM)
        lines += (await ended(process)).splitlines()
    entries = [json.loads(line) for line in lines]
    (failed,) = [entry for entry in entries if entry["level"] == "ERROR"]
    assert failed["exception"] == "discord.errors.HTTPException"
    assert any("in last_answer" in place for place in failed["traceback"])
    assert not any(word in "".join(lines) for word in ("secret", "a-token"))
