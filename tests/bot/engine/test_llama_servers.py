"""Releases on llama-servers that somebody else runs: an address for each, or a router with names."""

import pytest

from bot.engine.api import EngineError
from bot.engine.open import open_engine
from data.errors import BadInput
from tests.bot.engine.asked import said, serving, until
from tests.fakes.base import make_release_of
from tests.fakes.others import FakeLlama


@pytest.fixture
async def servers(base, tmp_path):
    folder = tmp_path / "bases" / "toy" / "hf"
    plain, first = FakeLlama(folder, "release-0000"), FakeLlama(folder, "release-0001", 1.0)
    await plain.start()
    await first.start()
    yield plain, first
    await plain.stop()
    await first.stop()


async def test_an_address_for_each_release_follows_the_champion(servers, base, home, releases, monkeypatch):
    plain, first = servers
    ports = {0: plain.url, 1: first.url}
    make_release_of(home, base)
    monkeypatch.setattr("bot.engine.llama.release_address", lambda _, release: ports[release])
    engine = await open_engine(home, releases="http://127.0.0.1:9{release:03}/v1")
    assert await serving(engine) == 0
    releases.promote(1)
    await until(engine, 1)
    await said(engine)
    assert [len(each.requests) for each in servers] == [0, 1]
    assert engine.cannot_serve(1) is None
    assert "is a whole model" in str(engine.cannot_serve(make_release_of(home, base, kind="model").number))
    await engine.close()


@pytest.mark.parametrize(
    ("alias", "scales", "wrong"),
    [
        ("my-model", (1.0,), "does not say that it is release 1: it lists my-model"),
        ("release-0001", (), "must have one adapter at scale 1 to be release 1; its adapters' scales: none"),
        ("release-0001", (1.0, 0.0), "scales: 1.0, 0.0"),
    ],
)
async def test_a_server_that_is_not_the_release_is_refused(alias, scales, wrong, servers, base, home, tmp_path):
    make_release_of(home, base)
    async with FakeLlama(tmp_path / "bases" / "toy" / "hf", alias, *scales) as fake:
        with pytest.raises(EngineError, match=wrong):
            await open_engine(home, releases=fake.url, release=1)


async def test_what_is_no_address_is_named(home):
    for wrong in ("9{release}", "http://127.0.0.1:{number}/v1", "http://127.0.0.1:x{release}"):
        with pytest.raises(BadInput, match=r"PARLEY_ENGINE_RELEASES: .* cannot be used"):
            await open_engine(home, releases=wrong)
