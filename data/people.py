"""Finds people: by their id on a platform, by their pseudonym, and by the name that an imported row gives them."""

import secrets

from sqlalchemy import select
from sqlalchemy.dialects.sqlite import insert
from sqlalchemy.ext.asyncio import AsyncSession

from data.errors import BadInput
from data.home import keyed_hash
from data.row import IMPORT
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


async def person_named(session: AsyncSession, key: bytes, name: str) -> int:
    """The person with this name: a pseudonym, PLATFORM:ID, or a rater's name in imported rows.

    Raises `BadInput` when there is none.
    """
    found = await _with_pseudonym(session, name)
    if found is None:
        found = await find_person(session, *_account(key, name))
    if found is None:
        raise BadInput(f"There is nobody called {name!r} here. `python -m data raters` lists the people who rated.")
    return found


async def rater_named(session: AsyncSession, key: bytes, name: str) -> str:
    """The pseudonym of the rater whom an imported row names; somebody unknown becomes a person of that name.

    Only a keyed hash of the name is stored.
    """
    person = await _with_pseudonym(session, name) or await add_person(session, *_account(key, name))
    pseudonym: str = (await session.get_one(Person, person)).pseudonym
    return pseudonym


def _account(key: bytes, name: str) -> tuple[str, str]:
    """The platform and the keyed hash of the id that PLATFORM:ID names; a name alone belongs to the imports."""
    platform, colon, number = name.partition(":")
    if not (platform and colon and number):
        platform, number = IMPORT, name
    return platform, keyed_hash(key, "person", platform, number)


async def _with_pseudonym(session: AsyncSession, pseudonym: str) -> int | None:
    found: int | None = await session.scalar(select(Person.id).where(Person.pseudonym == pseudonym))
    return found


async def pseudonyms(session: AsyncSession) -> dict[int, str]:
    """The pseudonym of each person."""
    return dict((await session.execute(select(Person.id, Person.pseudonym))).all())


async def id_hash_of(session: AsyncSession, person: int) -> str | None:
    """The keyed hash of a person's platform id, which changes when they are forgotten; None for an unknown number."""
    found: str | None = await session.scalar(select(Person.id_hash).where(Person.id == person))
    return found
