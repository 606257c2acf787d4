"""The rows that a store gives, in the short forms that tests compare."""

from typing import Any

from data.datasets import Collected
from data.imports import collect_rows
from data.store import Store
from tests.data.talk import SYSTEM

HEAD = {"role": "system", "content": SYSTEM}


def user(text: str) -> dict[str, str]:
    return {"role": "user", "content": text}


def model(text: str) -> dict[str, str]:
    return {"role": "assistant", "content": text}


def prompt(text: str) -> list[dict[str, str]]:
    return [HEAD, user(text)]


async def rows(store: Store, permission: str | None = None) -> Collected:
    return await collect_rows(store, discord_permission=permission)


def data(collected: Collected, kind: str) -> list[dict[str, Any]]:
    return [row.data for row in collected.of(kind)]


def dropped(collected: Collected) -> dict[str, dict[str, int]]:
    return collected.dropped_counts()
