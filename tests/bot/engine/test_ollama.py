"""Releases on Ollama, played by `tests.fakes.others`: uploaded, created, checked, deleted."""

import hashlib

import pytest

from bot.engine import following, unused
from bot.engine.api import EngineError
from bot.engine.open import open_engine
from tests.bot.engine.asked import eventually, said, until
from tests.fakes.base import make_base, make_release_of
from tests.fakes.others import FakeOllama


@pytest.fixture
def base(tmp_path):
    info = make_base(tmp_path / "bases", gguf_sha256=hashlib.sha256(b"GGUF").hexdigest())
    (tmp_path / "bases" / "toy" / "model.gguf").write_bytes(b"GGUF")
    return info


@pytest.fixture
async def fake(base, tmp_path):
    async with FakeOllama(tmp_path / "bases" / "toy" / "hf") as fake:
        yield fake


@pytest.mark.played
async def test_the_base_is_uploaded_once_and_each_release_made_on_it(fake, base, home, releases, monkeypatch):
    monkeypatch.setattr(following, "FORGET", 0.0)
    monkeypatch.setattr(unused, "UNUSED", 0.05)
    for weights in ("one", "two"):
        make_release_of(home, base, weights=weights)
    releases.promote(1)
    engine = await open_engine(home, url=fake.url, releases="ollama")
    assert (await said(engine))[2] == "stop"
    assert [sorted(body) for body in fake.created] == [
        ["files", "model", "parameters", "stream", "template"],
        ["adapters", "from", "model", "parameters", "stream", "template"],
    ]
    assert fake.created[1]["from"] == fake.created[0]["model"]
    assert fake.requests[-1]["model"].startswith("parley-toy:release-0001-")
    assert sorted(fake.blobs.values()) == [b"GGUF", b"GGUF of one"]
    async with engine.session() as session:
        assert session.context_length == 2048
    releases.promote(2)
    await until(engine, 2)

    async def names():
        return sorted(name.split(":")[1][:12] for name in fake.names)

    await eventually(names, [f"base-{base.gguf_sha256[:7]}", "release-0002"])
    await engine.close()


async def test_another_template_and_a_base_without_gguf_are_refused(fake, base, home, tmp_path, monkeypatch):
    fake.extra = 3
    with pytest.raises(EngineError, match=r"reads \d+ tokens where .* another chat template"):
        await open_engine(home, url=fake.url, releases="ollama")
    make_base(tmp_path / "bases", "bare")
    monkeypatch.setenv("PARLEY_BASE", "bare")
    other = tmp_path / "other"
    other.mkdir()
    with pytest.raises(Exception, match="has no GGUF file"):
        await open_engine(other, url=fake.url, releases="ollama")
