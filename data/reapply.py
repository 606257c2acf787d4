"""Does again, in a restored database, what people asked for after the backup was made.

The home that is replaced knows it: which texts were erased, who was forgotten, who took their consent back, and which
keys of the API were closed. Both databases are of one installation, so a text and a person have the same number in
both. A home that is gone can tell nothing: then the operator forgets the same people again by hand.
"""

import contextlib
import sqlite3
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import select

from data import erasure
from data.database import NAME
from data.home import KEY, installation_key
from data.persona_texts import blank
from data.schema import ApiKeyRow, MessageVersion, Person, SystemPrompt
from data.store import Store
from data.times import now

_REFUSED = """
    SELECT person_id FROM consents WHERE NOT granted AND id IN (SELECT max(id) FROM consents GROUP BY person_id)
"""


@dataclass(frozen=True, slots=True)
class Reapplied:
    """How much was erased again: texts, people who were forgotten, consents that were taken back.

    `readable` is False when the home that was replaced cannot tell.
    """

    texts: int = 0
    people: int = 0
    consents: int = 0
    readable: bool = True


@dataclass(frozen=True, slots=True)
class _Asked:
    """What a database knows: its erased texts and prompts, people by number, and the last answers that were a no.

    `keys` are the hashes of the secrets that open the API; None in a database from before there was one.
    """

    texts: dict[int, str]
    prompts: set[int]
    people: dict[int, tuple[str, str]]
    refused: set[int]
    keys: set[str] | None


async def reapply(restored: Path, before: Path) -> Reapplied:
    """Erase in a restored home what was erased in the one before, as far as that can be read."""
    try:
        same = (restored / KEY).read_bytes() == (before / KEY).read_bytes()
        asked = _asked(before / NAME)
    except (OSError, sqlite3.Error):
        return Reapplied(readable=False)
    if not same:  # another installation's home: its numbers mean other texts
        return Reapplied(readable=False)
    store = await Store.open(restored)
    try:
        return await _apply(store, asked)
    finally:
        await store.close()


def _asked(database: Path) -> _Asked:
    address = f"{database.absolute().as_uri()}?mode=rw"
    with contextlib.closing(sqlite3.connect(address, uri=True, timeout=30)) as old:
        texts = old.execute("SELECT id, created_at FROM message_versions WHERE text IS NULL").fetchall()
        prompts = old.execute("SELECT id FROM system_prompts WHERE text = ''").fetchall()
        people = old.execute("SELECT id, pseudonym, id_hash FROM people").fetchall()
        refused = old.execute(_REFUSED).fetchall()
        there = old.execute("SELECT 1 FROM sqlite_master WHERE name = 'api_keys'").fetchone()
        keys = (
            old.execute("SELECT secret_sha256 FROM api_keys WHERE revoked_at IS NULL").fetchall() if there else None
        )
    return _Asked(
        {number: str(at) for number, at in texts},
        {number for (number,) in prompts},
        {number: (name, id_hash) for number, name, id_hash in people},
        {number for (number,) in refused},
        None if keys is None else {secret for (secret,) in keys},
    )


async def _apply(store: Store, asked: _Asked) -> Reapplied:
    async with store.database.read() as session:
        versions = await session.execute(
            select(MessageVersion.id, MessageVersion.created_at).where(MessageVersion.text.is_not(None))
        )
        gone = [number for number, at in versions if _stored(at) == asked.texts.get(number)]
        people = {one.id: one for one in await session.scalars(select(Person))}
    forgotten = [
        number
        for number, one in people.items()
        if number in asked.people
        and asked.people[number][0] == one.pseudonym
        and asked.people[number][1] != one.id_hash
    ]
    texts = sum([await store.eraser.forget(person) for person in forgotten])
    async with store.database.write() as session:
        texts += await erasure.erase(session, gone, installation_key(store.database.path.parent))
        for prompt in await session.scalars(select(SystemPrompt).where(SystemPrompt.text != "")):
            if prompt.id in asked.prompts:
                blank(prompt)
        for key in await session.scalars(select(ApiKeyRow).where(ApiKeyRow.revoked_at.is_(None))):
            if asked.keys is not None and key.secret_sha256 not in asked.keys:
                key.revoked_at = now()
    consents = 0
    for person in asked.refused - set(forgotten):
        if person in people and people[person].pseudonym == asked.people[person][0] and await store.consent(person):
            await store.set_consent(person, False)
            consents += 1
    await store.database.truncate_log()
    return Reapplied(texts, len(forgotten), consents)


def _stored(at: object) -> str:
    """A time as SQLite holds it."""
    return f"{at:%Y-%m-%d %H:%M:%S.%f}"
