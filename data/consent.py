"""Who allowed what: which texts may be kept and trained on.

Consent covers what a person says after giving it; withdrawal covers everything they ever said.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from data.schema import (
    Consent,
)

CONSENT_VERSION = "2026-11-2"
# Older versions of the text that allow all that the current one does: only its wording changed since. Who agreed to
# any other is asked again before a new rating is kept. "2026-11" said nothing of comparisons choosing releases.
SAME_IN_SUBSTANCE: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Event:
    """One recorded answer of a person to the question of consent."""

    at: datetime
    granted: bool


def consent_since(events: Iterable[Event]) -> datetime | None:
    """Since when a person's words are covered, from their answers in order; None when they are not.

    A second yes does not move the beginning; a no ends all cover, also of what was said before it.
    """
    since: datetime | None = None
    for event in events:
        if not event.granted:
            since = None
        elif since is None:
            since = event.at
    return since


def covered(author: int | None, said_at: datetime, since: Mapping[int, datetime]) -> bool:
    """Whether a text may be kept for training. An unknown author counts as refusing."""
    return author is not None and author in since and said_at >= since[author]


def still_says(version: str) -> bool:
    """Whether a version of the text, the current one or one before, says all that is done with people's words now."""
    return version == CONSENT_VERSION or version in SAME_IN_SUBSTANCE


async def agrees(session: AsyncSession, person: int) -> bool:
    """Whether a person's last answer is a yes to what is done now, so that a new rating of theirs may be kept.

    What they said under an older text stays covered by their yes to that; see `covered`.
    """
    query = select(Consent.granted, Consent.text_version).where(Consent.person_id == person)
    last = (await session.execute(query.order_by(Consent.id.desc()).limit(1))).first()
    return last is not None and last.granted and still_says(last.text_version)


async def consents_since(session: AsyncSession) -> dict[int, datetime]:
    """For every person who consents now: since when."""
    events: dict[int, list[Event]] = {}
    query = select(Consent.person_id, Consent.at, Consent.granted).order_by(Consent.id)
    for person, at, granted in await session.execute(query):
        events.setdefault(person, []).append(Event(at, granted))
    return _since(events)


async def outside_judge_since(session: AsyncSession) -> dict[int, datetime]:
    """For every person who also lets a judge outside this installation read their words: since when.

    A scope of its own, recorded with each answer to the question of consent. The bot's question does not ask for it
    yet, so nobody's feedback is covered, and no row made of feedback is ever shown to an outside judge.
    """
    events: dict[int, list[Event]] = {}
    query = select(Consent.person_id, Consent.at, Consent.granted, Consent.outside_judge).order_by(Consent.id)
    for person, at, granted, outside in await session.execute(query):
        events.setdefault(person, []).append(Event(at, granted and bool(outside)))
    return _since(events)


async def withdrawn(session: AsyncSession) -> set[int]:
    """The people whose last answer to the question of consent is no."""
    query = select(Consent.person_id, Consent.granted).order_by(Consent.id)
    last: dict[int, bool] = dict((await session.execute(query)).all())
    return {person for person, granted in last.items() if not granted}


def _since(events: Mapping[int, Iterable[Event]]) -> dict[int, datetime]:
    since = {person: consent_since(answers) for person, answers in events.items()}
    return {person: moment for person, moment in since.items() if moment is not None}
