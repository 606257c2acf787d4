"""How messages are written and found: their versions, their places on a platform, the path down to one."""

from collections.abc import Collection

from sqlalchemy import select
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
) -> StoredMessage:
    """Write a message with its first version below another one."""
    row = schema.MessageRow(conversation_id=conversation, role=role, author_id=author, parent_id=parent)
    session.add(row)
    await session.flush()
    version = schema.MessageVersion(message_id=row.id, author_id=author, text=text)
    session.add(version)
    if platform_id is not None:
        await place_message(session, row.id, platform_id)
    await session.flush()
    return StoredMessage(row.id, version.id, conversation, role, text, author, parent, version.created_at)


async def place_message(session: AsyncSession, message: int, platform_id: str) -> None:
    """Say by which message of its conversation's platform a message is seen."""
    row = await session.get_one(schema.MessageRow, message)
    platform = (await session.get_one(schema.Conversation, row.conversation_id)).platform
    new = {"platform": platform, "platform_id": platform_id, "message_id": message}
    # What it showed before was erased, and its text came in once more: only now is that found by it.
    known = insert(schema.PlatformMessage).values(new)
    await session.execute(known.on_conflict_do_update(set_={"message_id": known.excluded.message_id}))


async def message_at(session: AsyncSession, platform: str, platform_id: str) -> StoredMessage | None:
    """The message that a platform knows by this id; None when it is not known or was erased."""
    place = await session.get(schema.PlatformMessage, (platform, platform_id))
    found = await newest_versions(session, [place.message_id]) if place else []
    return found[0] if found else None


async def places_of(session: AsyncSession, message: int) -> list[str]:
    """The platform's ids of the messages that show this one, the oldest first."""
    place = schema.PlatformMessage
    found = await session.scalars(select(place.platform_id).where(place.message_id == message))
    return sorted(found, key=lambda name: (len(name), name))


async def goes_on(session: AsyncSession, message: int) -> int:
    """The last of the messages that one person sent one below the other, before anything was answered."""
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
    """The messages from a conversation's beginning down to this one, newest versions, erased ones left out."""
    row = schema.MessageRow
    chain = select(row.id, row.parent_id).where(row.id == message).cte(recursive=True)
    above = aliased(row)
    chain = chain.union_all(select(above.id, above.parent_id).join(chain, above.id == chain.c.parent_id))
    # A parent is always older than its children, so the ids give the order.
    return await newest_versions(session, (await session.scalars(select(chain.c.id).order_by(chain.c.id))).all())


async def newest_versions(session: AsyncSession, messages: Collection[int]) -> list[StoredMessage]:
    """What messages say now, by their numbers in order; those whose newest version was erased are left out."""
    newest: dict[int, StoredMessage] = {}
    query = (
        select(schema.MessageRow, schema.MessageVersion)
        .join(schema.MessageVersion, schema.MessageVersion.message_id == schema.MessageRow.id)
        .where(schema.MessageRow.id.in_(messages))
        .order_by(schema.MessageRow.id, schema.MessageVersion.id)
    )
    for row, version in await session.execute(query):
        newest.pop(row.id, None)
        if version.text is not None:
            newest[row.id] = StoredMessage(
                row.id,
                version.id,
                row.conversation_id,
                row.role,
                version.text,
                row.author_id,
                row.parent_id,
                version.created_at,
            )
    return list(newest.values())
