"""Who allowed what: which texts may be kept and trained on, and how they are erased.

Consent covers what a person says after giving it; withdrawal covers everything they ever said.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, exists, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from data.chat import sayings
from data.home import keyed_hash
from data.schema import (
    Consent,
    Conversation,
    Generation,
    GenerationContext,
    ImportedText,
    MessageRow,
    MessageVersion,
    Rating,
    Server,
    Tombstone,
    now,
)

CONSENT_VERSION = "2026-11-2"
# Older versions of the text that allow all that the current one does: only its wording changed since. Who agreed to
# any other is asked again before a new rating is kept. "2026-11" said nothing of comparisons choosing releases.
SAME_IN_SUBSTANCE: frozenset[str] = frozenset()
_TELLING = 20  # characters


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


async def expired_versions(session: AsyncSession, older_than: datetime) -> list[int]:
    """The texts whose time is over: people's that nobody's consent covers, and all of servers that left us by then.

    Answers that may repeat them go with them.
    """
    since = await consents_since(session)
    left = (
        select(MessageVersion.id)
        .join(MessageRow, MessageRow.id == MessageVersion.message_id)
        .join(Conversation, Conversation.id == MessageRow.conversation_id)
        .join(Server, Server.id == Conversation.server_id)
        .where(MessageVersion.text.is_not(None), Server.left_at < older_than)
    )
    query = select(MessageVersion.id, MessageVersion.author_id, MessageVersion.created_at).where(
        MessageVersion.text.is_not(None), MessageVersion.created_at < older_than, ~_is_answer(), ~_is_imported()
    )
    gone = set((await session.scalars(left)).all())
    return [*gone, *(i for i, by, at in await session.execute(query) if i not in gone and not covered(by, at, since))]


def _is_answer() -> ColumnElement[bool]:
    return exists().where(Generation.version_id == MessageVersion.id)


def _is_imported() -> ColumnElement[bool]:
    # The operator who imported a row answers for the consent to it; it does not expire by itself.
    return exists().where(ImportedText.version_id == MessageVersion.id)


def text_tombstone(key: bytes, text: str) -> str | None:
    """The keyed hash by which an erased text is known again; None for one so short that many people say it."""
    plain = " ".join(text.split())
    return keyed_hash(key, "erased", plain) if len(plain) >= _TELLING else None


def said_again(key: bytes, text: str) -> set[str]:
    """The hashes of everything that a row's text may repeat: rows join messages and say who speaks."""
    return {ref for saying in sayings(text) if (ref := text_tombstone(key, saying)) is not None}


async def erase(session: AsyncSession, versions: Collection[int], key: bytes) -> int:
    """Remove texts for good, and with them every answer that was generated from them, since it may repeat them.

    Returns how many texts were removed. The rows stay, so that what refers to them still holds, without words;
    tombstones keep an import from bringing the words back.
    """
    wanted = set(versions)
    frontier = wanted
    while frontier:  # an answer is context of later answers, which may repeat it in turn
        answers: set[int] = set()
        for chunk in _chunks(sorted(frontier)):
            query = (
                select(Generation.version_id)
                .join(GenerationContext, GenerationContext.generation_id == Generation.id)
                .where(GenerationContext.version_id.in_(chunk))
            )
            answers.update((await session.scalars(query)).all())
            # A correction of such an answer is another person's rewriting of it.
            correction = (
                select(Rating.text_version_id)
                .join(Generation, Generation.id == Rating.generation_id)
                .where(Generation.version_id.in_(chunk), Rating.text_version_id.is_not(None))
            )
            answers.update(version for version in (await session.scalars(correction)).all() if version is not None)
        frontier = answers - wanted
        wanted |= frontier
    erased = 0
    wanted |= await _imported_copies(session, wanted, key)
    for chunk in _chunks(sorted(wanted)):
        there = MessageVersion.id.in_(chunk), MessageVersion.text.is_not(None)
        texts = (await session.scalars(select(MessageVersion.text).where(*there))).all()
        await session.execute(update(MessageVersion).where(*there).values(text=None, erased_at=now()))
        hashes = {text_tombstone(key, text or "") for text in texts} - {None}
        session.add_all(Tombstone(kind="text", ref_hash=ref, reason="erased") for ref in sorted(map(str, hashes)))
        erased += len(texts)
    return erased


async def _imported_copies(session: AsyncSession, versions: Collection[int], key: bytes) -> set[int]:
    """Imported texts that say the same as texts about to be erased: an export of them that was imported again."""
    hashes: set[str | None] = set()
    for chunk in _chunks(sorted(versions)):
        texts = await session.scalars(select(MessageVersion.text).where(MessageVersion.id.in_(chunk)))
        hashes |= {text_tombstone(key, text) for text in texts if text is not None}
    hashes.discard(None)
    if not hashes:
        return set()
    query = (
        select(MessageVersion.id, MessageVersion.text)
        .join(ImportedText, ImportedText.version_id == MessageVersion.id)
        .where(MessageVersion.text.is_not(None))
    )
    return {version for version, text in await session.execute(query) if said_again(key, text or "") & hashes}


def _chunks(items: list[int], size: int = 500) -> Iterable[list[int]]:
    # SQLite limits the number of variables in a statement.
    return (items[start : start + size] for start in range(0, len(items), size))
