"""Answers of models that are not this home's: what people wrote teaches, their votes on such answers do not."""

import pytest

from data.candidates import OTHER_MODEL
from data.errors import BadInput
from data.home_base import base_mark, other_model
from data.limits import limits_set
from data.store import Store
from tests.data.collected import dropped, rows
from tests.data.test_dropped_rows import ALL, scene


async def test_corrections_and_questions_stay_and_the_rest_is_held_back(store: Store) -> None:
    await scene(store, model="gpt-4o")
    found = await rows(store)
    assert {row.row.kind for row in found.rows} == {"demonstration", "prompt"}
    assert dropped(found) == {"preference": {OTHER_MODEL: 2}, "labelled": {OTHER_MODEL: 1}}


async def test_the_operator_may_let_them_teach(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    await scene(store, model="gpt-4o")
    monkeypatch.setenv("PARLEY_OTHER_MODELS", "1")
    found = await rows(store)
    assert {kind: len(found.of(kind)) for kind in ALL} == ALL
    monkeypatch.setenv("PARLEY_OTHER_MODELS", "yes")
    with pytest.raises(BadInput, match="PARLEY_OTHER_MODELS: 'yes' cannot be used: use 1 or 0"):
        limits_set()


async def test_answers_of_the_base_teach(store: Store) -> None:
    await scene(store, model=base_mark("smollm2-135m", "b179c9523d0e6a0f"))
    assert dropped(await rows(store)) == {}


@pytest.mark.parametrize(
    "name", ["gpt-4o", "google/gemma-3-4b@q4_k_m", "a@0123456789ab@0123456789ab", "x@0123456789abc"]
)
def test_a_name_is_not_taken_for_a_bases_mark(name: str) -> None:
    assert other_model(name)
    assert not other_model(None)
