"""Writes, reads and forgets the settings of places. `data.scopes` decides which place's setting wins."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import String, and_, cast, delete, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from data.persona_texts import PERSONAS_HERE, blank, record_personas, remove_unused
from data.schema import AuditRow, Conversation, Generation, Server, Setting, SystemPrompt
from data.scopes import Scope

OPENED_FOR = "opened_for"  # a setting of threads that the bot opened: the person for whom
ASKED = "asked_for_consent"  # a setting of a person: the version of the consent text that they were sent unasked


async def values_at(session: AsyncSession, key: str, places: Sequence[Scope]) -> dict[Scope, Any]:
    """A setting's values in those of these places that have one."""
    query = select(Setting).where(Setting.key == key, Setting.scope_id.in_([place for _, place in places]))
    found = {(row.scope, row.scope_id): row.value["is"] for row in await session.scalars(query)}
    return {place: found[place] for place in places if place in found}


async def set_value(
    session: AsyncSession, key: str, scope: Scope, value: Any, server: int | str | None = None
) -> None:
    """Set a setting in a place; None removes it. A channel's setting is forgotten with the `server` it belongs to."""
    kind, place = scope
    await session.execute(delete(Setting).where(Setting.key == key, Setting.scope == kind, Setting.scope_id == place))
    if key == PERSONAS_HERE and kind == "server":
        await record_personas(session, place, value)
    if value is not None:
        where = None if server is None else str(server)
        session.add(Setting(scope=kind, scope_id=place, key=key, value={"is": value}, server=where))


async def all_values(session: AsyncSession, key: str) -> dict[Scope, Any]:
    """A setting's values in all places that have one."""
    query = select(Setting).where(Setting.key == key)
    return {(row.scope, row.scope_id): row.value["is"] for row in await session.scalars(query)}


async def opened_for(session: AsyncSession, person: int) -> list[Setting]:
    """The threads that were opened for a person, as settings."""
    found = await session.scalars(select(Setting).where(Setting.key == OPENED_FOR).order_by(Setting.id))
    return [row for row in found if row.value["is"] == person]


async def forget_opened_for(session: AsyncSession, person: int) -> None:
    """Forget which threads were opened for a person, and what they were asked."""
    await session.execute(delete(Setting).where(Setting.scope == "person", Setting.scope_id == str(person)))
    for row in await opened_for(session, person):
        await session.delete(row)


async def forget_left(session: AsyncSession, older_than: datetime) -> bool:
    """Forget the servers that removed the bot before `older_than`: their settings, the system prompts that only they
    used, and their managers' entries in the audit log. Personas' texts that nothing uses go from all servers.

    Returns whether there was anything to forget.
    """
    left = select(Server.id).where(Server.left_at < older_than)
    gone = select(Server.platform_id).where(Server.left_at < older_than)
    talks = select(cast(Conversation.id, String)).where(Conversation.server_id.in_(left))
    theirs = or_(
        and_(Setting.scope == "server", Setting.scope_id.in_(gone)),
        and_(Setting.scope == "conversation", Setting.scope_id.in_(talks)),
        Setting.server.in_(gone),
    )
    settings = await session.scalars(delete(Setting).where(theirs).returning(Setting.id))
    entries = await session.scalars(delete(AuditRow).where(AuditRow.server_id.in_(left)).returning(AuditRow.id))
    removed = [*settings, *entries]
    used = select(Generation.system_prompt_id).join(Conversation, Conversation.id == Generation.conversation_id)
    elsewhere = used.where(Conversation.server_id.is_(None) | Conversation.server_id.not_in(left))
    prompts = await session.scalars(
        select(SystemPrompt).where(
            SystemPrompt.id.in_(used.where(Conversation.server_id.in_(left))),
            SystemPrompt.id.not_in(elsewhere),
            SystemPrompt.text != "",
        )
    )
    found = prompts.all()
    for prompt in found:
        blank(prompt)
    return await remove_unused(session, older_than) or bool(removed or found)
