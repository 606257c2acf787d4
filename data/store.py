"""The one way to read and write what people said and how they rated it."""

import asyncio
import hashlib
import secrets
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import delete, select, update
from sqlalchemy.dialects.sqlite import insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased

from data import consent, schema
from data.database import NAME, Database
from data.errors import BadInput
from data.home import installation_key, keyed_hash
from data.migrations import remove_backups

RATING_VALUES: dict[str, tuple[str | None, ...]] = {
    "vote": ("up", "down"),
    "comparison": ("a", "b", "tie", "both_bad"),
    "correction": (None,),
    "report": (None,),
    "retraction": (None,),
    "void": (None,),
}


@dataclass(frozen=True, slots=True)
class StoredMessage:
    """A message's newest version."""

    message: int
    version: int
    conversation: int
    role: str
    text: str
    author: int | None
    parent: int | None
    created_at: datetime


@dataclass(frozen=True, slots=True)
class StoredGeneration:
    """One answer of the model. `text` is empty when it was erased."""

    generation: int
    message: int
    version: int
    conversation: int
    parent: int | None
    release: int
    text: str
    rendered_sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class NewGeneration:
    """An answer to record, with everything that made it.

    `parent` is the message that was answered; `context` the message versions in the order in which they were sent,
    without the system prompt; `finish_reason` one of stop, length, stopped (by a person), error.
    """

    conversation: int
    parent: int
    context: tuple[int, ...]
    system_prompt: str
    rendered_sha256: str
    text: str
    release: int
    sampling: dict[str, Any]
    seed: int
    finish_reason: str
    prompt_tokens: int | None
    completion_tokens: int | None
    first_token_seconds: float | None
    platform: str
    platform_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NewRating:
    """An event of feedback to record. In a comparison, `generation` was shown first (a) and `other` second (b)."""

    source_id: str
    rater: int
    kind: str
    generation: int
    other: int | None = None
    value: str | None = None
    text: str | None = None
    platform: str


