"""How the settings of places are written and read. Which place's counts is `data.scopes`'."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncSession

from data.schema import Server, Setting
from data.scopes import Scope


async def said_by(session: AsyncSession, key: str, places: Sequence[Scope]) -> dict[Scope, Any]:
    """What each of these places says about a setting, where it says anything."""
    query = select(Setting).where(Setting.key == key, Setting.scope_id.in_([place for _, place in places]))
    found = {(row.scope, row.scope_id): row.value["is"] for row in await session.scalars(query)}
    return {place: found[place] for place in places if place in found}


async def say(session: AsyncSession, key: str, scope: Scope, value: Any) -> None:
    """Say what a setting is in a place; None takes it back."""
    kind, place = scope
    await session.execute(delete(Setting).where(Setting.key == key, Setting.scope == kind, Setting.scope_id == place))
    if value is not None:
        session.add(Setting(scope=kind, scope_id=place, key=key, value={"is": value}))


async def forget_left(session: AsyncSession, older_than: datetime) -> bool:
    """Remove what servers had set that left us by then; returns whether there was anything."""
    left = select(Server.platform_id).where(Server.left_at < older_than)
    theirs = select(Setting).where(Setting.scope == "server", Setting.scope_id.in_(left))
    found = (await session.scalars(theirs)).all()
    for setting in found:
        await session.delete(setting)
    return bool(found)
