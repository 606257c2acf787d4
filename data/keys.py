"""Which key a database was made with: its fingerprint lies in the database, and another key is noticed and refused.

With another key nobody would be recognised: people would be asked anew, what they withdraw would not be found, and
rows would move between training and judging. So nothing is written until the operator puts the right key back, or
accepts the loss (`python -m data key`).
"""

import sqlite3
from contextlib import closing
from pathlib import Path

from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncSession

from data.consent import CONSENT_VERSION
from data.home import KEY, KeyLost, keyed_hash
from data.openings import note_openings
from data.schema import Consent, FoldGroup, FoldMember, History, KeyPrint, Person


def key_print(key: bytes) -> str:
    """A fingerprint of a key. It tells nothing about the key."""
    return keyed_hash(key, "fingerprint")


async def is_known(session: AsyncSession, key: bytes, folder: Path) -> bool:
    """Whether the database was made with this key; False for a new database, which knows none yet.

    Raises `KeyLost` when it was made with another key; `folder` is where the key lies.
    """
    known = await session.scalar(select(KeyPrint.fingerprint))
    if known not in (None, key_print(key)):
        raise KeyLost(f"{folder / KEY} is another key than the one that the database beside it was made with")
    return known is not None


def fits(database: Path, key: bytes) -> bool:
    """Whether a database may have been made with this key; True where it cannot say. It changes nothing."""
    try:
        with closing(sqlite3.connect(f"{database.absolute().as_uri()}?mode=ro", uri=True)) as connection:
            known = connection.execute("SELECT fingerprint FROM key_print").fetchone()
    except sqlite3.DatabaseError:  # damaged, of an earlier version, or not there
        return True
    return known is None or known[0] == key_print(key)


async def note_key(session: AsyncSession, key: bytes) -> None:
    """Record that the database belongs to this key."""
    await session.execute(delete(KeyPrint))
    session.add(KeyPrint(fingerprint=key_print(key)))


async def accept_key(session: AsyncSession, key: bytes) -> int:
    """Go on with another key; returns how many people nobody can recognise from now on.

    What they agreed to is void, because they could not take it back: their texts are erased like those of people who
    never agreed. Folds are drawn anew, since no text is recognised by its old fingerprint, and two prompts are known
    as equal only if both were answered with the same key.
    """
    people = list(await session.scalars(select(Person)))
    for person in people:
        session.add(Consent(person_id=person.id, granted=False, text_version=CONSENT_VERSION))
    await session.execute(delete(FoldMember))
    await session.execute(delete(FoldGroup))
    await session.execute(delete(History))
    await note_openings(session, key)
    await note_key(session, key)
    return len(people)
