"""Writes and finds messages: their versions, their ids on a platform, and the path down to one."""

from collections.abc import Collection
from functools import cache

from sqlalchemy import Select, bindparam, func, select
from sqlalchemy.dialects.sqlite import insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased

from data import schema
from data.records import StoredMessage


async def add_message(
    session: AsyncSession,
    conversation: int,
    role: str,
    text: str,
    *,
    author: int | None,
    parent: int | None,
    platform_id: str | None,
    unknown: bool = False,
) -> StoredMessage:
    """Write a message and its first version below its parent; see `Store.add_message`."""
    row = schema.MessageRow(conversation_id=conversation, role=role, author_id=author, parent_id=parent)
    session.add(row)
    await session.flush()
    wrote = None if unknown else author
    version = schema.MessageVersion(message_id=row.id, author_id=wrote, text=text)
    session.add(version)
    if platform_id is not None:
        await place_message(session, row.id, platform_id)
    await session.flush()
    return StoredMessage(row.id, version.id, conversation, role, text, wrote, parent, version.created_at, author)


async def edit_message(session: AsyncSession, platform: str, platform_id: str, text: str) -> StoredMessage | None:
    """Write a message's new text as a new version; None when the message is unknown or was erased."""
    old = await message_at(session, platform, platform_id)
    if old is None or old.text == text:
        return old  # unchanged, such as by a link preview: the text stays as old as it is, for consent and retention
    session.add(schema.MessageVersion(message_id=old.message, author_id=old.author, text=text))
    await session.flush()
    return await newest_version(session, old.message)


async def place_message(session: AsyncSession, message: int, platform_id: str) -> None:
    """Record the id of the platform's message that shows this message."""
    row = await session.get_one(schema.MessageRow, message)
    platform = (await session.get_one(schema.Conversation, row.conversation_id)).platform
    new = {"platform": platform, "platform_id": platform_id, "message_id": message}
    # The id may be known already: its message was erased, and the same text came in again as a new message.
    known = insert(schema.PlatformMessage).values(new)
    await session.execute(known.on_conflict_do_update(set_={"message_id": known.excluded.message_id}))


async def message_at(session: AsyncSession, platform: str, platform_id: str) -> StoredMessage | None:
    """The message with this platform id; None when it is unknown or was erased."""
    place = await session.get(schema.PlatformMessage, (platform, platform_id))
    return await newest_version(session, place.message_id) if place else None


async def places_of(session: AsyncSession, message: int) -> list[str]:
    """The platform's ids of the messages that show this one, the oldest first."""
    place = schema.PlatformMessage
    found = await session.scalars(select(place.platform_id).where(place.message_id == message))
    return sorted(found, key=lambda name: (len(name), name))


async def goes_on(session: AsyncSession, message: int) -> int:
    """The last message of a chain that one person sent, each below the one before, with no answer between them."""
    row = await session.get_one(schema.MessageRow, message)
    while True:
        below = select(schema.MessageRow).where(
            schema.MessageRow.parent_id == row.id,
            schema.MessageRow.role == "user",
            schema.MessageRow.author_id == row.author_id,
        )
        found = (await session.scalars(below.order_by(schema.MessageRow.id).limit(1))).first()
        if found is None:
            return row.id
        row = found


async def messages_down_to(session: AsyncSession, message: int) -> list[StoredMessage]:
    """The messages from a conversation's beginning down to this one in their newest versions, without erased ones."""
    return await newest_versions(session, (await session.scalars(_down_to(), {"message": message})).all())


async def newest_version(session: AsyncSession, message: int) -> StoredMessage | None:
    """The newest version of one message; None when it was erased."""
    return next(iter(await newest_versions(session, [message])), None)


async def newest_versions(session: AsyncSession, messages: Collection[int]) -> list[StoredMessage]:
    """The newest versions of messages, ordered by number; messages whose newest version was erased are left out."""
    return [
        StoredMessage(
            row.id,
            found.id,
            row.conversation_id,
            row.role,
            found.text or "",
            found.author_id,
            row.parent_id,
            found.created_at,
            row.author_id,
        )
        for row, found in await session.execute(_newest(), {"messages": list(messages)})
    ]


# Every question and every answer runs these two; building a statement takes far longer than running it.


@cache
def _down_to() -> Select[int]:
    """The numbers of the messages from a conversation's beginning down to `:message`, in that order."""
    row = schema.MessageRow
    chain = select(row.id, row.parent_id).where(row.id == bindparam("message")).cte(recursive=True)
    above = aliased(row)
    chain = chain.union_all(select(above.id, above.parent_id).join(chain, above.id == chain.c.parent_id))
    # A parent is always older than its children, so ids give the order.
    return select(chain.c.id).order_by(chain.c.id)


@cache
def _newest() -> Select[schema.MessageRow, schema.MessageVersion]:
    """Each of `:messages` with its newest version, in the order of their numbers, without erased ones."""
    version = aliased(schema.MessageVersion)
    newest = select(func.max(version.id)).where(version.message_id == schema.MessageRow.id).scalar_subquery()
    return (
        select(schema.MessageRow, schema.MessageVersion)
        .join(schema.MessageVersion, schema.MessageVersion.id == newest)
        .where(
            schema.MessageRow.id.in_(bindparam("messages", expanding=True)), schema.MessageVersion.text.is_not(None)
        )
        .order_by(schema.MessageRow.id)
    )
