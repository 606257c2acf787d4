"""The audit log keeps who did what and where, by pseudonym, even after that person was forgotten."""

from dataclasses import replace
from pathlib import Path

from data.store import Store
from tests.data.test_forgetting import on_disk


async def test_the_newest_entries_come_first_and_a_server_has_its_own(store: Store) -> None:
    ada, bea = await store.person("discord", "ada"), await store.person("discord", "bea")
    here, there = await store.server("discord", "1"), await store.server("discord", "2")
    await store.record_deed(ada, "teaching", server=here, allowed="on")
    await store.record_deed(bea, "persona", server=there, name="tutor", channel=7)
    await store.record_deed(ada, "promote", release=3, note=None)
    found = [(entry.person, entry.server, entry.deed, entry.what) for entry in await store.deeds(None, 20)]
    assert found == [
        (ada, None, "promote", {"release": 3, "note": None}),
        (bea, "2", "persona", {"name": "tutor", "channel": 7}),
        (ada, "1", "teaching", {"allowed": "on"}),
    ]
    assert [entry.deed for entry in await store.deeds(here, 20)] == ["teaching"]
    assert [entry.deed for entry in await store.deeds(None, 2)] == ["promote", "persona"]


async def test_people_can_read_their_own_entries(store: Store) -> None:
    ada, bea = await store.person("discord", "ada"), await store.person("discord", "bea")
    await store.record_deed(ada, "promote", release=3)
    await store.record_deed(bea, "rollback", release=1)
    kept = (await store.kept_of(ada))["deeds"]
    assert [(entry["deed"], entry["what"]) for entry in kept] == [("promote", {"release": 3})]
    assert kept[0]["at"].endswith("+00:00")


async def test_a_forgotten_persons_entries_stay_under_a_pseudonym_that_leads_to_nobody(
    store: Store, house: Path
) -> None:
    ada = await store.person("discord", "1234567890")
    await store.record_deed(ada, "pause")
    (before,) = await store.deeds(None, 20)
    await store.eraser.forget(ada)
    day = before.at.replace(hour=0, minute=0, second=0, microsecond=0)
    assert await store.deeds(None, 20) == [replace(before, at=day)]  # the time might lead to them
    again = await store.person("discord", "1234567890")
    assert again != ada
    assert (await store.kept_of(again))["deeds"] == []
    assert on_disk(house, "1234567890") == []
