"""The audit log: what managers and operators did. The bot shows it to those who may see it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from data import schema


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """One action: when, by whom, on which server (the platform's id; None for the whole installation), and what.

    A person who was forgotten keeps their pseudonym here; it no longer leads to anybody.
    """

    at: datetime
    person: int
    pseudonym: str
    server: str | None
    deed: str
    what: Mapping[str, Any]


async def newest_entries(session: AsyncSession, server: int | None, limit: int) -> list[AuditEntry]:
    """The newest entries of one server, or of all when `server` is None; the newest first."""
    table = schema.AuditRow
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
        AuditEntry(row.at, row.person_id, pseudonym, place, row.deed, row.what)
        for row, pseudonym, place in await session.execute(query)
    ]
