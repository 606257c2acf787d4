"""A run's manifest: one from an older Parley is read, and a damaged one is reported."""

import json
import math
from pathlib import Path

import pytest

from alignment.training.run_folder import RunManifest, open_run
from data.errors import BadInput
from tests.data.old_manifests import lost, write_old


def test_a_run_of_a_parley_without_versions_is_read(tmp_path: Path) -> None:
    path = tmp_path / "manifest.json"
    entries = write_old("run", path, desirable_weight=1.5)  # as KTO notes it
    manifest = RunManifest.load(path)
    assert (manifest.stage, manifest.status, manifest.result) == ("sft", "done", "adapter")
    assert manifest.figures["steps"] == 8
    assert manifest.more["desirable_weight"] == 1.5
    manifest.save(path)
    assert lost(path, entries) == []


def test_a_run_that_goes_on_keeps_what_it_noted(tmp_path: Path) -> None:
    for turn in (1, 2):
        with open_run(tmp_path / "out", "kto", {"seed": 1}, {"data": {}, "adapter_sha256": None}) as run:
            run.note(precision="bf16", desirable_weight=2.0)
            run.note_figures(**{f"turn_{turn}": turn})
            assert run.manifest.figures == {f"turn_{n}": n for n in range(1, turn + 1)}
            assert run.manifest.more == {"desirable_weight": 2.0}
            assert run.manifest.versions["python"]


@pytest.mark.parametrize("content", ["", "[]", "null", '{"figures": {', '{"figures": []}'])
def test_a_damaged_manifest_is_named_and_what_to_do(tmp_path: Path, content: str) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "manifest.json").write_text(content)
    with (
        pytest.raises(BadInput, match=r"out/manifest\.json is damaged: .*\. Name another --output_dir"),
        open_run(tmp_path / "out", "sft", {}, {}),
    ):
        pass


FACTS = {"data": {"sha256": {"train": "a"}}, "seed": 0}


def opened(out: Path, **given: object):
    return open_run(out, "sft", {"learning_rate": 1e-4, **given}, FACTS)


def test_settings_that_do_not_decide_the_result_may_change(tmp_path: Path) -> None:
    with opened(tmp_path / "out", report_to="none", per_device_eval_batch_size=4, logging_steps=1, lora_r=8) as run:
        run.log({"step": 1, "loss": 2.0})
    changed = {"report_to": ["tensorboard"], "per_device_eval_batch_size": 16, "run_name": "second"}
    with opened(tmp_path / "out", logging_steps=5, logging_first_step=True, lora_r=8, **changed) as run:
        assert run.metrics() == [{"step": 1, "loss": 2.0}]
    with pytest.raises(BadInput, match="another lora_r"), opened(tmp_path / "out", lora_r=4):
        pass


def test_a_run_that_an_older_parley_began_is_continued(tmp_path: Path) -> None:
    """It kept settings in its manifest that do not decide the result."""
    with opened(tmp_path / "out", seed=1) as run:
        run.log({"step": 1, "loss": 2.0})
        run.note(recipe={**run.manifest.recipe, "per_device_eval_batch_size": 4}, fingerprint="of older versions")
    with opened(tmp_path / "out", seed=1, per_device_eval_batch_size=4) as run:
        assert run.metrics()


def test_a_run_that_ended_before_its_first_step_does_not_block_the_mended_command(tmp_path: Path) -> None:
    with opened(tmp_path / "out", report_to="wandb", learning_rate=-1) as run:
        run.log({"step": 0, "eval_loss": 3.0})
        (run.path / "trained_tokens.txt").touch()
        (run.path / "notes.txt").touch()  # somebody else's
    with opened(tmp_path / "out") as run:
        assert run.manifest.recipe == {"learning_rate": 1e-4}
        assert {path.name for path in run.path.iterdir()} == {".lock", "manifest.json", "notes.txt"}


def test_a_failed_run_blocks_another_only_if_it_has_a_checkpoint(tmp_path: Path) -> None:
    for kept in (False, True):
        out = tmp_path / str(kept)
        with opened(out, learning_rate=1e30) as run:
            run.log({"step": 1, "loss": math.nan})
            run.note(status="failed")
            if kept:
                (run.checkpoints / "checkpoint-2").mkdir(parents=True)
        if kept:
            with pytest.raises(BadInput, match="another learning_rate"), opened(out):
                pass
        else:
            with opened(out) as run:
                assert (run.manifest.status, run.metrics()) == ("running", [])


def test_numbers_that_are_not_finite_stay_visible_in_valid_json(tmp_path: Path) -> None:
    def strict(constant: str) -> None:
        raise AssertionError(constant)

    with opened(tmp_path / "out") as run:
        run.log({"step": 1, "loss": math.nan, "grad_norm": math.inf})
        run.note_figures(last_loss=-math.inf, more=[{"deep": math.nan}])
    (line,) = (tmp_path / "out" / "metrics.jsonl").read_text().splitlines()
    assert json.loads(line, parse_constant=strict) == {"step": 1, "loss": "nan", "grad_norm": "inf"}
    found = json.loads((tmp_path / "out" / "manifest.json").read_text(), parse_constant=strict)
    assert found["figures"] == {"last_loss": "-inf", "more": [{"deep": "nan"}]}
    assert math.isnan(float(json.loads(line)["loss"]))


def test_what_trackers_wrote_outlives_the_checkpoints(tmp_path: Path) -> None:
    with opened(tmp_path / "out") as run:
        for name in ("checkpoint-2", ".incomplete", ".damaged-checkpoint-1", "runs"):
            (run.checkpoints / name).mkdir(parents=True)
            (run.checkpoints / name / "file").write_text(name)
        (run.checkpoints / "emissions.csv").write_text("1")
        (run.checkpoints / "reference-train-0.arrow").touch()
        run.finish("adapter", lambda _: None)
    assert not run.checkpoints.exists()
    assert (run.trackers / "runs" / "file").read_text() == "runs"
    assert {path.name for path in run.trackers.iterdir()} == {"runs", "emissions.csv"}
