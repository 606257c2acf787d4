"""Who allowed what: which texts may be kept and trained on.

Consent covers what a person says after giving it, until another text says that more is done; withdrawal covers
everything they ever said.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from data.schema import Consent, ConsentText

CONSENT_VERSION = "2026-11-2"
# Older versions of the text that allow all that the current one does: only its wording changed since. Who agreed to
# any other is asked again before a new rating is kept. "2026-11" said nothing of comparisons choosing releases.
SAME_IN_SUBSTANCE: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Event:
    """One recorded answer of a person to the question of consent; `current`: to a text that says what is done now."""

    at: datetime
    granted: bool
    current: bool = True


@dataclass(frozen=True, slots=True)
class Span:
    """A time in which what a person says is covered: from their yes until the text changed that they agreed to."""

    since: datetime
    until: datetime | None = None


Cover = tuple[Span, ...]


def cover(events: Iterable[Event], changes: Iterable[datetime] = ()) -> Cover:
    """When a person's words are covered, from their answers in order and the times at which the text changed.

    A yes holds until the next change, for nobody asked about that. A second yes does not move the beginning; a no
    ends all cover, also of what was said before it.
    """
    changes = sorted(changes)
    spans: list[Span] = []
    for event in events:
        until = next((change for change in changes if change > event.at), None)
        if not event.granted:
            spans = []
        elif until is None and not event.current:
            continue  # to the older text of a process that was started before the last change
        elif not spans or (spans[-1].until is not None and spans[-1].until <= event.at):
            spans.append(Span(event.at, until))
    return tuple(spans)


def covered(author: int | None, said_at: datetime, covers: Mapping[int, Cover]) -> bool:
    """Whether a text may be kept for training. An unknown author counts as refusing."""
    spans = covers.get(author, ()) if author is not None else ()
    return any(span.since <= said_at and (span.until is None or said_at < span.until) for span in spans)


def still_says(version: str) -> bool:
    """Whether a version of the text, the current one or one before, says all that is done with people's words now."""
    return version == CONSENT_VERSION or version in SAME_IN_SUBSTANCE


async def agrees(session: AsyncSession, person: int) -> bool:
    """Whether a person's last answer is a yes to what is done now, so that a new rating of theirs may be kept.

    What they said under an older text stays covered by their yes to that; see `cover`.
    """
    query = select(Consent.granted, Consent.text_version).where(Consent.person_id == person)
    last = (await session.execute(query.order_by(Consent.id.desc()).limit(1))).first()
    return last is not None and last.granted and still_says(last.text_version)


async def text_holds(session: AsyncSession) -> bool:
    """Whether it is recorded since when the current text holds in this installation, or one that says the same.

    What is said from then on is not covered by a yes to an older text: who gave it was not asked about what changed.
    """
    return any(map(still_says, await session.scalars(select(ConsentText.version))))


async def consents_since(session: AsyncSession) -> dict[int, Cover]:
    """For every person who consents: since when, and until when where the text changed and they were not asked."""
    events: dict[int, list[Event]] = {}
    query = select(Consent.person_id, Consent.at, Consent.granted, Consent.text_version).order_by(Consent.id)
    for person, at, granted, version in await session.execute(query):
        events.setdefault(person, []).append(Event(at, granted, still_says(version)))
    return await _covers(session, events)


async def outside_judge_since(session: AsyncSession) -> dict[int, Cover]:
    """For every person who also lets a judge outside this installation read their words: since and until when.

    A scope of its own, recorded with each answer to the question of consent. The bot's question does not ask for it
    yet, so nobody's feedback is covered, and no row made of feedback is ever shown to an outside judge.
    """
    events: dict[int, list[Event]] = {}
    said = (Consent.granted, Consent.outside_judge, Consent.text_version)
    query = select(Consent.person_id, Consent.at, *said).order_by(Consent.id)
    for person, at, granted, outside, version in await session.execute(query):
        events.setdefault(person, []).append(Event(at, granted and bool(outside), still_says(version)))
    return await _covers(session, events)


async def withdrawn(session: AsyncSession) -> set[int]:
    """The people whose last answer to the question of consent is no."""
    query = select(Consent.person_id, Consent.granted).order_by(Consent.id)
    last: dict[int, bool] = dict((await session.execute(query)).all())
    return {person for person, granted in last.items() if not granted}


async def _covers(session: AsyncSession, events: Mapping[int, Iterable[Event]]) -> dict[int, Cover]:
    changes = (await session.scalars(select(ConsentText.since))).all()
    covers = {person: cover(answers, changes) for person, answers in events.items()}
    return {person: spans for person, spans in covers.items() if spans}
