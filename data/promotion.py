"""How a release becomes the champion, whoever decides it: the pointer moves, and the store knows when."""

import asyncio
from pathlib import Path

from data.releases import BASE_RELEASE, Releases
from data.store import Store


async def promote(store: Store, releases: Releases, number: int, *, instead_of: int | None = None) -> None:
    """Make a release the champion; 0 goes back to the base model. Running bots take it over by themselves.

    `instead_of` is the champion to replace. Raises `Superseded` when another one serves by now, and `BadInput` when
    there is no such release.
    """
    await asyncio.to_thread(releases.promote, number, instead_of=instead_of)
    if number != BASE_RELEASE:
        await store.promoted(number)


def promote_alone(home: Path, number: int) -> None:
    """The same for a command, which has no store open."""
    asyncio.run(_promote_alone(home, number))


async def _promote_alone(home: Path, number: int) -> None:
    store = await Store.open(home)
    try:
        await promote(store, Releases(home), number)
    finally:
        await store.close()
