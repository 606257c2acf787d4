"""The rows that may be trained on, for the operator's tools: what `python -m data export` writes."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from data.imports import collect_rows
from data.rows import EXPORTED, for_others, line

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from bot.web.site import Site
    from data.rows import Row

_AT_ONCE = 200  # rows that are read and written without a break


async def rows_of(site: Site, kind: str, fold: str | None) -> Sequence[Row]:
    """The rows of a kind (as they are exported) and a fold, None for all folds."""
    permission = site.settings.discord_training_permission
    collected = await collect_rows(site.store, discord_permission=permission)
    return collected.of(EXPORTED[kind], fold)


async def lines(rows: Sequence[Row]) -> AsyncIterator[bytes]:
    """The rows as lines of JSON, some at a time, read in a thread."""
    for start in range(0, len(rows), _AT_ONCE):
        yield await asyncio.to_thread(_some, rows, start)


def _some(rows: Sequence[Row], start: int) -> bytes:
    return b"".join(line(for_others(row)) for row in rows[start : start + _AT_ONCE])
