"""The review queue as a bot asks for it: beside its event loop (`data.beside`)."""

from __future__ import annotations

import asyncio
import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from data.beside import in_process, is_small
from data.database import NAME
from data.home import installation_key
from data.review import Filters, NoSuchPage, NoSuchRow, Page

if TYPE_CHECKING:
    from pathlib import Path


async def review_beside(home: Path, filters: Filters, page: int, *, discord_permission: str | None) -> Page:
    """A page of the queue, beside this event loop. Raises `NoSuchPage`, or a `ParleyError` when that fails."""
    if await asyncio.to_thread(is_small, home):
        from data.review_rows import review  # it loads numpy, and the bot should start without it

        path, key = home / NAME, installation_key(home)
        return await asyncio.to_thread(review, path, key, filters, page, discord_permission=discord_permission)
    found = await _asked(home, discord_permission, filters=asdict(filters), page=page)
    if "missing" in found:
        raise NoSuchPage(found["missing"])
    return Page.from_json(found["found"])


async def answers_beside(home: Path, row: str, *, discord_permission: str | None) -> list[int]:
    """The answers whose ratings make a row of the queue, likewise. Raises `NoSuchRow`."""
    if await asyncio.to_thread(is_small, home):
        from data.review_rows import answers_behind  # the same

        path, key = home / NAME, installation_key(home)
        return await asyncio.to_thread(answers_behind, path, key, row, discord_permission=discord_permission)
    found = await _asked(home, discord_permission, row=row)
    if "missing" in found:
        raise NoSuchRow(found["missing"])
    answers: list[int] = found["found"]
    return answers


async def _asked(home: Path, permission: str | None, **more: Any) -> dict[str, Any]:
    asked = {"home": str(home), "discord_permission": permission, **more}
    found: dict[str, Any] = json.loads(await in_process("data.review_rows", asked, f"The review queue of {home}"))
    return found
