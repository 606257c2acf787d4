"""Fixtures of the tests of `data`: every test gets its own installation."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from data.store import Store
from tests.data.backed_up import lived_in
from tests.data.talk import Talk


@pytest.fixture
def house(tmp_path: Path) -> Path:
    """The folder of a new installation; it does not exist yet."""
    return tmp_path / "home"


@pytest.fixture
async def store(house: Path) -> AsyncIterator[Store]:
    """The store of a new installation."""
    opened = await Store.open(house)
    yield opened
    await opened.close()


@pytest.fixture
async def talk(store: Store) -> Talk:
    """A conversation in the terminal."""
    return await Talk.begin(store)


@pytest.fixture
def lived(house: Path) -> Path:
    """An installation that was lived in: see `tests.data.backed_up`."""
    asyncio.run(lived_in(house))
    return house


@pytest.fixture
def no_bases(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No base models here, and no passphrase in the environment."""
    monkeypatch.setenv("PARLEY_BASES", str(tmp_path / "bases"))
    monkeypatch.delenv("PARLEY_BACKUP_PASSPHRASE", raising=False)


@pytest.fixture
def cheap_sealing(monkeypatch: pytest.MonkeyPatch) -> None:
    """A passphrase that is quick to try."""
    monkeypatch.setattr("data.sealing._COST", (10, 8, 1))
