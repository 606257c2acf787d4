"""The embedding endpoint: what it is asked, how it fails, and what of it is logged."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

import bot.embeddings
from bot.embeddings import Embeddings
from bot.opening import find_by_meaning
from bot.settings import Settings, load
from data.errors import BadInput
from data.store import Store
from tests.fakes.embeddings import FakeEmbeddings

SECRET = "When is the surprise party?"


async def test_texts_become_vectors_in_their_order_with_the_key_and_the_model() -> None:
    async with FakeEmbeddings({"cat"}, {"dog"}) as fake:
        endpoint = Embeddings(fake.url, model="m", api_key="k")
        assert await endpoint.vectors(["A cat?", "A dog?"]) == [[1.0, 1.0, 0.0], [1.0, 0.0, 1.0]]
        assert (fake.bodies[0]["model"], fake.keys) == ("m", ["Bearer k"])
        await endpoint.close()


@pytest.mark.parametrize(
    ("what", "problem"),
    [
        ({"status": 500}, "HTTP 500"),
        ({"wait": 1.0}, "Timeout"),
        ({"answer": {"data": []}}, "its answer has no vectors"),
        ({"answer": [1]}, "its answer has no vectors"),
        ({"answer": {"data": [{"index": 0, "embedding": [1e999]}]}}, "its answer has no vectors"),
    ],
)
async def test_a_failure_is_one_line_without_texts_and_it_is_left_alone_for_a_while(
    what: dict[str, Any], problem: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(bot.embeddings, "SECONDS", 0.2)
    async with FakeEmbeddings() as fake:
        for name, value in what.items():
            setattr(fake, name, value)
        endpoint = Embeddings(fake.url, model=None, api_key=None)
        for _ in range(3):
            assert await endpoint.vectors([SECRET]) is None
        lines = [record.getMessage() for record in caplog.records if record.name == "bot.embeddings"]
        assert len(lines) == len(fake.seen) == 1
        assert problem in lines[0]
        assert SECRET not in caplog.text
        fake.status, fake.wait, fake.answer = 200, 0.0, None
        monkeypatch.setattr(bot.embeddings, "AGAIN", 0.0)
        assert await endpoint.vectors([SECRET]) == [[1.0]]
        await endpoint.close()


async def test_the_settings_reach_the_store(tmp_path: Path) -> None:
    store = await Store.open(tmp_path)
    async with FakeEmbeddings({"cat"}) as fake:
        settings = Settings(_env_file=None, embeddings_url=fake.url, embeddings_api_key="k")  # type: ignore[call-arg]  # pydantic-settings takes it
        endpoint = find_by_meaning(store, fake.url, settings)
        assert store.lessons.meanings is not None
        assert await store.lessons.meanings.nearest("A cat?", [1], {}) == []
        assert fake.keys == ["Bearer k"]
        await asyncio.wait_for(endpoint.close(), 5)
    await store.close()


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("https://api.example.com/v1", "it names a machine outside your network"),
        ("http://me:secret@127.0.0.1/v1", "a key belongs in PARLEY_EMBEDDINGS_API_KEY"),
        ("127.0.0.1/v1", "use an address such as"),
        ("http://127.0.0.1:99999/v1", "its port is not a number from 1 to 65535"),
        ("http://127.0.0.1:0/v1", "its port is not a number from 1 to 65535"),
        ("http://me:secret/v1", "its port is not a number from 1 to 65535"),
    ],
)
def test_what_people_ask_stays_in_the_network(monkeypatch: pytest.MonkeyPatch, url: str, said: str) -> None:
    monkeypatch.setenv("PARLEY_EMBEDDINGS_URL", url)
    with pytest.raises(BadInput) as refused:
        load(None)
    assert str(refused.value).startswith("PARLEY_EMBEDDINGS_URL: ")
    assert said in str(refused.value)
    assert "secret" not in str(refused.value)
