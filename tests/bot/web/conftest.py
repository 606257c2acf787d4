"""Fixtures for the page; `tests.bot.web.world` plays it."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.bot.web.world import World, opened


@pytest.fixture
async def page(tmp_path: Path) -> AsyncIterator[World]:
    async with opened(tmp_path) as world:
        yield world
