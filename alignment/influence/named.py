"""Rows as what people gave: the corrections, comparisons, thumbs, imported rows and follow-ups that made them."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from alignment.influence.learnt import Key
from data.candidates import FEEDBACK, FOLLOWUP
from data.collected import FeedbackRow
from data.imported import imported_id
from data.row import Row
from data.row_ids import ratings_behind
from data.schema import ImportedRow, Rating

_KINDS = {"correction": "correction", "comparison": "comparison", "vote": "thumb"}


@dataclass(frozen=True, slots=True)
class Given:
    """Something that people gave, and how much the answer owes to it.

    `numbers` are those of its ratings or of the imported row, empty for a follow-up message; `row` is one of the rows
    that it became, a correction's being two. `at` is when it was given or imported, None where that is not known.
    """

    kind: str
    numbers: tuple[int, ...]
    at: datetime | None
    row: Row
    score: float


async def named(
    session: AsyncSession, key: bytes, rows: Mapping[Key, FeedbackRow], scores: Mapping[Key, float], most: int
) -> list[Given]:
    """What an answer owes most to, at most this many ratings, the largest first; only what made it likelier.

    The scores of rows that the same ratings made are added.
    """
    raters = {rater for each in scores for rater in rows[each].raters}
    behind = await ratings_behind(session, key, raters)
    found: dict[tuple[str, tuple[int, ...], str], Given] = {}
    for each, score in sorted(scores.items(), key=lambda pair: -pair[1]):
        row = rows[each].row
        kind, numbers, at = await _origin(session, row, behind.get(row.id, []))
        own = (kind, numbers, "" if numbers else row.id)
        before = found.get(own)
        found[own] = Given(kind, numbers, at, before.row if before else row, score + (before.score if before else 0))
    ordered = sorted((each for each in found.values() if each.score > 0), key=lambda each: -each.score)
    return ordered[:most]


async def _origin(
    session: AsyncSession, row: Row, ratings: list[Rating]
) -> tuple[str, tuple[int, ...], datetime | None]:
    source = row.extra.get("source")
    if source == FOLLOWUP:
        return "follow-up", (), None
    if source != FEEDBACK:
        same = ImportedRow.source_id == imported_id(row.kind, row.id)
        there = await session.scalar(select(ImportedRow).where(same))
        return ("imported row", (there.id,), there.created_at) if there else ("imported row", (), None)
    # A row may have been made by a correction and by somebody who said the same with a comparison.
    kinds = [each.kind for each in ratings]
    kind = next((kind for kind in _KINDS if kind in kinds), None)
    mine = [each for each in ratings if each.kind == kind]
    if not mine:
        return "rating", (), None
    return _KINDS[str(kind)], tuple(each.id for each in mine), max(each.created_at for each in mine)
