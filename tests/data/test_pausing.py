import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from data.pausing import pause, pause_path, paused_since, resume
from data.promotion import promote
from data.releases import Releases, Superseded
from data.rounds import decided
from data.schema import ReleaseRow
from data.store import Store


def test_rounds_are_paused_until_they_are_resumed(house: Path) -> None:
    assert paused_since(house) is None
    assert not resume(house)
    assert pause(house)
    since = paused_since(house)
    assert since is not None
    assert abs(datetime.now(UTC) - since) < timedelta(hours=1)
    assert stat.S_IMODE(pause_path(house).stat().st_mode) == 0o600
    assert not pause(house)
    assert paused_since(house) == since
    assert resume(house)
    assert paused_since(house) is None


async def test_a_promotion_moves_the_pointer_and_the_store_knows_when(store: Store, house: Path) -> None:
    releases = Releases(house)
    releases.create(lambda _: {"base": "smollm2-135m"})
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


def test_what_is_no_manifest_is_no_round(tmp_path: Path) -> None:
    for name, text in (
        ("0001", '{"number": 1, "status": "refused"}'),
        ("0002", "{"),
        ("0003", '{"status": "running"}'),
    ):
        (tmp_path / name).mkdir()
        (tmp_path / name / "manifest.json").write_text(text)
    assert decided(tmp_path) == [{"number": 1, "status": "refused"}]
    assert decided(tmp_path, besides=1) == []
