"""A store that forgot somebody gives the rows of a store that never knew them, byte for byte."""

import json
from pathlib import Path

import pytest

from data.datasets import Collected
from data.row import KINDS
from data.store import Store
from tests.data.departed import TOPICS, rows, two_homes

FOLDS = ("train", "judge_train", "judge", "gate")


def lines(found: Collected) -> dict[str, list[str]]:
    """All that a round reads, as the lines of its files: by kind and fold, in order."""
    made = {f"{kind}, {fold}": found.of(kind, fold) for kind in KINDS for fold in FOLDS}
    made |= {f"ties, {fold}": found.ties_of(fold) for fold in FOLDS}
    made |= {f"prompts, {fold}": found.prompts(fold) for fold in FOLDS}
    return {name: [json.dumps({**row.data, **row.extra}) for row in part] for name, part in made.items()}


@pytest.mark.simulation
async def test_the_rows_are_those_of_a_store_that_never_knew_the_person(tmp_path: Path) -> None:
    found = []
    for home in await two_homes(tmp_path):
        store = await Store.open(home)
        found.append(await rows(store))
        await store.close()
    left, never = found
    assert lines(left) == lines(never)
    assert left.panel.raters == never.panel.raters
    assert left.shares == never.shares
    assert len(never.panel.raters) == 3
    assert {each.raters for each in left.rows} == {each.raters for each in never.rows}
    # The comparison is of something: all kinds are there, and weights differ.
    assert all(never.of(kind) for kind in KINDS)
    assert never.ties
    assert len({row.extra["weight"] for row in never.of("preference")}) > 1
    assert len(never.of("demonstration")) == len(TOPICS)


@pytest.mark.simulation
async def test_no_word_and_no_name_of_the_person_is_left_in_the_files(tmp_path: Path) -> None:
    left, never = await two_homes(tmp_path)
    for words in (b"Ada on", b"Something else.", b"Honey is sweet", b"Bob on Ada", b"no secret", b"a secret"):
        assert not any(words in path.read_bytes() for path in left.glob("parley.db*"))
    assert any(b"This is the story of bees" in path.read_bytes() for path in never.glob("parley.db*"))
