"""Erases the texts of people who have not agreed after `PARLEY_RETENTION_DAYS`: at the start, and then every day."""

from __future__ import annotations

import asyncio
import logging
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from data.store_errors import StoreError

if TYPE_CHECKING:
    from data.store import Store

log = logging.getLogger(__name__)

DAY = 24 * 60 * 60.0


async def purge(store: Store, days: int) -> int:
    """Erase what is due now; returns the number of erased texts."""
    erased = await store.eraser.purge(datetime.now(UTC) - timedelta(days=days))
    if erased:
        log.info("erased %d texts older than %d days without consent", erased, days)
    return erased


async def purge_daily(store: Store, days: int) -> None:
    """Erase what is due now and every day, until cancelled. After a failure it logs, and tries again the next day."""
    while True:
        try:
            await purge(store, days)
        except StoreError as error:
            log.error("the daily erasure failed: %s", error)
        except Exception:
            log.exception("the daily erasure failed")
        await asyncio.sleep(DAY)
