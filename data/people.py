"""Finds people: by their id on a platform, and by their pseudonym."""

import secrets

from sqlalchemy import select
from sqlalchemy.dialects.sqlite import insert
from sqlalchemy.ext.asyncio import AsyncSession

from data.errors import BadInput
from data.schema import Person


async def find_person(session: AsyncSession, platform: str, id_hash: str) -> int | None:
    """The person with this keyed hash of their platform id; None when they are new."""
    query = select(Person.id).where(Person.platform == platform, Person.id_hash == id_hash)
    found: int | None = await session.scalar(query)
    return found


async def add_person(session: AsyncSession, platform: str, id_hash: str) -> int:
    """Write a person under a random pseudonym, unless another process did so first."""
    new = {"platform": platform, "id_hash": id_hash, "pseudonym": f"person-{secrets.token_hex(6)}"}
    await session.execute(insert(Person).values(new).on_conflict_do_nothing())
    found = await find_person(session, platform, id_hash)
    assert found is not None
    return found


async def person_of_pseudonym(session: AsyncSession, pseudonym: str) -> int:
    """The person with this pseudonym; `BadInput` when there is none."""
    found: int | None = await session.scalar(select(Person.id).where(Person.pseudonym == pseudonym))
    if found is None:
        raise BadInput(f"There is nobody with the pseudonym {pseudonym!r}. `python -m data stats` lists raters.")
    return found


async def pseudonyms(session: AsyncSession) -> dict[int, str]:
    """The pseudonym of each person."""
    return dict((await session.execute(select(Person.id, Person.pseudonym))).all())
