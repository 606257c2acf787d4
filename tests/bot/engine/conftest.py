"""An odd server, and engines that talk to it."""

import pytest

from bot.engine import following, remote
from bot.engine import session as session_module
from bot.engine.open import open_engine
from data.releases import Releases
from tests.fakes.base import make_base
from tests.fakes.odd import OddServer


@pytest.fixture
def quick_looks(monkeypatch):
    for name in ("PARLEY_ENGINE_URL", "PARLEY_ENGINE_MODEL", "PARLEY_ENGINE_API_KEY", "OPENAI_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    for module in (session_module, remote):  # each reads its own name for it
        monkeypatch.setattr(module, "LOOK", 0.01)


@pytest.fixture
async def odd(quick_looks):
    async with OddServer() as odd:
        yield odd


@pytest.fixture
async def opened(quick_looks, tmp_path):
    engines = []

    async def open_it(odd, **more):
        engines.append(await open_engine(tmp_path, url=more.pop("url", odd.url), **more))
        return engines[-1]

    yield open_it
    for engine in engines:
        await engine.close()


# A home with a base without weights, for tests of releases on servers that somebody else runs.
@pytest.fixture
def elsewhere(tmp_path, monkeypatch):
    names = ("URL", "MODEL", "API_KEY", "RELEASES", "ADAPTERS")
    for name in (*(f"PARLEY_ENGINE_{name}" for name in names), "OPENAI_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PARLEY_BASES", str(tmp_path / "bases"))
    monkeypatch.setenv("PARLEY_BASE", "toy")
    monkeypatch.setattr(following, "LOOK", 0.01)


@pytest.fixture
def base(elsewhere, tmp_path):
    return make_base(tmp_path / "bases")


@pytest.fixture
def home(elsewhere, tmp_path):
    (tmp_path / "home").mkdir()
    return tmp_path / "home"


@pytest.fixture
def releases(home):
    return Releases(home)
