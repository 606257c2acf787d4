"""A round's manifest: which round goes on, which begins, and what is left of people's words."""

import json
import threading
from pathlib import Path

import pytest

from alignment.rounds.manifest import Ledger
from data.errors import BadInput, ParleyError
from data.rounds import decided

INPUTS = {"rows": "a", "recipe": "b", "start": "base"}


def test_rounds_are_numbered_and_finished_ones_are_left_alone(tmp_path: Path) -> None:
    for expected in (1, 2, 3):
        with Ledger.open(tmp_path) as ledger:
            assert (ledger.number, ledger.resumed) == (expected, False)
            ledger.end("refused", "no better")
    assert sorted(path.name for path in tmp_path.iterdir() if path.is_dir()) == ["0001", "0002", "0003"]


def test_an_interrupted_round_goes_on_with_what_it_finished(tmp_path: Path) -> None:
    with Ledger.open(tmp_path) as ledger:  # what ends here without `end` was killed, for all that the disk knows
        ledger.start_stage("sft", INPUTS)
        ledger.finish_stage("sft", INPUTS)
    with Ledger.open(tmp_path) as ledger:
        assert (ledger.number, ledger.resumed) == (1, True)
        assert ledger.stages == {"sft": INPUTS}


def test_a_stage_that_begins_anew_is_not_done(tmp_path: Path) -> None:
    with Ledger.open(tmp_path) as ledger:
        ledger.start_stage("sft", INPUTS)
        ledger.finish_stage("sft", INPUTS)
        ledger.start_stage("sft", {**INPUTS, "rows": "other"})
        assert ledger.stages == {}
        assert ledger.started["sft"]["rows"] == "other"


def test_a_round_killed_before_its_manifest_goes_on(tmp_path: Path) -> None:
    (tmp_path / "0001").mkdir()
    with Ledger.open(tmp_path) as ledger:
        assert (ledger.number, ledger.resumed, ledger.stages) == (1, True, {})


def test_two_rounds_at_once_are_refused(tmp_path: Path) -> None:
    problems: list[str] = []

    def second() -> None:
        try:
            with Ledger.open(tmp_path):
                pass
        except ParleyError as error:
            problems.append(str(error))

    with Ledger.open(tmp_path):
        thread = threading.Thread(target=second)
        thread.start()
        thread.join()
    assert "Another round is running" in problems[0]


def test_a_damaged_manifest_is_named(tmp_path: Path) -> None:
    (tmp_path / "0001").mkdir()
    (tmp_path / "0001" / "manifest.json").write_text("{")
    with pytest.raises(BadInput, match=r"0001/manifest\.json is damaged"), Ledger.open(tmp_path):
        pass


def test_rows_go_and_figures_stay(tmp_path: Path) -> None:
    with Ledger.open(tmp_path) as ledger:
        (ledger.path / "sft").mkdir()
        for name in ("sft-train.jsonl", "sft/rows.jsonl", "sft/trained_tokens.txt", "sft/metrics.jsonl"):
            (ledger.path / name).write_text("{}\n")
        ledger.note(rows={"demonstration": ["id-1"]})
        ledger.remove_rows()
    left = {path.relative_to(tmp_path / "0001").as_posix() for path in (tmp_path / "0001").rglob("*.*")}
    assert left == {"manifest.json", "sft/metrics.jsonl"}
    assert json.loads((tmp_path / "0001" / "manifest.json").read_text())["rows"] == {"demonstration": ["id-1"]}


def test_an_earlier_stage_that_runs_anew_takes_the_later_ones_with_it(tmp_path: Path) -> None:
    with Ledger.open(tmp_path) as ledger:
        for stage in ("sft", "dpo"):
            ledger.start_stage(stage, INPUTS)
            ledger.finish_stage(stage, INPUTS)
        ledger.start_stage("sft", {**INPUTS, "rows": "other"})
        assert ledger.stages == {}


def test_a_decision_outlives_a_kill(tmp_path: Path) -> None:
    with Ledger.open(tmp_path) as ledger:
        assert ledger.decision is None
        ledger.note(decision={"release": 1, "promote": True, "reasons": ["better"]})
    with Ledger.open(tmp_path) as ledger:
        assert ledger.resumed
        assert ledger.decision == {"release": 1, "promote": True, "reasons": ["better"]}


def test_a_killed_round_keeps_its_rows_and_a_stopped_one_looks_anew(tmp_path: Path) -> None:
    with Ledger.open(tmp_path) as ledger:
        assert ledger.pinned is None
        ledger.note(rows={"demonstration": ["id-1"]})
    with Ledger.open(tmp_path) as ledger:
        assert ledger.pinned == {"demonstration": ["id-1"]}
        ledger.end("stopped", "a stage failed")
    with Ledger.open(tmp_path) as ledger:
        assert ledger.resumed
        assert ledger.pinned is None


def test_what_was_measured_outlives_a_kill(tmp_path: Path) -> None:
    with Ledger.open(tmp_path) as ledger:
        assert ledger.evaluation is None
        ledger.note(evaluation={"inputs": {"champion": "base"}})
    with Ledger.open(tmp_path) as ledger:
        assert ledger.evaluation == {"inputs": {"champion": "base"}}


def test_decided_rounds_are_found_again_newest_first(tmp_path: Path) -> None:
    for status in ("promoted", "refused"):
        with Ledger.open(tmp_path) as ledger:
            ledger.end(status, "")
    (tmp_path / "0001" / "manifest.json").write_text("damaged")
    with Ledger.open(tmp_path) as ledger:
        assert [entries["number"] for entries in decided(tmp_path, besides=ledger.number)] == [2]
    assert decided(tmp_path, besides=2) == []
    assert decided(tmp_path / "nothing") == []
