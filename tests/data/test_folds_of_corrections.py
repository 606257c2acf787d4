"""The folds of corrections: with what they taught, and where a quick round lets them train."""

import asyncio
from collections import Counter

import numpy as np
import pytest

from data import folds as folds_module
from data.anchors import Anchor
from data.fold_shares import SHARES
from data.folds import AHEAD, UNDRAWN_EACH, Anchors
from data.store import Store
from tests.data.folded import KEY, SENTENCES, folds, groups


@pytest.mark.parametrize("correction_first", [True, False])
async def test_a_row_that_was_taught_shares_the_fold_of_the_correction(store: Store, correction_first: bool) -> None:
    correction, taught = Anchor(SENTENCES[0], "a"), Anchor(SENTENCES[1], "b", ("a",))
    rows = [correction, taught] if correction_first else [taught, correction]
    found = await folds(store, *rows, Anchor(SENTENCES[2], "b"), *SENTENCES[3:20])
    assert len(set(found[:3])) == 1
    assert found[0] is not None
    assert await groups(store) == 18


async def test_a_correction_whose_rows_come_later_goes_where_its_lesson_went(store: Store) -> None:
    found = await folds(store, *SENTENCES[3:20], Anchor(SENTENCES[1], "b", ("a",)))
    assert await folds(store, Anchor(SENTENCES[0], "a")) == found[-1:]


async def test_a_row_goes_that_was_taught_by_a_conversation_of_another_fold_and_the_correction_stays(
    store: Store,
) -> None:
    by_fold = dict(zip(await folds(store, *SENTENCES[:20]), SENTENCES, strict=False))
    mine, other = Anchor(by_fold["train"], "mine"), Anchor(by_fold["gate"], "other")
    await folds(store, mine, other)
    taught = [mine._replace(taught=(name,)) for name in ("other", "new", "mine")]
    assert await folds(store, *taught, mine, other) == [None, "train", "train", "train", "gate"]
    assert await folds(store, Anchor("words that nobody said before", "new")) == ["train"]
    # A conversation that has no fold yet takes the first teacher's, and the row needs both.
    assert await folds(store, Anchor("unheard of", "late", ("other", "mine"))) == [None]
    assert await folds(store, Anchor("unheard of", "late", ("other",))) == ["gate"]


async def test_a_row_without_a_fold_takes_nothing_with_it_of_the_conversation_that_taught_it(store: Store) -> None:
    by_fold = dict(zip(await folds(store, *SENTENCES[:20]), SENTENCES, strict=False))
    await folds(store, Anchor(by_fold["train"], "mine"))
    divided = Anchor(by_fold["gate"], "mine", ("new",))
    found = await folds(store, divided, Anchor(SENTENCES[30], "new"))
    assert found[0] is None
    assert found[1] is not None


async def test_rows_that_are_left_out_teach_and_are_taught_nothing(store: Store) -> None:
    anchors = Anchors(store.database.path, KEY)
    for anchor in (
        Anchor(SENTENCES[0], "left out", ("x",)),
        Anchor(SENTENCES[1], "a"),
        Anchor(SENTENCES[2], "left out", ("a",)),
        Anchor(SENTENCES[3], "b", ("a",)),
    ):
        anchors.add(anchor)
    found = await asyncio.to_thread(anchors.folds, np.array([1, 3]))
    assert found[0] == found[1]
    assert found[0] is not None
    assert await groups(store) == 1


async def test_groups_that_are_to_train_do_and_those_after_them_fill_the_other_folds(store: Store) -> None:
    gathered = Anchors(store.database.path, KEY)
    for text in SENTENCES:
        gathered.add(Anchor(text))
    first = list(range(0, 40, 2))
    whose = {at: ("ada", "grace")[at % 4 // 2] for at in first}
    found = await asyncio.to_thread(gathered.folds, np.arange(60), training=whose)
    assert {found[at] for at in first} == {"train"}
    counts = Counter(found)
    assert counts["train"] == round(60 * SHARES["train"])
    assert counts["gate"] == round(60 * SHARES["gate"])
    # They stay where they are, whoever asks.
    assert await folds(store, *SENTENCES) == found


async def test_nobody_takes_the_training_of_others_by_many_corrections(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(folds_module, "UNDRAWN", 10)
    gathered = Anchors(store.database.path, KEY)
    for text in SENTENCES:
        gathered.add(Anchor(text))
    whose = {at: "mallory" if at < 50 else "ada" for at in range(60)} | {59: "grace"}
    found = await asyncio.to_thread(gathered.folds, None, training=whose)
    counts = Counter(found)
    assert counts["train"] == round(60 * SHARES["train"])
    assert counts["gate"] == round(60 * SHARES["gate"])
    # In turns: five of one, four of the other, and the only one of the third.
    assert {found[at] for at in (*range(5), *range(50, 54), 59)} == {"train"}


async def corrected(store: Store, until: int, whose: dict[int, str]) -> list[str | None]:
    """The folds of the first sentences in a quick round, some of them corrected."""
    gathered = Anchors(store.database.path, KEY)
    for text in SENTENCES[:until]:
        gathered.add(Anchor(text))
    return await asyncio.to_thread(gathered.folds, None, training=whose)


async def test_one_person_sends_ten_groups_to_training_in_a_round_and_the_rest_is_drawn(store: Store) -> None:
    found = await corrected(store, 60, dict.fromkeys(range(60), "mallory"))
    assert set(found[:UNDRAWN_EACH]) == {"train"}
    assert Counter(found)["train"] == round(60 * SHARES["train"])
    assert Counter(found)["gate"] == round(60 * SHARES["gate"])


async def test_over_rounds_a_part_of_everybodys_corrections_is_held_out(store: Store) -> None:
    for until in range(10, 51, 10):
        found = await corrected(store, until, dict.fromkeys(range(until), "mallory"))
        assert Counter(found)["train"] <= SHARES["train"] * until + AHEAD + 1
    assert set(found[:10]) == {"train"}  # the first evening's
    assert Counter(found)["gate"] >= 5
    # Somebody else still has their first ten.
    found = await corrected(store, 60, {at: "mallory" if at < 50 else "ada" for at in range(60)})
    assert set(found[50:]) == {"train"}


async def test_a_fold_that_was_drawn_stays_whoever_wants_to_train(store: Store) -> None:
    drawn_before = await folds(store, *SENTENCES)
    gathered = Anchors(store.database.path, KEY)
    for text in SENTENCES:
        gathered.add(Anchor(text))
    assert await asyncio.to_thread(gathered.folds, None, training=dict.fromkeys(range(60), "ada")) == drawn_before
