"""How the settings of places are written and read. Which place's counts is `data.scopes`'."""

import secrets
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncSession

from data.schema import Conversation, Generation, Server, Setting, SystemPrompt
from data.scopes import Scope

OPENED_FOR = "opened_for"  # of a thread that the bot opened: the person whom it was opened for


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


async def said_anywhere(session: AsyncSession, key: str) -> dict[Scope, Any]:
    """What all places say about a setting."""
    query = select(Setting).where(Setting.key == key)
    return {(row.scope, row.scope_id): row.value["is"] for row in await session.scalars(query)}


async def opened_for(session: AsyncSession, person: int) -> list[Setting]:
    """The threads that were opened for a person, as settings of theirs."""
    found = await session.scalars(select(Setting).where(Setting.key == OPENED_FOR).order_by(Setting.id))
    return [row for row in found if row.value["is"] == person]


async def forget_opened_for(session: AsyncSession, person: int) -> None:
    """Forget which threads were opened for a person."""
    for row in await opened_for(session, person):
        await session.delete(row)


async def forget_left(session: AsyncSession, older_than: datetime) -> bool:
    """Remove what servers had set that left us by then, and the system prompts that were theirs alone.

    Returns whether there was anything.
    """
    theirs = select(Setting).where(
        Setting.scope == "server",
        Setting.scope_id.in_(select(Server.platform_id).where(Server.left_at < older_than)),
    )
    settings = (await session.scalars(theirs)).all()
    for setting in settings:
        await session.delete(setting)
    left = select(Server.id).where(Server.left_at < older_than)
    told = select(Generation.system_prompt_id).join(Conversation, Conversation.id == Generation.conversation_id)
    elsewhere = told.where(Conversation.server_id.is_(None) | Conversation.server_id.not_in(left))
    prompts = await session.scalars(
        select(SystemPrompt).where(
            SystemPrompt.id.in_(told.where(Conversation.server_id.in_(left))),
            SystemPrompt.id.not_in(elsewhere),
            SystemPrompt.text != "",
        )
    )
    found = prompts.all()
    for prompt in found:
        # Whoever says the same again later gets a row of their own.
        prompt.text, prompt.sha256 = "", secrets.token_hex(32)
    return bool(settings or found)
