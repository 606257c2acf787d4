"""What discord.py's shards do not do by themselves: resume a session after the gateway was away."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import discord
from discord.gateway import ReconnectWebSocket

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

log = logging.getLogger(__name__)


class TryAgain(Exception):
    """discord.py wants to connect a shard once more, from within its handling of the last failure."""


class Launching:
    """Connects shards: tries until it works or the bot is closed.

    discord.py tries again from within the handling of each failure, forever: it no longer notices that the bot is
    closed, and logs every failure together with all earlier ones. Its inner call is refused here, and the next try
    begins from the start.
    """

    def __init__(self, client: discord.AutoShardedClient) -> None:
        self._client = client
        self._shards: set[int] = set()

    async def launch(self, number: int, once: Callable[[], Awaitable[None]]) -> None:
        """Connect a shard by `once`, which calls this again when it fails and has waited."""
        if number in self._shards:
            raise TryAgain
        self._shards.add(number)
        try:
            while not self._client.is_closed():
                try:
                    await once()
                except TryAgain as again:
                    log.warning("the gateway cannot be reached (%s); trying again", type(again.__context__).__name__)
                else:
                    return
        finally:
            self._shards.discard(number)


def keep_session(client: discord.AutoShardedClient, number: int) -> None:
    """Let a shard resume when the gateway can be reached again, as an unsharded client does.

    discord.py would begin a new session, and messages from the time between would never arrive. When Discord does not
    know the session any more, it says so, and a new one is begun.
    """
    info = client.get_shard(number)
    if info is None:
        return
    shard = info._parent
    begin_new_session = shard.reconnect

    async def reconnect() -> None:
        if shard.ws.session_id is None:
            await begin_new_session()
        else:
            await shard.reidentify(ReconnectWebSocket(number, resume=True))

    shard.reconnect = reconnect  # type: ignore[method-assign]  # the place where discord.py looks
