"""A run's manifest: one from an older Parley is read, and a damaged one is reported."""

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
    assert manifest.more == {"desirable_weight": 1.5}
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
