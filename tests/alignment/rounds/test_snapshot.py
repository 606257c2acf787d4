"""The rows of a round: no row of the gate's fold reaches a stage."""

from itertools import chain
from pathlib import Path

import pytest

import alignment.rounds.snapshot
from alignment.rounds.snapshot import Snapshot
from alignment.rounds.steps import choose, judge_step
from data.imports import import_rows
from data.store import Store
from tests.alignment.played import collected, row, rows
from tests.data.talk import Talk


@pytest.mark.played
async def test_the_gates_fold_of_a_real_store_is_in_no_file_of_a_stage(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PARLEY_HOME", str(tmp_path / "home"))
    store = await Store.open(tmp_path / "home")
    try:
        kinds = ("demonstration", "preference")
        await import_rows(store, [row(kind, f"{n}{n}{n} {kind} {n}" * 5) for kind in kinds for n in range(40)])
    finally:
        await store.close()
    found = Snapshot(await alignment.rounds.snapshot.collect_snapshot(tmp_path))
    gate = {each.id for kind in alignment.rounds.snapshot.KINDS for each in found.collected.of(kind, "gate")}
    gate |= {each.id for each in found.gate("prompt")}
    assert gate
    steps = [*choose("auto", found)[0], *choose("ppo", found)[0], judge_step(found)[0]]
    read = {each.id for step in steps if step for each in (*step.rows, *step.watched, *step.ties)}
    assert len(read) > 20
    assert not read & gate
    assert "snapshot.db" not in [path.name for path in sorted(tmp_path.iterdir())]  # noqa: ASYNC240 - nothing else runs


def test_fewer_held_out_rows_decide_if_wanted_and_all_the_same_rows_train() -> None:
    kinds = ("preference", "demonstration")
    found = collected({}, [*chain.from_iterable(rows(kind, fold, 9) for kind in kinds for fold in ("train", "gate"))])
    few = Snapshot(found, max_held_out=5)
    for kind in kinds:
        assert list(few.gate(kind)) == list(found.of(kind, "gate"))[:5]
        assert list(few.training(kind)) == list(Snapshot(found).training(kind))
        assert len(Snapshot(found).gate(kind)) == 9


def test_half_as_many_rows_are_watched_as_train_within_limits() -> None:
    def watched(train: int) -> int:
        found = collected({}, [*rows("preference", "train", train), *rows("preference", "judge", 20)])
        return len(Snapshot(found).watched("preference"))

    assert [watched(train) for train in (1, 8, 12, 16, 24, 100)] == [4, 4, 6, 8, 12, 12]


@pytest.mark.played
async def test_corrections_that_no_round_read_before_all_train_in_a_quick_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PARLEY_HOME", str(tmp_path / "home"))
    store = await Store.open(tmp_path / "home")
    try:
        for number in range(8):
            talk = await Talk.begin(store, key=f"{number}")
            ada = await talk.person("ada")
            (answer,) = await talk.ask(ada, f"{number * 7919} {chr(97 + number) * 9}?", f"answer {number}")
            await talk.rate(ada, "correction", answer, text=f"the right one is {number}")
    finally:
        await store.close()
    collect = alignment.rounds.snapshot.collect_snapshot
    assert len((await collect(tmp_path, corrections_train=True)).of("preference", "train")) == 8
    # Whoever looks later finds the same.
    assert len((await collect(tmp_path)).of("preference", "train")) == 8
