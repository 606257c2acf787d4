"""Fixtures of the tests of `data`: every test gets its own installation."""

import asyncio
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from data.store import Store
from tests.data.backed_up import lived_in
from tests.data.said_after import in_fold
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


@pytest.fixture(scope="session")
def lived_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An installation that was lived in, to copy: see `tests.data.backed_up`."""
    house = tmp_path_factory.mktemp("lived") / "home"
    asyncio.run(lived_in(house))
    return house


@pytest.fixture
def lived(lived_once: Path, house: Path) -> Path:
    """An installation that was lived in."""
    shutil.copytree(lived_once, house)
    return house


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A restore does not wait for whoever uses the home."""
    monkeypatch.setattr("data.restore._PATIENCE", 0.01)


@pytest.fixture
def no_bases(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No base models here, and no passphrase in the environment."""
    monkeypatch.setenv("PARLEY_BASES", str(tmp_path / "bases"))
    monkeypatch.delenv("PARLEY_BACKUP_PASSPHRASE", raising=False)


@pytest.fixture
def cheap_sealing(monkeypatch: pytest.MonkeyPatch) -> None:
    """A passphrase that is quick to try."""
    monkeypatch.setattr("data.sealing._COST", (10, 8, 1))


@pytest.fixture
def followups_teach(monkeypatch: pytest.MonkeyPatch) -> None:
    """The operator lets follow-ups teach, and every new conversation is for training."""
    monkeypatch.setenv("PARLEY_FOLLOWUPS", "1")
    in_fold(monkeypatch, "train")
