"""The bots of docs/examples as whole processes, against fakes of Telegram's and Slack's HTTP APIs."""

import asyncio
import hashlib
import hmac
import json
import os
import socket
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest

from data import schema
from data.imports import collect_rows
from tests.bot.web.api.served import served
from tests.bot.web.world import World
from tests.fakes.chat_service import FakeChatService

pytestmark = pytest.mark.process
EXAMPLES = Path(__file__).parents[4] / "docs" / "examples"


@asynccontextmanager
async def running(script: str, **environment: str) -> AsyncIterator[None]:
    """An example that runs as long as the block."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, str(EXAMPLES / script), env={**os.environ, **environment}, stderr=asyncio.subprocess.PIPE
    )
    try:
        yield
        assert process.returncode is None, (await process.communicate())[1].decode()
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def rows(page: World, kind: str) -> list[Any]:
    return list((await collect_rows(page.store, discord_permission=None)).of(kind, None))


async def until_rated(page: World, number: int) -> None:
    async with asyncio.timeout(30):
        while len(await page.rows(schema.Rating)) < number:  # noqa: ASYNC110 - the bot is another process
            await asyncio.sleep(0.05)


def message(number: int, text: str) -> dict[str, Any]:
    """An update of Telegram's with a message of user 7 in chat 5."""
    told = {"chat": {"id": 5}, "from": {"id": 7}, "text": text}
    return {"ok": True, "result": [{"update_id": number, "message": told}]}


async def test_the_telegram_bot_asks_for_consent_answers_and_keeps_votes(page: World):
    async with (
        served(page) as (address, program),
        FakeChatService({"sendMessage": {}, "answerCallbackQuery": {}}) as it,
    ):
        names = {"TELEGRAM_API": it.url, "TELEGRAM_TOKEN": "t", "API_ADDRESS": address, "API_KEY": program.secret}
        async with running("telegram_bot.py", **names):
            it.queue("getUpdates", message(1, "/start"))
            assert "May Parley learn from you?" in (await it.called("sendMessage"))["text"]
            it.queue("getUpdates", message(2, "/yes"))
            assert (await it.called("sendMessage"))["text"].startswith("Thank you.")
            page.fake.answer("Hello!")
            it.queue("getUpdates", message(3, "Hi"))
            shown = await it.called("sendMessage")
            assert (shown["chat_id"], shown["text"]) == (5, "Hello!")
            up, _ = shown["reply_markup"]["inline_keyboard"][0]
            assert len(up["callback_data"]) <= 64
            press = {"id": "1", "from": {"id": 7}, "data": up["callback_data"]}
            it.queue("getUpdates", {"ok": True, "result": [{"update_id": 4, "callback_query": press}]})
            assert "👍" in (await it.called("answerCallbackQuery"))["text"]
            page.fake.answer("I am a bot.")
            it.queue("getUpdates", message(5, "Who are you?"))
            await it.called("sendMessage")
            assert (await it.called("getUpdates"))["offset"] == 0
    (row,) = await rows(page, "labelled")
    assert row.data["completion"][0]["content"] == "Hello!"
    assert len(await page.rows(schema.Conversation)) == 1  # the history led to it


async def test_the_telegram_bot_tells_errors_and_that_votes_need_consent(page: World):
    async with (
        served(page) as (address, program),
        FakeChatService({"sendMessage": {}, "answerCallbackQuery": {}}) as it,
    ):
        names = {"TELEGRAM_API": it.url, "TELEGRAM_TOKEN": "t", "API_ADDRESS": address, "API_KEY": program.secret}
        async with running("telegram_bot.py", **names):
            it.queue("getUpdates", message(1, "word " * 3000))
            assert "tokens" in (await it.called("sendMessage"))["text"]
            it.queue("getUpdates", message(2, "Hi"))
            up, _ = (await it.called("sendMessage"))["reply_markup"]["inline_keyboard"][0]
            press = {"id": "1", "from": {"id": 7}, "data": up["callback_data"]}
            it.queue("getUpdates", {"ok": True, "result": [{"update_id": 3, "callback_query": press}]})
            assert "agree" in (await it.called("answerCallbackQuery"))["text"]
    assert await page.rows(schema.Rating) == []


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


async def test_the_slack_bot_answers_in_threads_and_takes_reactions_as_votes(page: World):
    port = free_port()
    async with served(page) as (address, program), FakeChatService({}) as it, httpx2.AsyncClient() as slack:

        async def send(event: dict[str, Any], secret: str = "s") -> int:
            raw, now = json.dumps({"event": event}).encode(), str(int(time.time()))
            signed = hmac.new(secret.encode(), f"v0:{now}:".encode() + raw, hashlib.sha256).hexdigest()
            headers = {"X-Slack-Request-Timestamp": now, "X-Slack-Signature": f"v0={signed}"}
            return (await slack.post(f"http://127.0.0.1:{port}/", content=raw, headers=headers)).status_code

        def mention(text: str, ts: str) -> dict[str, Any]:
            return {"type": "app_mention", "user": "U1", "channel": "C1", "text": f"<@B> {text}", "ts": ts}

        names = {"SLACK_API": it.url, "SLACK_TOKEN": "t", "SLACK_SECRET": "s", "PORT": str(port)}
        async with running("slack_bot.py", API_ADDRESS=address, API_KEY=program.secret, **names):
            async with asyncio.timeout(30):
                while True:
                    try:
                        assert await send(mention("Hi", "0.1"), "wrong") == 403
                        break
                    except httpx2.ConnectError:
                        await asyncio.sleep(0.05)
            it.queue("chat.postMessage", {"ok": True, "ts": "0.9"})
            assert await send(mention("agree", "0.8")) == 200
            assert "May Parley learn from you?" in (await it.called("chat.postMessage"))["text"]  # no yes unseen
            it.queue("chat.postMessage", {"ok": True, "ts": "1.1"})
            assert await send(mention("agree", "1.0")) == 200
            assert (await it.called("chat.postMessage"))["text"].startswith("Thank you.")
            page.fake.answer("Hello!")
            it.queue("chat.postMessage", {"ok": True, "ts": "2.1"})
            assert await send(mention("Hi", "2.0")) == 200
            posted = await it.called("chat.postMessage")
            assert (posted["text"], posted["thread_ts"], posted["channel"]) == ("Hello!", "2.0", "C1")
            reaction = {"type": "reaction_added", "user": "U1", "reaction": "+1", "item": {"ts": "2.1"}}
            await asyncio.sleep(0.2)  # the bot notes which message it was
            assert await send(reaction) == 200
            await until_rated(page, 1)
    (row,) = await rows(page, "labelled")
    assert row.data["completion"][0]["content"] == "Hello!"
    assert row.data["label"] is True


@pytest.mark.parametrize("script", ["telegram_bot.py", "slack_bot.py"])
def test_an_example_stays_short(script: str):
    lines = (EXAMPLES / script).read_text().split('"""', 2)[2].splitlines()
    code = [line for line in lines if line.strip() and not line.startswith(("import ", "from "))]
    assert len(code) <= 50, len(code)
