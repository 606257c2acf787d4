from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from data.store import Store
from tests.data.talk import Talk


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    """The store of a new installation."""
    opened = await Store.open(tmp_path / "home")
    yield opened
    await opened.close()


@pytest.fixture
async def talk(store: Store) -> Talk:
    """A conversation in the terminal."""
    return await Talk.begin(store)
