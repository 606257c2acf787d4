"""Removes what leads back to somebody who was forgotten: ids of their platform, links between what was theirs, times.

Somebody who knows when a person wrote on the platform, or when they left, must not find them again by a time that is
stored here. The rows stay where others refer to them, and say nothing.
"""

import secrets
from collections.abc import Collection

from sqlalchemy import delete, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from data.consent import CONSENT_VERSION
from data.database import chunks
from data.schema import (
    AuditRow,
    Consent,
    Conversation,
    Generation,
    MessageRow,
    MessageVersion,
    OpenAnswer,
    Person,
    PlatformMessage,
    Setting,
)
from data.times import NO_TIME


async def unlink(session: AsyncSession, person: Person) -> None:
    """Let nothing lead to a person: a refusal without a time is all that is left of them, for whoever still asks.

    Somebody who comes back is a new person to us, who was never asked anything.
    """
    person.id_hash, person.created_at = secrets.token_hex(32), NO_TIME
    await session.execute(delete(Consent).where(Consent.person_id == person.id))
    session.add(Consent(person_id=person.id, granted=False, text_version=CONSENT_VERSION, at=NO_TIME))
    for table in (MessageRow, MessageVersion):
        theirs = update(table).where(table.author_id == person.id)
        await session.execute(theirs.values(author_id=None, created_at=NO_TIME))
    for entry in await session.scalars(select(AuditRow).where(AuditRow.person_id == person.id)):
        entry.at = entry.at.replace(hour=0, minute=0, second=0, microsecond=0)  # operators answer for what they did


async def remove_times(session: AsyncSession, versions: Collection[int]) -> None:
    """Remove when these texts, which are erased, were written, and which messages of the platform showed them."""
    for chunk in chunks(versions):
        messages = select(MessageVersion.message_id).where(MessageVersion.id.in_(chunk))
        live = select(MessageVersion.message_id).where(
            MessageVersion.message_id.in_(messages), MessageVersion.text.is_not(None)
        )
        gone = select(MessageRow.id).where(MessageRow.id.in_(messages), MessageRow.id.not_in(live))
        places = select(PlatformMessage.platform_id).where(PlatformMessage.message_id.in_(gone))
        await session.execute(delete(OpenAnswer).where(OpenAnswer.question_id.in_(places)))
        await session.execute(delete(PlatformMessage).where(PlatformMessage.message_id.in_(gone)))
        for table, column in ((MessageRow, MessageRow.id), (Generation, Generation.message_id)):
            await session.execute(update(table).where(column.in_(gone)).values(created_at=NO_TIME))
        erased = update(MessageVersion).where(MessageVersion.id.in_(chunk))
        await session.execute(erased.values(created_at=NO_TIME, erased_at=NO_TIME))


async def unlink_conversations(session: AsyncSession, conversations: Collection[int]) -> None:
    """Remove the platform's ids that lead from a forgotten person's conversations back to them.

    A conversation's key names its first message. A direct channel with the bot belongs to the person, so its settings
    go too. Where no text of anybody is left, the ids of the messages go as well.
    """
    for conversation in (await session.scalars(select(Conversation).where(Conversation.id.in_(conversations)))).all():
        rows = select(MessageRow.id).where(MessageRow.conversation_id == conversation.id)
        left = select(MessageVersion.id).where(MessageVersion.message_id.in_(rows), MessageVersion.text.is_not(None))
        channel = conversation.key.rpartition(":")[0]
        if conversation.server_id is None and channel:
            await session.execute(delete(Setting).where(Setting.scope == "channel", Setting.scope_id == channel))
        if await session.scalar(left.limit(1)) is None:
            await session.execute(delete(PlatformMessage).where(PlatformMessage.message_id.in_(rows)))
            channel = ""
        conversation.key, conversation.created_at = f"{channel}:{secrets.token_hex(16)}", NO_TIME
