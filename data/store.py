"""The one way to read and write what people said and how they rated it: each method is one transaction.

What a transaction does is in the file of its subject; the store opens the session. Erasing takes several transactions
(`Store.eraser`), and lessons have a part of their own (`Store.lessons`).
"""

import asyncio
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.dialects.sqlite import insert

from data import (
    consent,
    keys,
    lesson_events,
    messages,
    open_answers,
    people,
    ratings,
    schema,
    servers,
    settings,
)
from data.access import kept_of
from data.api_keys import ApiKeys
from data.audit_log import AuditEntry, newest_entries
from data.database import NAME, Database
from data.eraser import Eraser
from data.generations import add_generation, find_generation, generation_of, has_answer, was_given
from data.histories import Histories
from data.home import installation_key, keyed_hash
from data.lesson_book import LessonBook
from data.records import (
    RATING_VALUES,
    NewGeneration,
    NewRating,
    OpenAnswer,
    StoredGeneration,
    StoredMessage,
    StoredRating,
)
from data.scopes import Scope, resolve
from data.tidy import tidy
from data.times import now

__all__ = [
    "RATING_VALUES",
    "NewGeneration",
    "NewRating",
    "OpenAnswer",
    "Store",
    "StoredGeneration",
    "StoredMessage",
    "StoredRating",
]


