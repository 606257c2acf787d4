"""A chat that is moderated by our lists, and a moderation endpoint."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bot.moderation.step import Moderation, our_words
from tests.bot.core import World, opened
from tests.fakes.moderation import FakeModeration


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with opened(tmp_path, moderation=Moderation(our_words())) as world:
        yield world


@pytest.fixture
async def remote() -> AsyncIterator[FakeModeration]:
    async with FakeModeration({"banana": "violence", "grief": "self-harm/intent"}) as fake:
        yield fake
