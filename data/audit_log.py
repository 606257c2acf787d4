"""The audit log: what managers and operators did, for those who may know."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from data import schema


@dataclass(frozen=True, slots=True)
class Deed:
    """One deed: whose it was, on which server (by the platform's id; None for the whole installation), and what.

    Who was forgotten keeps the pseudonym here, which leads to nobody any more.
    """

    at: datetime
    person: int
    pseudonym: str
    server: str | None
    deed: str
    what: Mapping[str, Any]


async def newest_deeds(session: AsyncSession, server: int | None, limit: int) -> list[Deed]:
    """The newest deeds on one server, or everywhere when it is None, the newest first."""
    table = schema.DeedRow
    query = (
        select(table, schema.Person.pseudonym, schema.Server.platform_id)
        .join(schema.Person, schema.Person.id == table.person_id)
        .outerjoin(schema.Server, schema.Server.id == table.server_id)
        .order_by(table.id.desc())
        .limit(limit)
    )
    if server is not None:
        query = query.where(table.server_id == server)
    return [
        Deed(row.at, row.person_id, pseudonym, place, row.deed, row.what)
        for row, pseudonym, place in await session.execute(query)
    ]
