"""Folds in a store, in short names, and sentences that are not alike."""

import asyncio
import random

from sqlalchemy import func, select

from data import schema
from data.anchors import Anchor
from data.folds import assign
from data.store import Store

KEY = b"k" * 32


def sentence(source: random.Random, length: int = 12) -> str:
    return " ".join("".join(source.choices("abcdefghijklmnopqrstuvwxyz", k=6)) for _ in range(length))


SENTENCES = [sentence(random.Random(number)) for number in range(60)]


async def folds(store: Store, *anchors: Anchor | str, key: bytes = KEY) -> list[str | None]:
    wanted = [Anchor(anchor) if isinstance(anchor, str) else anchor for anchor in anchors]
    return await asyncio.to_thread(assign, store.database.path, key, wanted)


async def groups(store: Store) -> int:
    async with store.database.read() as session:
        return (await session.scalars(select(func.count()).select_from(schema.FoldGroup))).one()
