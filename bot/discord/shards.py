"""What discord.py's shards do not do by themselves: take a session up again behind a gateway that was away."""

from __future__ import annotations

import discord
from discord.gateway import ReconnectWebSocket


def keep_session(client: discord.AutoShardedClient, number: int) -> None:
    """Let a shard resume when the gateway can be reached again, as an unsharded client does.

    discord.py begins a new session then, and what was said meanwhile never arrives. When Discord does not know the
    session any more it says so, and a new one is begun.
    """
    info = client.get_shard(number)
    if info is None:
        return
    shard = info._parent
    anew = shard.reconnect

    async def reconnect() -> None:
        if shard.ws.session_id is None:
            await anew()
        else:
            await shard.reidentify(ReconnectWebSocket(number, resume=True))

    shard.reconnect = reconnect  # type: ignore[method-assign]
