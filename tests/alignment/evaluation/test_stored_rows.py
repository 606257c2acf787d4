"""What an evaluation takes from the store."""

import hashlib
import json

import pytest

from alignment.evaluation.stored_rows import stored_rows, tries
from alignment.evaluation.subjects import Subject
from alignment.rounds.manifest import RoundFolder
from data.imports import import_rows
from data.release_manifest import ReleaseManifest
from data.releases import Releases
from data.rounds import Decision
from data.rows import parse_row
from data.store import Store
from tests.alignment import tiny

pytestmark = pytest.mark.tiny


async def test_the_store_gives_each_fold_to_its_purpose(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("PARLEY_HOME", str(tmp_path / "home"))
    rows = tiny.preferences(80)
    for number, row in enumerate(rows):  # equal rows would all be in one fold
        row["prompt"][0]["content"] = hashlib.sha256(str(number).encode()).hexdigest()
    store = await Store.open(tmp_path / "home")
    try:
        await import_rows(store, map(parse_row, rows))
    finally:
        await store.close()
    found = await stored_rows(Subject("base model", "b", release=0), Subject("out/adapter", "b"))
    asked = {json.dumps(row.data) for row in found.preferences}
    assert asked
    assert found.judge_pairs
    assert not asked & {json.dumps(row.data) for row in found.judge_pairs}
    assert len(found.prompts) >= len(found.preferences)
    assert found.live == []


def test_each_refusal_and_each_look_at_a_trial_is_a_try(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("PARLEY_HOME", str(tmp_path))
    releases = Releases(tmp_path)
    for number in (1, 2):
        releases.create(lambda _, number=number: ReleaseManifest(base="b", round=number))
        with RoundFolder.open(tmp_path / "rounds") as folder:
            folder.note(decision=Decision(release=number, champion=0))
            folder.end("refused", "no better")
    base, bare = Subject("base model", "b", release=0), Subject("out/adapter", "b")
    first, second = (Subject(f"release {number}", "b", release=number) for number in (1, 2))
    assert (tries(base, bare), tries(bare, first)) == (2, 0)
    assert tries(base, second) == 1  # its own round is not another try
    releases.put_on_trial(2)
    releases.looked(20)
    assert (tries(base, second), tries(base, first)) == (2, 1)
    assert tries(first, second) == 1  # nobody was refused against release 1, but the gate looked once
