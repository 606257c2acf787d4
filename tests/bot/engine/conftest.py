"""An odd server, and engines that talk to it."""

import pytest

from bot.engine import remote
from bot.engine import session as session_module
from bot.engine.open import open_engine
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
