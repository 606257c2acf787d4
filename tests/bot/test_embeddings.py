"""The embedding endpoint: what it is asked, how it fails, and what of it is logged."""

import asyncio
import socket
from pathlib import Path
from typing import Any

import pytest

import bot.embeddings
from bot.embeddings import Embeddings
from bot.opening import find_by_meaning
from bot.settings import Settings, load
from data.errors import BadInput
from data.own_network import is_address
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


def named(monkeypatch: pytest.MonkeyPatch, names: dict[str, list[str]]) -> list[str]:
    """Let names lead to these addresses, and others nowhere. Returns the names that are looked up."""
    asked = []
    usual = socket.getaddrinfo

    def getaddrinfo(host: Any, *more: Any, **named: Any) -> Any:
        if is_address(str(host)):
            return usual(host, *more, **named)
        asked.append(host)
        host.encode("idna")  # raises for a part that is too long, as the system's does
        if host not in names:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (each, 0)) for each in names[host]]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    return asked


async def test_a_name_in_the_network_is_asked_at_an_address_that_was_checked(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(bot.embeddings, "AGAIN", 0.0)
    names = {"embeddings": ["::1", "127.0.0.1"]}  # it listens on the second one only
    asked = named(monkeypatch, names)
    async with FakeEmbeddings() as fake:
        url = fake.url.replace("127.0.0.1", "embeddings")
        monkeypatch.setenv("PARLEY_EMBEDDINGS_URL", url)
        assert load(None).embeddings_url == url
        endpoint = Embeddings(url, model=None, api_key=None)
        for _ in range(2):
            assert await endpoint.vectors([SECRET]) == [[1.0]]
        assert asked == ["embeddings"] * 3  # at the start, and for each request
        assert fake.hosts == [url.removeprefix("http://").removesuffix("/v1")] * 2
        names["embeddings"] = ["127.0.0.1", "8.8.8.8"]  # it leads outside by now
        assert await endpoint.vectors([SECRET]) is None
        assert len(fake.seen) == 2
        assert "its name leads outside your network" in caplog.text
        del names["embeddings"]
        assert await endpoint.vectors([SECRET]) is None
        assert SECRET not in caplog.text
        await endpoint.close()


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("https://api.example.com/v1", "it leads to a machine outside your network"),
        ("https://8.8.8.8/v1", "it leads to a machine outside your network"),
        ("https://both.example.com/v1", "it leads to a machine outside your network"),
        ("https://unheard-of.example.com/v1", "its name is not known here"),
        (f"https://{'a' * 70}.example.com/v1", "its name is not known here"),
        ("http://me:secret@127.0.0.1/v1", "a key belongs in PARLEY_EMBEDDINGS_API_KEY"),
        ("127.0.0.1/v1", "use an address such as"),
        ("http://127.0.0.1:99999/v1", "its port is not a number from 1 to 65535"),
        ("http://127.0.0.1:0/v1", "its port is not a number from 1 to 65535"),
        ("http://me:secret/v1", "its port is not a number from 1 to 65535"),
    ],
)
def test_what_people_ask_stays_in_the_network(monkeypatch: pytest.MonkeyPatch, url: str, said: str) -> None:
    monkeypatch.setenv("PARLEY_EMBEDDINGS_URL", url)
    named(monkeypatch, {"api.example.com": ["8.8.8.8"], "both.example.com": ["10.0.0.7", "8.8.8.8"]})
    with pytest.raises(BadInput) as refused:
        load(None)
    assert str(refused.value).startswith("PARLEY_EMBEDDINGS_URL: ")
    assert said in str(refused.value)
    assert "secret" not in str(refused.value)
