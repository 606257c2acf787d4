"""The one way to read and write what people said and how they rated it."""

import asyncio
import logging
import secrets
from collections.abc import Callable, Collection, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.dialects.sqlite import insert

from data import consent, erasure, open_answers, schema
from data.access import kept_of
from data.audit_log import Deed, newest_deeds
from data.database import NAME, Database
from data.errors import BadInput
from data.generations import add_generation, find_generation, generation_of, has_answer
from data.home import installation_key, keyed_hash
from data.messages import (
    add_message,
    goes_on,
    message_at,
    messages_down_to,
    newest_versions,
    place_message,
    places_of,
)
from data.migrations import remove_backups
from data.ratings import add_rating, check_rating, has_compared, has_event, preferred_message, vote_now
from data.records import RATING_VALUES, NewGeneration, NewRating, OpenAnswer, StoredGeneration, StoredMessage
from data.scopes import Scope, resolve
from data.settings import OPENED_FOR, forget_left, forget_opened_for, said_anywhere, said_by, say

log = logging.getLogger(__name__)

__all__ = ["RATING_VALUES", "NewGeneration", "NewRating", "OpenAnswer", "Store", "StoredGeneration", "StoredMessage"]


class Store:
    """The installation's memory. Every method is one transaction; when it returns, its change is on disk."""

    def __init__(self, database: Database, key: bytes) -> None:
        self.database = database
        self._key = key
        self.words_in_log = False  # whether erased words may still lie in the write-ahead log

    @classmethod
    async def open(cls, home: Path) -> "Store":
        """Open the memory of an installation, made or migrated as needed."""
        store = cls(await Database.open(home / NAME), installation_key(home))
        async with store.database.read() as session:
            known = await consent.text_holds(session)
        if not known:
            async with store.database.write() as session:
                new = {"version": consent.CONSENT_VERSION}
                await session.execute(insert(schema.ConsentText).values(new).on_conflict_do_nothing())
        return store

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

    async def set_consent(
        self,
        person: int,
        granted: bool,
        text_version: str = consent.CONSENT_VERSION,
        *,
        outside_judge: bool | None = None,
    ) -> None:
        """Record a person's answer to the question whether Parley may train on what they say from now on.

        `outside_judge` is their answer to whether a judge outside this installation may read it too; None when the
        text of that version did not ask.
        """
        async with self.database.write() as session:
            session.add(
                schema.Consent(
                    person_id=person, granted=granted, text_version=text_version, outside_judge=outside_judge
                )
            )

    async def consent(self, person: int) -> bool | None:
        """What the person answered last; None when they were never asked."""
        query = select(schema.Consent.granted).where(schema.Consent.person_id == person)
        async with self.database.read() as session:
            return await session.scalar(query.order_by(schema.Consent.id.desc()).limit(1))

    async def agrees(self, person: int) -> bool:
        """Whether the person's last answer is a yes, to a text that still says all that is done with their words."""
        async with self.database.read() as session:
            return await consent.agrees(session, person)

    async def person_of_pseudonym(self, pseudonym: str) -> int:
        """The person behind a pseudonym as exports and listings show it; `BadInput` when there is none."""
        async with self.database.read() as session:
            found = await session.scalar(select(schema.Person.id).where(schema.Person.pseudonym == pseudonym))
        if found is None:
            raise BadInput(f"There is nobody with the pseudonym {pseudonym!r}. `python -m data stats` lists raters.")
        return found

    # -- conversations --------------------------------------------------------------------------------------------

    async def server(self, platform: str, platform_id: str) -> int:
        """The server of a platform's id, made at first sight."""
        table = schema.Server
        query = select(table.id).where(table.platform == platform, table.platform_id == platform_id)
        async with self.database.write() as session:
            new = {"platform": platform, "platform_id": platform_id}
            await session.execute(insert(table).values(new).on_conflict_do_nothing())
            return (await session.scalars(query)).one()

    async def may_teach(self, platform: str, platform_id: str) -> bool:
        """Whether a server's manager lets its members teach; not until they say so."""
        table = schema.Server
        query = select(table.may_teach).where(table.platform == platform, table.platform_id == platform_id)
        async with self.database.read() as session:
            return bool(await session.scalar(query))

    async def set_may_teach(self, platform: str, platform_id: str, may: bool) -> None:
        """Say whether a server's members may teach."""
        server = await self.server(platform, platform_id)
        async with self.database.write() as session:
            (await session.get_one(schema.Server, server)).may_teach = may

    async def said(self, key: str, chain: Sequence[Scope]) -> dict[Scope, Any]:
        """What each of these places says about a setting, where it says anything."""
        async with self.database.read() as session:
            return await said_by(session, key, chain)

    async def setting(self, key: str, chain: Sequence[Scope], default: Any = None) -> Any:
        """What a setting is in a place, given the chain of places that it lies in, from narrow to wide."""
        return resolve(await self.said(key, chain), chain, default)

    async def set_setting(self, key: str, scope: Scope, value: Any, *, server: int | str | None = None) -> None:
        """Say what a setting is in a place; None leaves it to the wider places again.

        A channel's is forgotten with the `server` that it is on, by its id on the platform.
        """
        async with self.database.write() as session:
            await say(session, key, scope, value, server)

    async def said_anywhere(self, key: str) -> dict[Scope, Any]:
        """What all places say about a setting."""
        async with self.database.read() as session:
            return await said_anywhere(session, key)

    async def set_opened_for(self, thread: str, person: int, server: int | str | None) -> None:
        """Say for whom the bot opened a thread, by its platform's id."""
        await self.set_setting(OPENED_FOR, ("channel", thread), person, server=server)

    async def opened_for(self, thread: str) -> int | None:
        """The person whom the bot opened a thread for; None for other channels, and once that is forgotten."""
        found: int | None = await self.setting(OPENED_FOR, [("channel", thread)])
        return found

    async def change_setting(
        self, key: str, scope: Scope, change: Callable[[Any], Any], *, server: int | str | None = None
    ) -> Any:
        """Make a setting of a place another one from what it is (None where nothing was said); returns the new one.

        What `change` raises leaves it as it was. Two changes at once are made one after the other. See `set_setting`.
        """
        async with self.database.write() as session:
            value = change((await said_by(session, key, [scope])).get(scope))
            await say(session, key, scope, value, server)
        return value

    async def servers_now(self, platform: str, platform_ids: Collection[str]) -> None:
        """Say in which servers the bot is; from those that it is in no longer it is gone since now.

        Who adds it again says again whether members may teach.
        """
        table = schema.Server
        new = [{"platform": platform, "platform_id": each} for each in platform_ids]
        async with self.database.write() as session:
            if new:  # one where nobody talked may have set something all the same
                await session.execute(insert(table).on_conflict_do_nothing(), new)
            for server in await session.scalars(select(table).where(table.platform == platform)):
                if server.platform_id in platform_ids:
                    server.left_at = None
                elif server.left_at is None:
                    server.left_at, server.may_teach = schema.now(), False

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
            return await add_message(
                session, conversation, role, text, author=author, parent=parent, platform_id=platform_id
            )

    async def edit_message(self, platform: str, platform_id: str, text: str) -> StoredMessage | None:
        """Record a message's new text as a new version; None when the message is not known or was erased."""
        async with self.database.write() as session:
            if (old := await message_at(session, platform, platform_id)) is None:
                return None
            if old.text == text:
                return old  # a link preview, say: the words stay as old as they are, for consent and retention too
            session.add(schema.MessageVersion(message_id=old.message, author_id=old.author, text=text))
            await session.flush()
            return await message_at(session, platform, platform_id)

    async def erase_message(self, platform: str, platform_id: str) -> bool:
        """Erase every version of a message that was deleted on its platform, and what was generated from it."""
        async with self.database.write() as session:
            if not await erasure.erase_message(session, platform, platform_id, self._key):
                return False
        await asyncio.to_thread(remove_backups, self.database.path, schema.now())
        await self._fold_log()
        return True

    async def erase_channel(self, platform: str, channel: str) -> int:
        """Erase all that was said in a channel that was deleted, in its threads too; returns how many texts went."""
        async with self.database.write() as session:
            erased = await erasure.erase_channel(session, platform, channel, self._key)
        if erased:
            await asyncio.to_thread(remove_backups, self.database.path, schema.now())
            await self._fold_log()
        return erased

    async def message(self, platform: str, platform_id: str) -> StoredMessage | None:
        """The message that a platform knows by this id; None when it is not known or was erased."""
        async with self.database.read() as session:
            return await message_at(session, platform, platform_id)

    async def whole_question(self, platform: str, platform_id: str) -> StoredMessage | None:
        """The last of the messages that were one question, of which a platform knows the first by this id."""
        async with self.database.read() as session:
            first = await message_at(session, platform, platform_id)
            found = await newest_versions(session, [await goes_on(session, first.message)]) if first else []
            return found[0] if found else first

    async def set_platform_id(self, message: int, platform_id: str) -> None:
        """Say by which platform message a message is seen; several calls for an answer split over several."""
        async with self.database.write() as session:
            await place_message(session, message, platform_id)

    async def places(self, message: int) -> list[str]:
        """By which platform messages a message is seen, the oldest first."""
        async with self.database.read() as session:
            return await places_of(session, message)

    async def path(self, message: int) -> list[StoredMessage]:
        """The messages from a conversation's beginning down to this one, newest versions, erased ones left out."""
        async with self.database.read() as session:
            return await messages_down_to(session, message)

    # -- answers and ratings --------------------------------------------------------------------------------------

    async def add_generation(self, new: NewGeneration) -> StoredGeneration:
        """Record an answer of the model as a message below the one that it answers."""
        async with self.database.write() as session:
            return await add_generation(session, new)

    async def generation(self, generation: int) -> StoredGeneration | None:
        """An answer by its number."""
        async with self.database.read() as session:
            return await find_generation(session, generation)

    async def shown(self, platform: str, platform_id: str) -> StoredGeneration | None:
        """The answer that a platform shows in this message; None when it is none, or not known."""
        async with self.database.read() as session:
            message = await message_at(session, platform, platform_id)
            return await generation_of(session, message.message) if message else None

    async def answered(self, platform: str, platform_id: str) -> bool:
        """Whether the question that a platform knows by this id has an answer."""
        async with self.database.read() as session:
            return await has_answer(session, platform, platform_id)

    async def keep_open(self, answer: OpenAnswer) -> None:
        """Record that an answer is being shown, or where it is shown now; to be closed should this process die."""
        async with self.database.write() as session:
            await open_answers.keep_open(session, answer)

    async def close_answer(self, platform: str, key: str) -> None:
        """Record that an answer is shown whole, or was closed."""
        async with self.database.write() as session:
            await open_answers.close(session, platform, key)

    async def open_answers(self, platform: str) -> list[OpenAnswer]:
        """The answers of a platform that were begun and never closed, the oldest first."""
        async with self.database.read() as session:
            return await open_answers.still_open(session, platform)

    async def rate(self, new: NewRating) -> bool:
        """Record an event of feedback. False when its source id is there already: a repeated click is one event."""
        check_rating(new)
        async with self.database.write() as session:
            return await add_rating(session, new)

    async def rated(self, source_id: str) -> bool:
        """Whether the event of feedback with this source id is recorded."""
        async with self.database.read() as session:
            return await has_event(session, source_id)

    async def vote(self, generation: int, rater: int) -> str | None:
        """What this rater's vote on an answer is now: up, down, or None when there is none or it was taken back."""
        async with self.database.read() as session:
            return await vote_now(session, generation, rater)

    async def compared(self, one: int, other: int, rater: int) -> bool:
        """Whether this rater has said which of two answers is better."""
        async with self.database.read() as session:
            return await has_compared(session, one, other, rater)

    async def preferred(self, message: int, rater: int) -> StoredMessage | None:
        """The answer that this rater preferred when they compared this one with another; None when they did not."""
        async with self.database.read() as session:
            better = await preferred_message(session, message, rater)
            found = await newest_versions(session, [better]) if better is not None else []
            return found[0] if found else None

    # -- forgetting -----------------------------------------------------------------------------------------------

    async def purge(self, older_than: datetime) -> int:
        """Erase the texts without consent that are older than this time; returns how many texts went.

        What servers that left us by then had set goes too: their lists of people, what holds in their channels, the
        personas that they wrote, and these as they were sent to the model; and what their managers did.
        """
        async with self.database.write() as session:
            expired = await erasure.expired_versions(session, older_than)
            erased = await erasure.erase(session, expired, self._key)
            left = await forget_left(session, older_than)
            await open_answers.forget_older(session, older_than)
        await asyncio.to_thread(remove_backups, self.database.path, older_than)
        if erased or left or self.words_in_log:
            await self._fold_log()
        return erased

    async def forget(self, person: int) -> int:
        """Erase all that a person said, their ratings, and the link to their platform id; returns how many texts.

        Answers that were generated from their words go too, since they may repeat them.
        """
        async with self.database.write() as session:
            erased = await erasure.forget(session, person, self._key)
            await forget_opened_for(session, person)
        await asyncio.to_thread(remove_backups, self.database.path, schema.now())
        await self._fold_log()
        return erased

    async def kept_of(self, person: int) -> dict[str, Any]:
        """Everything that is kept of a person, for them to read."""
        async with self.database.read() as session:
            return await kept_of(session, person)

    # -- the audit log --------------------------------------------------------------------------------------------

    async def record_deed(
        self, person: int, deed: str, *, server: int | None = None, **what: str | int | None
    ) -> None:
        """Record what a manager or an operator did. `what` is for names and numbers, never for what people wrote."""
        async with self.database.write() as session:
            session.add(schema.DeedRow(person_id=person, server_id=server, deed=deed, what=what))

    async def deeds(self, server: int | None, limit: int) -> list[Deed]:
        """The newest deeds on one server, or everywhere when it is None, the newest first."""
        async with self.database.read() as session:
            return await newest_deeds(session, server, limit)

    async def _fold_log(self) -> None:
        self.words_in_log = not await self.database.truncate_log()

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

    async def champions(self) -> set[int]:
        """The releases that became the champion at some time."""
        table = schema.ReleaseRow
        async with self.database.read() as session:
            return set(await session.scalars(select(table.number).where(table.promoted_at.is_not(None))))