class Store:
    """The installation's memory. Every method is one transaction; when it returns, its change is on disk."""

    def __init__(self, database: Database, key: bytes) -> None:
        self.database = database
        self._key = key

    @classmethod
    async def open(cls, home: Path) -> "Store":
        """Open the memory of an installation, made or migrated as needed."""
        return cls(await Database.open(home / NAME), installation_key(home))

    async def close(self) -> None:
        """Close the database."""
        await self.database.close()

    # -- people ---------------------------------------------------------------------------------------------------

    async def person(self, platform: str, platform_id: str) -> int:
        """The person behind a platform's id, made at first sight. Only a keyed hash of the id is stored."""
        id_hash = keyed_hash(self._key, "person", platform, platform_id)
        query = select(schema.Person.id).where(schema.Person.platform == platform, schema.Person.id_hash == id_hash)
        async with self.database.read() as session:
            if (found := await session.scalar(query)) is not None:
                return found
        async with self.database.write() as session:
            new = {"platform": platform, "id_hash": id_hash, "pseudonym": f"person-{secrets.token_hex(6)}"}
            await session.execute(insert(schema.Person).values(new).on_conflict_do_nothing())
            return (await session.scalars(query)).one()

    async def set_consent(self, person: int, granted: bool, text_version: str = consent.CONSENT_VERSION) -> None:
        """Record a person's answer to the question whether Parley may train on what they say from now on."""
        async with self.database.write() as session:
            session.add(schema.Consent(person_id=person, granted=granted, text_version=text_version))

    async def consent(self, person: int) -> bool | None:
        """What the person answered last; None when they were never asked."""
        query = select(schema.Consent.granted).where(schema.Consent.person_id == person)
        async with self.database.read() as session:
            return await session.scalar(query.order_by(schema.Consent.id.desc()).limit(1))

    # -- conversations --------------------------------------------------------------------------------------------

    async def server(self, platform: str, platform_id: str) -> int:
        """The server of a platform's id, made at first sight."""
        table = schema.Server
        query = select(table.id).where(table.platform == platform, table.platform_id == platform_id)
        async with self.database.write() as session:
            new = {"platform": platform, "platform_id": platform_id}
            await session.execute(insert(table).values(new).on_conflict_do_nothing())
            return (await session.scalars(query)).one()

    async def conversation(
        self, platform: str, key: str, *, persona: str, language: str = "en", server: int | None = None
    ) -> int:
        """The conversation that a platform knows by `key`, begun with this persona when there is none yet."""
        table = schema.Conversation
        query = select(table.id).where(table.platform == platform, table.key == key)
        async with self.database.write() as session:
            new = {"platform": platform, "key": key, "persona": persona, "language": language, "server_id": server}
            await session.execute(insert(table).values(new).on_conflict_do_nothing())
            return (await session.scalars(query)).one()

    async def add_message(
        self,
        conversation: int,
        role: str,
        text: str,
        *,
        author: int | None = None,
        parent: int | None = None,
        platform_id: str | None = None,
    ) -> StoredMessage:
        """Record what somebody said, below the message that it follows."""
        async with self.database.write() as session:
            return await _add_message(session, conversation, role, text, author, parent, platform_id)

    async def edit_message(self, platform: str, platform_id: str, text: str) -> StoredMessage | None:
        """Record a message's new text as a new version; None when the message is not known or was erased."""
        async with self.database.write() as session:
            if (old := await _by_platform_id(session, platform, platform_id)) is None:
                return None
            if old.text == text:
                return old  # a link preview, say: the words stay as old as they are, for consent and retention too
            version = schema.MessageVersion(message_id=old.message, author_id=old.author, text=text)
            session.add(version)
            await session.flush()
        return await self.message(platform, platform_id)

    async def erase_message(self, platform: str, platform_id: str) -> bool:
        """Erase every version of a message that was deleted on its platform, and what was generated from it."""
        async with self.database.write() as session:
            place = await session.get(schema.PlatformMessage, (platform, platform_id))
            if place is None:
                return False
            query = select(schema.MessageVersion.id).where(schema.MessageVersion.message_id == place.message_id)
            await consent.erase(session, (await session.scalars(query)).all(), self._key)
            ref = keyed_hash(self._key, "message", platform, platform_id)
            session.add(schema.Tombstone(kind="message", ref_hash=ref, reason="deleted"))
        await self.database.truncate_log()
        return True

    async def message(self, platform: str, platform_id: str) -> StoredMessage | None:
        """The message that a platform knows by this id; None when it is not known or was erased."""
        async with self.database.read() as session:
            return await _by_platform_id(session, platform, platform_id)

    async def set_platform_id(self, message: int, platform_id: str) -> None:
        """Say by which platform message a message is seen; several calls for an answer split over several."""
        async with self.database.write() as session:
            row = await session.get_one(schema.MessageRow, message)
            conversation = await session.get_one(schema.Conversation, row.conversation_id)
            await _place(session, conversation.platform, platform_id, message)

    async def path(self, message: int) -> list[StoredMessage]:
        """The messages from a conversation's beginning down to this one, newest versions, erased ones left out."""
        row = schema.MessageRow
        chain = select(row.id, row.parent_id).where(row.id == message).cte(recursive=True)
        above = aliased(row)
        chain = chain.union_all(select(above.id, above.parent_id).join(chain, above.id == chain.c.parent_id))
        async with self.database.read() as session:
            # A parent is always older than its children, so the ids give the order.
            return await _newest(session, (await session.scalars(select(chain.c.id).order_by(chain.c.id))).all())

    # -- generations ----------------------------------------------------------------------------------------------

    async def add_generation(self, new: NewGeneration) -> StoredGeneration:
        """Record an answer of the model as a message below the one that it answers."""
        async with self.database.write() as session:
            message = await _add_message(
                session, new.conversation, "assistant", new.text, None, new.parent, new.platform_id
            )
            row = schema.Generation(
                conversation_id=new.conversation,
                message_id=message.message,
                version_id=message.version,
                system_prompt_id=await _system_prompt(session, new.system_prompt),
                rendered_sha256=new.rendered_sha256,
                release=new.release,
                sampling=new.sampling,
                seed=new.seed,
                finish_reason=new.finish_reason,
                prompt_tokens=new.prompt_tokens,
                completion_tokens=new.completion_tokens,
                first_token_seconds=new.first_token_seconds,
                platform=new.platform,
            )
            session.add(row)
            await session.flush()
            session.add_all(
                schema.GenerationContext(generation_id=row.id, position=position, version_id=version)
                for position, version in enumerate(new.context)
            )
        return StoredGeneration(
            generation=row.id,
            message=message.message,
            version=message.version,
            conversation=new.conversation,
            parent=new.parent,
            release=new.release,
            text=new.text,
            rendered_sha256=new.rendered_sha256,
        )

    async def generation(self, generation: int) -> StoredGeneration | None:
        """An answer by its number."""
        return await self._generation(schema.Generation.id == generation)

    async def generation_of(self, platform: str, platform_id: str) -> StoredGeneration | None:
        """The answer that a platform shows under this message id."""
        place = select(schema.PlatformMessage.message_id).where(
            schema.PlatformMessage.platform == platform, schema.PlatformMessage.platform_id == platform_id
        )
        return await self._generation(schema.Generation.message_id.in_(place))

    async def _generation(self, condition: Any) -> StoredGeneration | None:
        query = (
            select(schema.Generation, schema.MessageVersion.text, schema.MessageRow.parent_id)
            .join(schema.MessageVersion, schema.MessageVersion.id == schema.Generation.version_id)
            .join(schema.MessageRow, schema.MessageRow.id == schema.Generation.message_id)
            .where(condition)
        )
        async with self.database.read() as session:
            found = (await session.execute(query)).first()
        if found is None:
            return None
        row, text, parent = found
        return StoredGeneration(
            generation=row.id,
            message=row.message_id,
            version=row.version_id,
            conversation=row.conversation_id,
            parent=parent,
            release=row.release,
            text=text or "",
            rendered_sha256=row.rendered_sha256,
        )

    # -- ratings --------------------------------------------------------------------------------------------------

    async def rate(self, new: NewRating) -> bool:
        """Record an event of feedback. False when its source id is there already: a repeated click is one event."""
        if new.value not in RATING_VALUES.get(new.kind, ()):
            raise BadInput(f"A rating of kind {new.kind!r} cannot have the value {new.value!r}.")
        if new.kind == "comparison" and new.other is None:
            raise BadInput("A comparison needs two answers.")
        if new.other == new.generation:
            raise BadInput("An answer cannot be compared with itself.")
        if new.kind == "correction" and not (new.text or "").strip():
            raise BadInput("A correction needs the corrected answer.")
        async with self.database.write() as session:
            known = select(schema.Rating.id).where(schema.Rating.source_id == new.source_id)
            if await session.scalar(known) is not None:
                return False
            version = None
            if new.text:
                version = schema.MessageVersion(author_id=new.rater, text=new.text)
                session.add(version)
                await session.flush()
            session.add(
                schema.Rating(
                    source_id=new.source_id,
                    rater_id=new.rater,
                    kind=new.kind,
                    generation_id=new.generation,
                    other_id=new.other,
                    value=new.value,
                    text_version_id=version.id if version else None,
                    platform=new.platform,
                )
            )
            return True

    async def vote(self, generation: int, rater: int) -> str | None:
        """What this rater's vote on an answer is now: up, down, or None when there is none or it was taken back."""
        table = schema.Rating
        query = (
            select(table.kind, table.value)
            .where(table.generation_id == generation)
            .where(
                (table.rater_id == rater) & table.kind.in_(("vote", "retraction"))
                | (table.kind == "void")  # by a moderator, for everybody
            )
            .order_by(table.id.desc())
            .limit(1)
        )
        async with self.database.read() as session:
            newest = (await session.execute(query)).first()
        return newest.value if newest is not None and newest.kind == "vote" else None

    # -- forgetting -----------------------------------------------------------------------------------------------

    async def purge(self, older_than: datetime) -> int:
        """Erase the texts without consent that are older than this time; returns how many texts went."""
        async with self.database.write() as session:
            expired = await consent.expired_versions(session, older_than)
            erased = await consent.erase(session, expired, self._key)
        await asyncio.to_thread(remove_backups, self.database.path, older_than)
        if erased:
            await self.database.truncate_log()
        return erased

    async def forget(self, person: int) -> int:
        """Erase all that a person said, their ratings, and the link to their platform id; returns how many texts.

        Answers that were generated from their words go too, since they may repeat them.
        """
        async with self.database.write() as session:
            row = await session.get_one(schema.Person, person)
            query = select(schema.MessageVersion.id).where(schema.MessageVersion.author_id == person)
            erased = await consent.erase(session, (await session.scalars(query)).all(), self._key)
            await session.execute(delete(schema.Rating).where(schema.Rating.rater_id == person))
            session.add(schema.Tombstone(kind="person", ref_hash=row.id_hash, reason="forgotten"))
            session.add(schema.Consent(person_id=person, granted=False, text_version=consent.CONSENT_VERSION))
            # Who comes back is a new person to us, who was never asked anything.
            row.id_hash = secrets.token_hex(32)
        await asyncio.to_thread(remove_backups, self.database.path, schema.now())
        await self.database.truncate_log()
        return erased

    async def person_of_pseudonym(self, pseudonym: str) -> int:
        """The person behind a pseudonym as exports and listings show it; `BadInput` when there is none."""
        async with self.database.read() as session:
            found = await session.scalar(select(schema.Person.id).where(schema.Person.pseudonym == pseudonym))
        if found is None:
            raise BadInput(f"There is nobody with the pseudonym {pseudonym!r}. `python -m data stats` lists raters.")
        return found

    # -- releases -------------------------------------------------------------------------------------------------

    async def add_release(self, number: int, base: str, manifest_sha256: str) -> None:
        """Record that a round wrote a release."""
        async with self.database.write() as session:
            new = {"number": number, "base": base, "manifest_sha256": manifest_sha256}
            await session.execute(insert(schema.ReleaseRow).values(new).on_conflict_do_nothing())

    async def promoted(self, number: int) -> None:
        """Record that a release became the champion."""
        table = schema.ReleaseRow
        async with self.database.write() as session:
            await session.execute(update(table).where(table.number == number).values(promoted_at=schema.now()))


