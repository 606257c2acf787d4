"""All data about one person, for that person to read (the right of access), in a form that programs can read too."""

from typing import Any

from sqlalchemy import and_, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from data import schema
from data.lessons import entries_by, lessons_of
from data.persona_texts import personas_by
from data.settings import opened_for


async def kept_of(session: AsyncSession, person: int) -> dict[str, Any]:
    """All that is stored about a person, as values for JSON: pseudonym, consents, messages, ratings, the personas
    that they wrote, the ids of the threads that were opened for them, and what they did as a manager or an operator.

    Erased texts are gone; they are only counted.
    """
    row = await session.get_one(schema.Person, person)
    consents = await session.scalars(
        select(schema.Consent).where(schema.Consent.person_id == person).order_by(schema.Consent.id)
    )
    version, message = schema.MessageVersion, schema.MessageRow
    written = await session.execute(
        select(version, schema.Conversation.platform, message.role)
        .join(message, message.id == version.message_id, isouter=True)
        .join(schema.Conversation, schema.Conversation.id == message.conversation_id, isouter=True)
        .where(or_(version.author_id == person, and_(message.author_id == person, message.role == "user")))
        .order_by(version.id)
    )
    texts: dict[int, str | None] = {}
    messages = []
    for one, platform, role in written:
        texts[one.id] = one.text
        if role is not None and one.text is not None:
            more = {} if role == "user" else {"as": role}  # a client's system message, or another model's answer
            messages.append({"at": one.created_at.isoformat(), "platform": platform, "text": one.text, **more})
    ratings = await session.scalars(
        select(schema.Rating).where(schema.Rating.rater_id == person).order_by(schema.Rating.id)
    )
    standing = await session.get(schema.Standing, person)
    table = schema.AuditRow
    actions = await session.scalars(select(table).where(table.person_id == person).order_by(table.id))
    return {
        "person": {"pseudonym": row.pseudonym, "platform": row.platform, "since": row.created_at.isoformat()},
        "consents": [
            {
                "at": one.at.isoformat(),
                "training": one.granted,
                "outside_judge": bool(one.outside_judge),
                "text": one.text_version,
            }
            for one in consents
        ],
        "messages": messages,
        "erased_texts": sum(text is None for text in texts.values()),
        "ratings": [
            {
                "at": one.created_at.isoformat(),
                "platform": one.platform,
                "kind": one.kind,
                "value": one.value,
                "answer": one.generation_id,
                "other_answer": one.other_id,
                "text": texts.get(one.text_version_id) if one.text_version_id else None,
            }
            for one in ratings
        ],
        "lessons": [
            {"number": one.lesson, "scope": one.scope, "question": one.question, "answer": one.answer}
            for one in (*await lessons_of(session, person), *await entries_by(session, person))
        ],
        "personas": await personas_by(session, person),
        "vouched_for": standing is not None and standing.vouched_at is not None,
        "ratings_taken_out": standing is not None and standing.voided_at is not None,
        "threads": [row.scope_id for row in await opened_for(session, person)],
        "deeds": [{"at": one.at.isoformat(), "deed": one.deed, "what": one.what} for one in actions],
    }
