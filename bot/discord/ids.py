"""Discord's ids, as the store knows them."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from data.store import Store

PLATFORM = "discord"


async def person_of(store: Store, user: int) -> int:
    """The store's number of a person, by their id on Discord."""
    return await store.person(PLATFORM, str(user))


async def server_of(store: Store, guild: int | None) -> int | None:
    """The store's number of a server, by its id on Discord; None for direct messages."""
    return await store.server(PLATFORM, str(guild)) if guild else None
