"""A promotion moves the pointer, and the store knows when."""

from pathlib import Path

import pytest

from data.promotion import promote
from data.release_manifest import ReleaseManifest
from data.releases import Releases, Superseded
from data.schema import ReleaseRow
from data.store import Store


async def test_a_promotion_moves_the_pointer_and_the_store_knows_when(store: Store, house: Path) -> None:
    releases = Releases(house)
    releases.create(lambda _: ReleaseManifest(base="smollm2-135m"))
    await store.add_release(1, "smollm2-135m", "0" * 64)
    await promote(store, releases, 1, instead_of=0)
    assert releases.champion() == 1
    async with store.database.read() as session:
        row = await session.get_one(ReleaseRow, 1)
    assert row.promoted_at is not None
    with pytest.raises(Superseded, match="Release 1 serves meanwhile"):
        await promote(store, releases, 0, instead_of=2)
    assert releases.champion() == 1
    await promote(store, releases, 0)
    assert releases.champion() == 0
