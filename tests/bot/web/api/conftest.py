"""Fixtures for the API: a program with a key, at a page in the test's process."""

import pytest

from bot.moderation.step import Moderation, our_words
from tests.bot.web.api.world import Program
from tests.bot.web.world import World


@pytest.fixture
async def program(page: World) -> Program:
    return await Program.with_key(page)


@pytest.fixture
def moderated(program: Program) -> Program:
    """The same with the word lists that come with the bot."""
    site = program.page.site
    site.chat.moderation = site.ratings.moderation = Moderation(our_words())
    return program
