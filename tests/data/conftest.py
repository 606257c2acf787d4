"""Fixtures of the tests of `data`: every test gets its own installation."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from data.store import Store
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
