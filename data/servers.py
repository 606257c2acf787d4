"""Servers and the conversations on them: found or made, which servers the bot is on, and which may teach."""

from collections.abc import Collection

from sqlalchemy import select
from sqlalchemy.dialects.sqlite import insert
from sqlalchemy.ext.asyncio import AsyncSession

from data.schema import Conversation, Server, now


async def server_of(session: AsyncSession, platform: str, platform_id: str) -> Server:
    """The server with this platform id, made when it is new."""
    new = {"platform": platform, "platform_id": platform_id}
    await session.execute(insert(Server).values(new).on_conflict_do_nothing())
    query = select(Server).where(Server.platform == platform, Server.platform_id == platform_id)
    return (await session.scalars(query)).one()


async def may_teach(session: AsyncSession, platform: str, platform_id: str) -> bool:
    """Whether a server's manager lets its members teach; False for an unknown server."""
    query = select(Server.may_teach).where(Server.platform == platform, Server.platform_id == platform_id)
    return bool(await session.scalar(query))


async def set_servers(session: AsyncSession, platform: str, platform_ids: Collection[str]) -> None:
    """Record that the bot is on exactly these servers now.

    Servers that it is no longer on count as left from now, and may not teach until a manager allows it again.
    """
    new = [{"platform": platform, "platform_id": each} for each in platform_ids]
    if new:  # a server may have settings even if nobody talked there
        await session.execute(insert(Server).on_conflict_do_nothing(), new)
    for server in await session.scalars(select(Server).where(Server.platform == platform)):
        if server.platform_id in platform_ids:
            server.left_at = None
        elif server.left_at is None:
            server.left_at, server.may_teach = now(), False


async def conversation_of(
    session: AsyncSession, platform: str, key: str, *, persona: str, language: str, server: int | None
) -> int:
    """The conversation with this key on a platform, begun with this persona and language when it is new."""
    new = {"platform": platform, "key": key, "persona": persona, "language": language, "server_id": server}
    await session.execute(insert(Conversation).values(new).on_conflict_do_nothing())
    query = select(Conversation.id).where(Conversation.platform == platform, Conversation.key == key)
    return (await session.scalars(query)).one()