class Store:
    """All that an installation stores. Every method is one transaction; when it returns, its change is on disk."""

    def __init__(self, database: Database, key: bytes) -> None:
        self.database = database
        self._key = key
        self.lessons = LessonBook(database)
        self.eraser = Eraser(database, key, self.lessons)
        self.api_keys = ApiKeys(database)
        self.histories = Histories(database, key)

    @classmethod
    async def open(cls, home: Path) -> "Store":
        """Open an installation's store; it is made or migrated as needed, and the home is put in order.

        Raises `KeyLost` when its key is not the one that the database was made with.
        """
        key = installation_key(home)  # before the database: it is drawn only where there is none
        store = cls(await Database.open(home / NAME), key)
        try:
            await store._begin(home)
        except BaseException:
            await store.close()
            raise
        await asyncio.to_thread(tidy, home)
        return store

    async def _begin(self, home: Path) -> None:
        async with self.database.read() as session:
            known = await keys.is_known(session, self._key, home)
            holds = await consent.text_holds(session)
        if known and holds:
            return
        async with self.database.write() as session:
            if not await keys.is_known(session, self._key, home):
                await keys.note_key(session, self._key)
            await consent.record_text(session)

    async def close(self) -> None:
        """Close the database."""
        await self.eraser.close()
        await self.database.close()

    # -- people ---------------------------------------------------------------------------------------------------

    async def person(self, platform: str, platform_id: str) -> int:
        """The person with this id on a platform, made at first sight. Only a keyed hash of the id is stored."""
        id_hash = keyed_hash(self._key, "person", platform, platform_id)
        async with self.database.read() as session:
            found = await people.find_person(session, platform, id_hash)
        if found is not None:
            return found
        async with self.database.write() as session:
            return await people.add_person(session, platform, id_hash)

    async def person_named(self, name: str) -> int:
        """The person with this name: a pseudonym, PLATFORM:ID, or a rater's name in imported rows.

        Raises `BadInput` when there is none.
        """
        async with self.database.read() as session:
            return await people.person_named(session, self._key, name)

    async def id_hash_of(self, person: int) -> str | None:
        """The keyed hash of a person's platform id, which changes when they are forgotten."""
        async with self.database.read() as session:
            return await people.id_hash_of(session, person)

    async def set_consent(
        self,
        person: int,
        granted: bool,
        text_version: str = consent.CONSENT_VERSION,
        *,
        outside_judge: bool | None = None,
    ) -> None:
        """Record a person's answer to the question whether Parley may train on what they say from now on.

        `outside_judge` is their answer to whether a judge outside this installation may read it too; None when that
        version of the text did not ask.
        """
        new = {"granted": granted, "text_version": text_version, "outside_judge": outside_judge}
        async with self.database.write() as session:
            at = await consent.begins_now(session, person)
            session.add(schema.Consent(person_id=person, at=at, **new))

    async def consent(self, person: int) -> bool | None:
        """The person's last answer to the consent question; None when they were never asked."""
        async with self.database.read() as session:
            last = await consent.last_answer(session, person)
            return None if last is None else last.granted

    async def agrees(self, person: int) -> bool:
        """Whether the person's last answer is a yes, to a text that still describes all that is done."""
        async with self.database.read() as session:
            return await consent.agrees(session, person)

    async def kept_of(self, person: int) -> dict[str, Any]:
        """Everything that is stored about a person, for them to read."""
        async with self.database.read() as session:
            return await kept_of(session, person)

    # -- servers and conversations --------------------------------------------------------------------------------

    async def server(self, platform: str, platform_id: str) -> int:
        """The server with this id on a platform, made at first sight."""
        async with self.database.read() as session:
            found = await servers.find_server(session, platform, platform_id)
        if found is not None:
            return found
        async with self.database.write() as session:
            return (await servers.server_of(session, platform, platform_id)).id

    async def servers_now(self, platform: str, platform_ids: Collection[str]) -> None:
        """Record that the bot is on exactly these servers now; it has left all others.

        When a server adds the bot again, its manager decides again whether members may teach.
        """
        async with self.database.write() as session:
            await servers.set_servers(session, platform, platform_ids)

    async def may_teach(self, platform: str, platform_id: str) -> bool:
        """Whether a server's manager lets its members teach; False until they allow it."""
        async with self.database.read() as session:
            return await servers.may_teach(session, platform, platform_id)

    async def set_may_teach(self, platform: str, platform_id: str, may: bool) -> None:
        """Set whether a server's members may teach."""
        async with self.database.write() as session:
            (await servers.server_of(session, platform, platform_id)).may_teach = may

    async def conversation(
        self, platform: str, key: str, *, persona: str, language: str = "en", server: int | None = None
    ) -> int:
        """The conversation with this `key` on a platform, begun with this persona when it is new."""
        more = {"persona": persona, "language": language}
        async with self.database.write() as session:
            return await servers.conversation_of(session, platform, key, **more, server=server)

    # -- settings -------------------------------------------------------------------------------------------------

    async def said(self, key: str, chain: Sequence[Scope]) -> dict[Scope, Any]:
        """A setting's values in those of these places that have one."""
        async with self.database.read() as session:
            return await settings.values_at(session, key, chain)

    async def said_anywhere(self, key: str) -> dict[Scope, Any]:
        """A setting's values in all places that have one."""
        async with self.database.read() as session:
            return await settings.all_values(session, key)

    async def setting(self, key: str, chain: Sequence[Scope], default: Any = None) -> Any:
        """A setting's value in a place; `chain` lists the places around it, from the most specific to the widest."""
        return resolve(await self.said(key, chain), chain, default)

    async def set_setting(self, key: str, scope: Scope, value: Any, *, server: int | str | None = None) -> None:
        """Set a setting in a place; with None, the wider places decide again.

        A channel's setting is forgotten together with `server`, the platform's id of the server that it is on.
        """
        async with self.database.write() as session:
            await settings.set_value(session, key, scope, value, server)

    async def change_setting(
        self, key: str, scope: Scope, change: Callable[[Any], Any], *, server: int | str | None = None
    ) -> Any:
        """Set a setting to what `change` makes of its value (None where there is none); returns the new value.

        If `change` raises, nothing changes. Concurrent changes are made one after the other. See `set_setting`.
        """
        async with self.database.write() as session:
            value = change((await settings.values_at(session, key, [scope])).get(scope))
            await settings.set_value(session, key, scope, value, server)
        return value

    async def set_opened_for(self, thread: str, person: int, server: int | str | None) -> None:
        """Record for whom the bot opened a thread (the platform's id)."""
        await self.set_setting(settings.OPENED_FOR, ("channel", thread), person, server=server)

    async def opened_for(self, thread: str) -> int | None:
        """The person for whom the bot opened a thread; None for other channels, and when that was forgotten."""
        found: int | None = await self.setting(settings.OPENED_FOR, [("channel", thread)])
        return found

    # -- messages -------------------------------------------------------------------------------------------------

    async def add_message(
        self,
        conversation: int,
        role: str,
        text: str,
        *,
        author: int | None = None,
        parent: int | None = None,
        platform_id: str | None = None,
        unknown: bool = False,
    ) -> StoredMessage:
        """Record what somebody said, below the message that it follows.

        `unknown`: the author only sent it, and who wrote it is not known. Then it never trains anything, and it goes
        when its author is forgotten.
        """
        place = {"author": author, "parent": parent}
        async with self.database.write() as session:
            return await messages.add_message(
                session, conversation, role, text, **place, platform_id=platform_id, unknown=unknown
            )

    async def edit_message(self, platform: str, platform_id: str, text: str) -> StoredMessage | None:
        """Record a message's new text as a new version; None when the message is unknown or was erased."""
        async with self.database.write() as session:
            return await messages.edit_message(session, platform, platform_id, text)

    async def message(self, platform: str, platform_id: str) -> StoredMessage | None:
        """The message with this id on a platform; None when it is unknown or was erased."""
        async with self.database.read() as session:
            return await messages.message_at(session, platform, platform_id)

    async def whole_question(self, platform: str, platform_id: str) -> StoredMessage | None:
        """The last of the messages that together are one question; the platform's id is that of the first."""
        async with self.database.read() as session:
            first = await messages.message_at(session, platform, platform_id)
            if first is None:
                return None
            return await messages.newest_version(session, await messages.goes_on(session, first.message)) or first

    async def set_platform_id(self, message: int, platform_id: str) -> None:
        """Record the platform's message that shows a message; call it once for each part of a split answer."""
        async with self.database.write() as session:
            await messages.place_message(session, message, platform_id)

    async def places(self, message: int) -> list[str]:
        """The ids of the platform's messages that show a message, the oldest first."""
        async with self.database.read() as session:
            return await messages.places_of(session, message)

    async def path(self, message: int) -> list[StoredMessage]:
        """The messages from a conversation's beginning down to this one, newest versions, without erased ones."""
        async with self.database.read() as session:
            return await messages.messages_down_to(session, message)

    # -- answers --------------------------------------------------------------------------------------------------

    async def add_generation(self, new: NewGeneration) -> StoredGeneration:
        """Record an answer of the model as a message below the one that it answers."""
        async with self.database.write() as session:
            return await add_generation(session, self._key, new)

    async def generation(self, generation: int) -> StoredGeneration | None:
        """An answer by its number."""
        async with self.database.read() as session:
            return await find_generation(session, generation)

    async def shown(self, platform: str, platform_id: str) -> StoredGeneration | None:
        """The answer that this message of a platform shows; None when the message is unknown or not an answer."""
        async with self.database.read() as session:
            message = await messages.message_at(session, platform, platform_id)
            return await generation_of(session, message.message) if message else None

    async def was_given(self, generation: int, version: int) -> bool:
        """Whether a text was in what the model was given for an answer."""
        async with self.database.read() as session:
            return await was_given(session, generation, version)

    async def answered(self, platform: str, platform_id: str) -> bool:
        """Whether the question with this id on a platform has an answer."""
        async with self.database.read() as session:
            return await has_answer(session, platform, platform_id)

    async def keep_open(self, answer: OpenAnswer) -> None:
        """Record that an answer is being shown, and where, so that it can be closed if this process dies."""
        async with self.database.write() as session:
            await open_answers.keep_open(session, answer)

    async def close_answer(self, platform: str, key: str) -> None:
        """Record that an answer is complete or was closed."""
        async with self.database.write() as session:
            await open_answers.close(session, platform, key)

    async def open_answers(self, platform: str) -> list[OpenAnswer]:
        """A platform's answers that were begun and never closed, the oldest first."""
        async with self.database.read() as session:
            return await open_answers.still_open(session, platform)

    # -- ratings --------------------------------------------------------------------------------------------------

    async def rate(self, new: NewRating) -> bool:
        """Record a rating. False when its source id is known already: a repeated click is one event."""
        ratings.check_rating(new)
        async with self.database.write() as session:
            added = await ratings.add_rating(session, new)
            if added:
                await lesson_events.follow(session, new)
            return added

    async def rated(self, source_id: str) -> bool:
        """Whether the rating with this source id is recorded."""
        async with self.database.read() as session:
            return await ratings.has_event(session, source_id)

    async def rating(self, source_id: str) -> StoredRating | None:
        """The rating with this source id; None when there is none."""
        async with self.database.read() as session:
            return await ratings.find_rating(session, source_id)

    async def rated_as(self, kind: str, generation: int, rater: int, other: int | None = None) -> str | None:
        """The source id of this rater's newest rating of a kind about an answer, or about two; None without one."""
        async with self.database.read() as session:
            return await ratings.source_of(session, kind, generation, rater, other)

    async def vote(self, generation: int, rater: int) -> str | None:
        """This rater's current vote on an answer: up, down, or None when there is none or it was taken back."""
        async with self.database.read() as session:
            return await ratings.vote_now(session, generation, rater)

    async def compared(self, one: int, other: int, rater: int) -> bool:
        """Whether this rater has compared two answers."""
        async with self.database.read() as session:
            return await ratings.has_compared(session, one, other, rater)

    async def took_back(self, one: int, other: int, rater: int) -> bool:
        """Whether this rater took their comparison of two answers back, given in the order of showing."""
        async with self.database.read() as session:
            return await ratings.has_taken_back(session, one, other, rater)

    async def preferred(self, message: int, rater: int) -> StoredMessage | None:
        """The answer that this rater preferred when they compared this one with another; None when they did not."""
        async with self.database.read() as session:
            better = await ratings.preferred_message(session, message, rater)
            return None if better is None else await messages.newest_version(session, better)

    # -- the audit log --------------------------------------------------------------------------------------------

    async def record_deed(
        self, person: int, deed: str, *, server: int | None = None, **what: str | int | None
    ) -> None:
        """Record what a manager or an operator did. `what` is for names and numbers, never for people's texts."""
        async with self.database.write() as session:
            session.add(schema.AuditRow(person_id=person, server_id=server, deed=deed, what=what))

    async def deeds(self, server: int | None, limit: int) -> list[AuditEntry]:
        """The newest entries of one server's audit log, or of all when `server` is None; the newest first."""
        async with self.database.read() as session:
            return await newest_entries(session, server, limit)

    # -- releases -------------------------------------------------------------------------------------------------

    async def add_release(self, number: int, base: str, manifest_sha256: str) -> None:
        """Record that a round wrote a release."""
        new = {"number": number, "base": base, "manifest_sha256": manifest_sha256}
        async with self.database.write() as session:
            await session.execute(insert(schema.ReleaseRow).values(new).on_conflict_do_nothing())

    async def promoted(self, number: int) -> None:
        """Record that a release became the champion."""
        table = schema.ReleaseRow
        async with self.database.write() as session:
            await session.execute(update(table).where(table.number == number).values(promoted_at=now()))

    async def champions(self) -> set[int]:
        """The releases that have been champion at some time."""
        table = schema.ReleaseRow
        async with self.database.read() as session:
            return set(await session.scalars(select(table.number).where(table.promoted_at.is_not(None))))
