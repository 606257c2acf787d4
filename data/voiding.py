"""Taking out all ratings of answers, as one event that the audit log has: all of it is recorded, or nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import uuid4

from data import lesson_events, ratings, schema
from data.records import NewRating

if TYPE_CHECKING:
    from collections.abc import Sequence

    from data.store import Store


async def void_row(store: Store, person: int, row: str, answers: Sequence[int], *, platform: str) -> None:
    """Void all ratings of the answers that a row is made of; `person` is the operator who does it.

    Lessons that were made of these ratings go with them. Ratings that people give later count again.
    """
    async with store.database.write() as session:
        for answer in answers:
            source = f"{platform}:void:{uuid4().hex}"
            new = NewRating(source_id=source, rater=person, kind="void", generation=answer, platform=platform)
            await ratings.add_rating(session, new)
            await lesson_events.follow(session, new)
        session.add(schema.AuditRow(person_id=person, deed="void_row", what={"row": row, "answers": len(answers)}))
