"""A round's manifest: which round continues, which begins, and what is left of people's texts."""

import json
import threading
from dataclasses import replace
from pathlib import Path

import pytest
from filelock import FileLock

from alignment.evaluation.gate import decide
from alignment.evaluation.verdict import Evaluated, summary
from alignment.rounds.manifest import RoundFolder
from data.errors import BadInput, ParleyError
from data.home import private_dir
from data.rounds import Decision, decided, remove_leftovers
from data.tidy import tidy
from tests.alignment.played import evaluation
from tests.data.old_manifests import lost, write_old

INPUTS = {"rows": "a", "recipe": "b", "start": "base"}
DECISION = Decision(release=1, promote=True, reasons=("better",))


def test_rounds_are_numbered_and_finished_ones_are_left_alone(tmp_path: Path) -> None:
    for expected in (1, 2, 3):
        with RoundFolder.open(tmp_path) as folder:
            assert (folder.number, folder.resumed) == (expected, False)
            folder.end("refused", "no better")
    assert sorted(path.name for path in tmp_path.iterdir() if path.is_dir()) == ["0001", "0002", "0003"]


def test_an_interrupted_round_goes_on_with_what_it_finished(tmp_path: Path) -> None:
    with RoundFolder.open(tmp_path) as folder:  # without `end`, the files look as after a kill
        folder.start_stage("sft", INPUTS)
        folder.finish_stage("sft", INPUTS)
    with RoundFolder.open(tmp_path) as folder:
        assert (folder.number, folder.resumed) == (1, True)
        assert folder.manifest.stages == {"sft": INPUTS}


@pytest.mark.parametrize("ends", ["stopped", "killed"])
def test_rows_that_somebody_had_forgotten_during_a_round_go_when_it_ends_without_a_decision(
    tmp_path: Path, ends: str
) -> None:
    """Nobody may ever take this round up again. What the next one needs, it reads anew."""
    rounds = tmp_path / "rounds"
    with RoundFolder.open(rounds) as folder:
        stage = private_dir(folder.path / "dpo")
        rows = [folder.path / "dpo-train.jsonl", stage / "samples.jsonl", stage / "trained_tokens.txt"]
        for path in (*rows, stage / "metrics.jsonl"):
            path.write_text("{}")
        assert not remove_leftovers(tmp_path)
        assert all(path.exists() for path in rows)
        if ends == "stopped":
            folder.end("stopped", "The stage dpo stopped.")
        else:
            (rounds / "kept").write_bytes((rounds / ".forgotten").read_bytes())
            (rounds / ".forgotten").unlink()  # nothing runs after a kill
    if ends == "killed":
        assert all(path.exists() for path in rows)
        (rounds / "kept").rename(rounds / ".forgotten")
        tidy(tmp_path)  # the next start of a bot
    assert not any(path.exists() for path in rows)
    assert (stage / "metrics.jsonl").exists()
    for path in rows:
        path.write_text("{}")
    tidy(tmp_path)  # once is enough: a round that was interrupted later goes on
    assert all(path.exists() for path in rows)


def test_a_stage_that_begins_anew_is_not_done(tmp_path: Path) -> None:
    with RoundFolder.open(tmp_path) as folder:
        folder.start_stage("sft", INPUTS)
        folder.finish_stage("sft", INPUTS)
        folder.start_stage("sft", {**INPUTS, "rows": "other"})
        assert folder.manifest.stages == {}
        assert folder.manifest.started["sft"]["rows"] == "other"


def test_a_round_killed_before_its_manifest_goes_on(tmp_path: Path) -> None:
    (tmp_path / "0001").mkdir()
    with RoundFolder.open(tmp_path) as folder:
        assert (folder.number, folder.resumed, folder.manifest.stages) == (1, True, {})


def test_two_rounds_at_once_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("alignment.rounds.manifest._PATIENCE", 0.1)
    problems: list[str] = []

    def second() -> None:
        try:
            with RoundFolder.open(tmp_path):
                pass
        except ParleyError as error:
            problems.append(str(error))

    with RoundFolder.open(tmp_path):
        thread = threading.Thread(target=second)
        thread.start()
        thread.join()
    assert "Another round is running" in problems[0]


def test_a_look_whether_a_round_runs_refuses_none(tmp_path: Path) -> None:
    look = FileLock(tmp_path / ".lock", timeout=0, mode=0o600, thread_local=False)
    look.acquire()
    threading.Timer(0.2, look.release).start()
    with RoundFolder.open(tmp_path) as folder:
        assert folder.number == 1


@pytest.mark.parametrize(
    "content",
    ["{", "[]", "null", '{"status": 3}', '{"status": "running", "rows": []}', '{"status": "running", "version": 2}'],
)
def test_a_damaged_manifest_is_named(tmp_path: Path, content: str) -> None:
    (tmp_path / "0001").mkdir()
    (tmp_path / "0001" / "manifest.json").write_text(content)
    with (
        pytest.raises(BadInput, match=r"0001/manifest\.json is damaged \(.*\); move the folder away"),
        RoundFolder.open(tmp_path),
    ):
        pass


