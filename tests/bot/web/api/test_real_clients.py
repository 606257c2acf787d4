"""The API as OpenAI's own clients see it: the Python package, and the one for Node where that is installed."""

import asyncio
import json
import os
import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import openai
import pytest

from data import schema
from tests.bot.web.api.served import served
from tests.bot.web.world import World

pytestmark = pytest.mark.played

HI: list[Any] = [{"role": "user", "content": "Hi"}]
SCRIPT = Path(__file__).with_name("client.mjs")


@pytest.fixture
async def client(page: World) -> AsyncIterator[openai.AsyncOpenAI]:
    async with (
        served(page) as (address, program),
        openai.AsyncOpenAI(base_url=address, api_key=program.secret, max_retries=0) as client,
    ):
        yield client


async def test_the_python_client_reads_an_answer_a_stream_and_the_models(client: openai.AsyncOpenAI, page: World):
    page.fake.answer("Hello", " there.")
    whole = await client.chat.completions.create(model="parley", messages=HI, user="ada")
    assert whole.choices[0].message.content == "Hello there."
    assert whole.usage is not None
    assert whole.usage.completion_tokens == 2
    page.fake.answer("Good", " day.")
    stream = await client.chat.completions.create(
        model="parley", messages=HI, user="ada", stream=True, stream_options={"include_usage": True}
    )
    chunks = [chunk async for chunk in stream]
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices) == "Good day."
    assert chunks[-1].usage is not None
    text = await client.completions.create(model="champion", prompt="Hi")
    assert text.choices[0].text == "a fake answer"
    assert [model.id async for model in client.models.list()] == ["parley", "champion", "release-0"]
    assert (await client.models.retrieve("champion")).owned_by == "parley"
    assert len(await page.rows(schema.Conversation)) == 2


async def test_the_python_client_knows_every_error(client: openai.AsyncOpenAI, page: World):
    ask = client.chat.completions.create
    with pytest.raises(openai.NotFoundError) as unknown:
        await ask(model="gpt-4", messages=HI)
    assert (unknown.value.code, unknown.value.param) == ("model_not_found", "model")
    with pytest.raises(openai.BadRequestError) as two:
        await ask(model="parley", messages=HI, n=2)
    assert two.value.code == "unsupported_value"
    with pytest.raises(openai.AuthenticationError):
        await client.with_options(api_key="sk-wrong").chat.completions.create(model="parley", messages=HI)
    for _ in range(3):
        page.fake.fail(503)
    with pytest.raises(openai.InternalServerError):
        await ask(model="parley", messages=HI)
    page.fake._scripts.clear()
    page.fake.drop("Hel", "lo", after=1)
    with pytest.raises(openai.APIError) as broken:
        _ = [chunk async for chunk in await ask(model="parley", messages=HI, stream=True)]
    assert broken.value.code == "engine_unavailable"


async def test_a_client_that_goes_away_stops_its_answer(client: openai.AsyncOpenAI, page: World):
    page.fake.answer("one", " two", " three", hold=asyncio.Event())
    stream = await client.chat.completions.create(model="parley", messages=HI, stream=True)
    async for chunk in stream:
        if chunk.choices[0].delta.content == " two":
            break
    await stream.close()
    await page.fake.until_running(0)
    async with asyncio.timeout(20):
        while not (found := await page.rows(schema.Generation)):  # noqa: ASYNC110 - recorded in the background
            await asyncio.sleep(0.01)
    assert found[0].finish_reason == "stopped"
    page.fake.answer("one", " two", hold=asyncio.Event())
    waiting = asyncio.create_task(client.chat.completions.create(model="parley", messages=HI))
    await page.fake.until_running(1)
    waiting.cancel()
    await page.fake.until_running(0)


async def test_the_node_client_does_the_same(page: World):
    folder = os.environ.get("NODE_PATH", "")
    if shutil.which("node") is None or not (Path(folder) / "openai").is_dir():
        pytest.skip("needs node, and in NODE_PATH the folder node_modules where `npm install openai` put the package")
    page.fake.answer("Hello", " there.")
    page.fake.answer("Good", " day.")
    async with served(page) as (address, program):
        environment = {**os.environ, "ADDRESS": address, "KEY": program.secret}
        process = await asyncio.create_subprocess_exec("node", str(SCRIPT), env=environment, stdout=-1, stderr=-1)
        out, errors = await process.communicate()
    assert process.returncode == 0, errors.decode()
    assert json.loads(out) == {
        "whole": "Hello there.",
        "streamed": "Good day.",
        "models": ["parley", "champion", "release-0"],
        "error": [404, "model_not_found"],
        "kept": "stored",
    }
