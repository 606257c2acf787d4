"""Who consented to what: which texts may be kept and trained on.

Consent covers what a person says after giving it, until a new version of the consent text says that more is done.
Withdrawal covers everything they ever said.
"""

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import func, select
from sqlalchemy.dialects.sqlite import insert
from sqlalchemy.ext.asyncio import AsyncSession

from data.schema import Consent, ConsentText, MessageVersion
from data.times import now

CONSENT_VERSION = "2026-11-5"
# Older versions of the consent text that differ only in wording. People who agreed to any other version are asked
# again before a new rating of theirs is kept. "2026-11" did not say that comparisons choose releases, "2026-11-2"
# that corrections are shown to the model as examples, "2026-11-3" that follow-up messages count as weak ratings,
# "2026-11-4" that the answer after a complaint may be learnt in place of the one before it.
SAME_IN_SUBSTANCE: frozenset[str] = frozenset()
# The texts that name follow-up messages, and the answers after complaints. A later text that still names them must be
# added here.
_NAMING_FOLLOWUPS = frozenset({"2026-11-4", "2026-11-5"})
_NAMING_HINDSIGHT = frozenset({"2026-11-5"})


@dataclass(frozen=True, slots=True)
class ConsentEvent:
    """One answer to the consent question; `current` says whether its text still describes all that is done."""

    at: datetime
    granted: bool
    current: bool = True


@dataclass(frozen=True, slots=True)
class Span:
    """A time in which a person's words are covered: from their yes until the text that they agreed to changed."""

    since: datetime
    until: datetime | None = None


Cover = tuple[Span, ...]


def cover(events: Iterable[ConsentEvent], changes: Iterable[datetime] = ()) -> Cover:
    """When a person's words are covered, given their answers in order and the times at which the text changed.

    A yes holds until the next change, because the person was not asked about that. A second yes does not move the
    beginning. A no ends all cover, also of what was said before it.
    """
    changes = sorted(changes)
    spans: list[Span] = []
    for event in events:
        until = next((change for change in changes if change > event.at), None)
        if not event.granted:
            spans = []
        elif until is None and not event.current:
            continue  # given to an older text, which a process started before the last change still showed
        elif not spans or (spans[-1].until is not None and spans[-1].until <= event.at):
            spans.append(Span(event.at, until))
    return tuple(spans)


def covered(author: int | None, said_at: datetime, covers: Mapping[int, Cover]) -> bool:
    """Whether a text may be kept for training. An unknown author counts as refusing."""
    spans = covers.get(author, ()) if author is not None else ()
    return any(span.since <= said_at and (span.until is None or said_at < span.until) for span in spans)


def still_says(version: str) -> bool:
    """Whether this version of the consent text still describes all that is done with people's words."""
    return version == CONSENT_VERSION or version in SAME_IN_SUBSTANCE


async def agrees(session: AsyncSession, person: int) -> bool:
    """Whether a person's last answer is a yes to what is done now, so that a new rating of theirs may be kept.

    What they said under an older text stays covered by their yes to that text; see `cover`.
    """
    last = await last_answer(session, person)
    return last is not None and last.granted and still_says(last.text_version)


async def last_answer(session: AsyncSession, person: int) -> Consent | None:
    """A person's last answer to the consent question; None when they were never asked."""
    query = select(Consent).where(Consent.person_id == person).order_by(Consent.id.desc()).limit(1)
    found: Consent | None = await session.scalar(query)
    return found


async def begins_now(session: AsyncSession, person: int) -> datetime:
    """The time from which a yes of this moment covers: after everything that the person said until now.

    It is the current time, unless the clock went back since something was said.
    """
    said = await session.scalar(select(func.max(MessageVersion.created_at)).where(MessageVersion.author_id == person))
    return now() if said is None else max(now(), said + timedelta(microseconds=1))


async def text_holds(session: AsyncSession) -> bool:
    """Whether the start of the current consent text, or of one that says the same, is recorded in this installation.

    A yes to an older text does not cover what is said after that start: the person was not asked about the change.
    """
    return any(map(still_says, await session.scalars(select(ConsentText.version))))


async def record_text(session: AsyncSession) -> None:
    """Record that the current consent text holds from now on."""
    await session.execute(insert(ConsentText).values(version=CONSENT_VERSION).on_conflict_do_nothing())


async def consents_since(session: AsyncSession) -> dict[int, Cover]:
    """When the words of each person who consents are covered. People without any cover are left out."""
    return await _covers(session, lambda answer: answer.granted)


async def covers_of(session: AsyncSession, people: Collection[int]) -> dict[int, Cover]:
    """The same for these people only."""
    return await _covers(session, lambda answer: answer.granted, people)


async def followups_since(session: AsyncSession) -> dict[int, Cover]:
    """When each person's messages may count as weak ratings: after a yes to a text that says so."""
    return await _covers(session, lambda answer: answer.granted and answer.text_version in _NAMING_FOLLOWUPS)


async def hindsight_since(session: AsyncSession) -> dict[int, Cover]:
    """When each person's complaints may teach the answer that came after them: after a yes to a text that says so."""
    return await _covers(session, lambda answer: answer.granted and answer.text_version in _NAMING_HINDSIGHT)


async def outside_judge_since(session: AsyncSession) -> dict[int, Cover]:
    """When each person's words are covered for judges outside this installation.

    This is recorded with each answer to the consent question. The bot does not ask it yet, so nobody's feedback is
    covered, and no row made of feedback is ever shown to an outside judge.
    """
    return await _covers(session, lambda answer: answer.granted and bool(answer.outside_judge))


async def withdrawn(session: AsyncSession) -> set[int]:
    """The people whose last answer to the consent question is no."""
    query = select(Consent.person_id, Consent.granted).order_by(Consent.id)
    last: dict[int, bool] = dict((await session.execute(query)).all())
    return {person for person, granted in last.items() if not granted}


async def _covers(
    session: AsyncSession, agreed: Callable[[Consent], bool], people: Collection[int] | None = None
) -> dict[int, Cover]:
    events: dict[int, list[ConsentEvent]] = {}
    query = select(Consent).order_by(Consent.id)
    for answer in await session.scalars(query if people is None else query.where(Consent.person_id.in_(people))):
        event = ConsentEvent(answer.at, agreed(answer), still_says(answer.text_version))
        events.setdefault(answer.person_id, []).append(event)
    changes = (await session.scalars(select(ConsentText.since))).all()
    covers = {person: cover(answers, changes) for person, answers in events.items()}
    return {person: spans for person, spans in covers.items() if spans}
