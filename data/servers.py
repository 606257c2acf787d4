"""Servers and the conversations on them: found or made, which servers the bot is on, and which may teach.

Two people say whether a server teaches: its manager, whether members may rate there at all, and the operator, whether
what they rate teaches the model that all servers share. The operator lists servers in `PARLEY_TEACHING_SERVERS`;
without a list, only the first server teaches: the one with the oldest conversation.
"""

import logging
from collections.abc import Collection
from dataclasses import dataclass
from functools import cache

from sqlalchemy import func, select
from sqlalchemy.dialects.sqlite import insert
from sqlalchemy.ext.asyncio import AsyncSession

from data.schema import Conversation, MessageRow, Server
from data.times import now

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Teachers:
    """The servers that teach the shared model, by our numbers, and the people who said something on one of them.

    `anywhere` holds as long as nobody has talked on any server: then nothing is outside.
    """

    servers: frozenset[int]
    people: frozenset[int]
    anywhere: bool = False

    def teach_in(self, server: int | None, platform: str, authors: Collection[int | None]) -> bool:
        """Whether a conversation on this server (by our number) and platform teaches.

        A direct conversation on Discord belongs to no server, and anybody who meets the bot somewhere can begin one.
        It teaches when its people are known on a server that teaches. What is said at the operator's own terminal
        always teaches.
        """
        if self.anywhere or server in self.servers:
            return True
        if server is not None:
            return False
        return platform != "discord" or all(author in self.people for author in authors)


async def teachers(session: AsyncSession, listed: Collection[str] | None) -> Teachers:
    """Who teaches, given the platform's ids that the operator listed; None stands for no list."""
    first = func.min(Conversation.id)
    query = select(Server.id, Server.platform_id).join(Conversation, Conversation.server_id == Server.id)
    talked = (await session.execute(query.group_by(Server.id).order_by(first))).all()
    if not talked:
        return Teachers(frozenset(), frozenset(), anywhere=listed is None)
    chosen = talked[:1] if listed is None else [each for each in talked if each[1] in listed]
    if listed is None and len(talked) > 1:
        _say_who_teaches(len(talked), talked[0][1])
    servers = frozenset(number for number, _ in chosen)
    said = (
        select(MessageRow.author_id)
        .join(Conversation, Conversation.id == MessageRow.conversation_id)
        .where(Conversation.server_id.in_(servers), MessageRow.author_id.is_not(None))
        .distinct()
    )
    return Teachers(servers, frozenset(author for author in await session.scalars(said) if author is not None))


@cache  # once is enough for a bot that counts its trial's votes every minute
def _say_who_teaches(servers: int, first: str) -> None:
    log.warning(
        "PARLEY_TEACHING_SERVERS is not set, so of %d servers only the first one, %s, teaches the shared model",
        servers,
        first,
    )


async def find_server(session: AsyncSession, platform: str, platform_id: str) -> int | None:
    """The server with this platform id; None when it is new."""
    query = select(Server.id).where(Server.platform == platform, Server.platform_id == platform_id)
    found: int | None = await session.scalar(query)
    return found


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
