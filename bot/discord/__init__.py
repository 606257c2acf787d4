"""Discord: a thin edge around `bot.conversation`. What is decided is decided there; here it is shown and clicked.

It is an extension of discord.py, too; see `parley`, which it is another name of.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from discord.ext import commands


async def setup(host: commands.Bot | commands.AutoShardedBot) -> None:
    """Add Parley to somebody else's bot."""
    import parley

    await parley.setup(host)


async def teardown(host: commands.Bot | commands.AutoShardedBot) -> None:
    """Take Parley away again."""
    import parley

    await parley.teardown(host)
