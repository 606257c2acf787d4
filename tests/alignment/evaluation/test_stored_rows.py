"""What an evaluation takes from the store."""

import hashlib
import json

import pytest

from alignment.evaluation.stored_rows import budget_name, live, standing, stored_rows
from alignment.evaluation.subjects import Subject
from data.error_budget import name_of
from data.imports import import_rows
from data.raters import Panel, Reliability
from data.release_manifest import ReleaseManifest
from data.releases import Releases
from data.rows import parse_row
from data.store import Store
from tests.alignment import tiny
from tests.data.talk import Talk

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
    assert not found.live
    assert not found.raters  # the operator's own rows


async def test_live_comparisons_come_with_language_persona_and_the_raters_server(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("PARLEY_HOME", str(tmp_path / "home"))
    store = await Store.open(tmp_path / "home")
    try:
        server = await store.server("discord", "1")
        await store.set_may_teach("discord", "1", True)
        talk = await Talk.begin(store, "discord", server=server, language="zh", persona="writer")
        ada = await talk.person()
        said = await talk.say(ada, "q")
        old, new = [await talk.answer(said, text, release=n) for n, text in ((1, "one"), (2, "two"))]
        await talk.rate(ada, "comparison", old, other=new, value="b")
    finally:
        await store.close()
    (vote,), people = await live(1, 2)
    assert dict(vote.groups) == {"language": "zh", "persona": "writer"}
    assert people.servers == {vote.rater: server}


def test_a_candidate_has_the_same_name_in_its_round_and_on_trial(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("PARLEY_HOME", str(tmp_path))
    releases = Releases(tmp_path)
    releases.create(lambda _: ReleaseManifest(base="b", round=7))
    releases.create(lambda _: ReleaseManifest(base="b"))
    base, bare = Subject("base model", "b", release=0), Subject("out/adapter", "b")
    first, second = (Subject(f"release {number}", "b", release=number) for number in (1, 2))
    assert budget_name(base, first) == name_of(None, 7, 0)
    assert budget_name(first, second) == "release 2 against 1"
    assert budget_name(base, bare) == budget_name(bare, first) == ""  # nothing follows from asking about these


def test_the_panel_says_who_is_trusted() -> None:
    found = standing(Panel({"ada": Reliability(0.05, 3, 3, ""), "bea": Reliability(0.5, 3, 3, "")}, ""))
    assert found.weights == {"ada": 0.0, "bea": 0.5}
    assert not found.trusted("ada")