def test_a_round_of_a_parley_without_versions_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "0001" / "manifest.json"
    entries = write_old("round", path, status="running", later={"a": 1})
    with RoundFolder.open(tmp_path) as folder:
        assert (folder.number, folder.resumed, folder.manifest.version) == (1, True, 1)
        assert folder.manifest.steps == ["sft", "dpo"]
        assert folder.pinned == entries["rows"]
        assert folder.manifest.decision is not None
        assert (folder.manifest.decision.release, folder.manifest.decision.trial) == (1, True)
        assert folder.manifest.evaluation is not None
        assert folder.manifest.evaluation.inputs == entries["evaluation"]["inputs"]
        folder.start_stage("sft", entries["stages"]["sft"])
        folder.finish_stage("sft", entries["stages"]["sft"])
        folder.finish_stage("dpo", entries["stages"]["dpo"])
    assert lost(path, entries) == []


def test_a_decided_round_of_a_parley_without_versions_counts(tmp_path: Path) -> None:
    entries = write_old("round", tmp_path / "0001" / "manifest.json")
    (found,) = decided(tmp_path)
    assert (found.number, found.status, found.learns) == (1, "refused", entries["learns"])
    with RoundFolder.open(tmp_path) as folder:
        assert folder.number == 2


def test_a_finished_round_that_this_version_cannot_read_does_not_block_a_new_one(tmp_path: Path) -> None:
    write_old("round", tmp_path / "0001" / "manifest.json", evaluation={"of": "another shape"})
    with RoundFolder.open(tmp_path) as folder:
        assert folder.number == 2


def test_rows_go_and_figures_stay(tmp_path: Path) -> None:
    with RoundFolder.open(tmp_path) as folder:
        (folder.path / "sft").mkdir()
        for name in ("sft-train.jsonl", "sft/rows.jsonl", "sft/trained_tokens.txt", "sft/metrics.jsonl"):
            (folder.path / name).write_text("{}\n")
        folder.note(rows={"demonstration": ["id-1"]})
        folder.remove_rows()
    left = {path.relative_to(tmp_path / "0001").as_posix() for path in (tmp_path / "0001").rglob("*.*")}
    assert left == {"manifest.json", "sft/metrics.jsonl"}
    assert json.loads((tmp_path / "0001" / "manifest.json").read_text())["rows"] == {"demonstration": ["id-1"]}


def test_an_earlier_stage_that_runs_anew_takes_the_later_ones_with_it(tmp_path: Path) -> None:
    with RoundFolder.open(tmp_path) as folder:
        for stage in ("sft", "dpo"):
            folder.start_stage(stage, INPUTS)
            folder.finish_stage(stage, INPUTS)
        folder.start_stage("sft", {**INPUTS, "rows": "other"})
        assert folder.manifest.stages == {}


def test_a_decision_survives_a_kill(tmp_path: Path) -> None:
    with RoundFolder.open(tmp_path) as folder:
        assert folder.manifest.decision is None
        folder.note(decision=DECISION)
    with RoundFolder.open(tmp_path) as folder:
        assert folder.resumed
        assert folder.manifest.decision == DECISION


def test_a_killed_round_keeps_its_rows_and_a_stopped_one_reads_them_again(tmp_path: Path) -> None:
    with RoundFolder.open(tmp_path) as folder:
        assert folder.pinned is None
        folder.note(rows={"demonstration": ["id-1"]})
    with RoundFolder.open(tmp_path) as folder:
        assert folder.pinned == {"demonstration": ["id-1"]}
        folder.end("stopped", "a stage failed")
    with RoundFolder.open(tmp_path) as folder:
        assert folder.resumed
        assert folder.pinned is None


def test_measurements_survive_a_kill(tmp_path: Path) -> None:
    found = evaluation(fall=0.2)
    verdict = decide(None, "nobody", found.suites)
    measured = replace(summary(Evaluated("base model", "candidate", found, verdict)), inputs={"champion": "base"})
    with RoundFolder.open(tmp_path) as folder:
        assert folder.manifest.evaluation is None
        folder.note(evaluation=measured)
    with RoundFolder.open(tmp_path) as folder:
        assert folder.manifest.evaluation == measured


def test_decided_rounds_are_found_again_newest_first(tmp_path: Path) -> None:
    for status in ("promoted", "refused"):
        with RoundFolder.open(tmp_path) as folder:
            folder.end(status, "")
    (tmp_path / "0001" / "manifest.json").write_text("damaged")
    with RoundFolder.open(tmp_path) as folder:
        assert [each.number for each in decided(tmp_path, besides=folder.number)] == [2]
    assert decided(tmp_path, besides=2) == []
    assert decided(tmp_path / "nothing") == []
