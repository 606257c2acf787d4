"""The whole process is killed between an answer and its feedback: what a program was told is still there."""

import asyncio
import signal
import sys
from pathlib import Path
from typing import Any

import httpx2
import pytest

from data.api_keys import CHAT, FEEDBACK, ApiKey
from data.consent import CONSENT_VERSION
from data.store import Store
from tests.bot.web.test_process import address, begin
from tests.fakes.engine import FakeEngine

pytestmark = pytest.mark.process
ADA = {"user": "ada", "consent": True}


async def key(home: Path) -> str:
    store = await Store.open(home)
    rights = {"rights": (CHAT, FEEDBACK), "consent_text": CONSENT_VERSION}
    secret = await store.api_keys.add(ApiKey(name="bot", platform="bot", **rights))
    await store.close()
    return secret


async def test_a_kill_between_answer_and_feedback_loses_nothing(tmp_path: Path):
    secret = await key(tmp_path)
    async with FakeEngine() as fake, httpx2.AsyncClient(headers={"Authorization": f"Bearer {secret}"}) as client:

        async def post(there: str, path: str, **body: Any) -> dict[str, Any]:
            answer = await client.post(f"{there}/v1/{path}", json=body)
            assert answer.status_code == 200, answer.text
            return answer.json()

        process = await begin(tmp_path, fake.url, "--platform", "web")
        there = await address(process)
        messages = [{"role": "user", "content": "Hi"}]
        one, other = [
            (await post(there, "chat/completions", model="parley", messages=messages, **ADA))["id"] for _ in range(2)
        ]
        vote = await post(there, "feedback", completion_id=one, kind="vote", value="up", user="ada")
        process.send_signal(signal.SIGKILL)
        await process.wait()

        process = await begin(tmp_path, fake.url, "--platform", "web")
        there = await address(process)
        again = await post(there, "feedback", completion_id=one, kind="vote", value="up", user="ada")
        assert (again["status"], again["id"]) == ("already", vote["id"])
        await post(there, "feedback", completion_id=other, kind="vote", value="down", user="ada")
        process.send_signal(signal.SIGTERM)
        await process.wait()
    if sys.platform != "win32":
        assert process.returncode == 0
    store = await Store.open(tmp_path)
    found = await store.shown("bot", other)
    assert found is not None
    assert await store.vote(found.generation, await store.person("bot", "ada")) == "down"
    await store.close()
    await asyncio.sleep(0)
