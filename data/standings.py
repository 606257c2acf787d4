"""What an operator decided about people's ratings: whom they vouch for, and whose ratings they took out."""

from dataclasses import dataclass
from typing import Literal

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from data.lesson_events import count_again
from data.schema import Standing
from data.times import now

Deed = Literal["vouch", "unvouch", "void", "unvoid"]


@dataclass(frozen=True, slots=True)
class Standings:
    """The people for whom an operator vouches, and those whose ratings an operator took out."""

    vouched: frozenset[int]
    voided: frozenset[int]


async def standings(session: AsyncSession) -> Standings:
    """Who has which standing. Whoever's ratings were taken out is not vouched for, too."""
    rows = (await session.scalars(select(Standing))).all()
    voided = frozenset(row.person_id for row in rows if row.voided_at is not None)
    return Standings(frozenset(row.person_id for row in rows if row.vouched_at is not None) - voided, voided)


async def set_standing(session: AsyncSession, person: int, deed: Deed) -> bool:
    """Do a deed; False when it changes nothing."""
    row = await session.get(Standing, person)
    if row is None:
        row = Standing(person_id=person)
        session.add(row)
    vouched, voided = row.vouched_at, row.voided_at
    match deed:
        case "vouch":
            row.vouched_at = vouched or now()
        case "unvouch":
            row.vouched_at = None
        case "void":
            row.voided_at = voided or now()
            await session.flush()
            await count_again(session)
        case "unvoid":
            row.voided_at = None
    return (vouched, voided) != (row.vouched_at, row.voided_at)