async def _add_message(
    session: AsyncSession,
    conversation: int,
    role: str,
    text: str,
    author: int | None,
    parent: int | None,
    platform_id: str | None,
) -> StoredMessage:
    row = schema.MessageRow(conversation_id=conversation, role=role, author_id=author, parent_id=parent)
    session.add(row)
    await session.flush()
    version = schema.MessageVersion(message_id=row.id, author_id=author, text=text)
    session.add(version)
    if platform_id is not None:
        platform = (await session.get_one(schema.Conversation, conversation)).platform
        await _place(session, platform, platform_id, row.id)
    await session.flush()
    return StoredMessage(row.id, version.id, conversation, role, text, author, parent, version.created_at)


async def _place(session: AsyncSession, platform: str, platform_id: str, message: int) -> None:
    new = {"platform": platform, "platform_id": platform_id, "message_id": message}
    await session.execute(insert(schema.PlatformMessage).values(new).on_conflict_do_nothing())


async def _by_platform_id(session: AsyncSession, platform: str, platform_id: str) -> StoredMessage | None:
    place = await session.get(schema.PlatformMessage, (platform, platform_id))
    found = await _newest(session, [place.message_id]) if place else []
    return found[0] if found else None


async def _newest(session: AsyncSession, messages: Collection[int]) -> list[StoredMessage]:
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


async def _system_prompt(session: AsyncSession, text: str) -> int:
    sha256 = hashlib.sha256(text.encode()).hexdigest()
    table = schema.SystemPrompt
    await session.execute(insert(table).values(sha256=sha256, text=text).on_conflict_do_nothing())
    return (await session.scalars(select(table.id).where(table.sha256 == sha256))).one()
