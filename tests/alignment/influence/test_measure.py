"""What is measured of a release: its own likelihood of the answer, and rows by how often their stage drew them."""

import io
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from alignment.influence.asked import Asked
from alignment.influence.learnt import Learnt, Owed, Stage
from alignment.influence.measure import measure
from alignment.models import ADAPTER_WEIGHTS
from data.console import PlainConsole
from data.release_manifest import ReleaseManifest
from data.releases import Release
from data.row import Row
from tests.alignment import tiny
from tests.alignment.influence import made

pytestmark = pytest.mark.tiny
PROMPT = [{"role": "user", "content": "What is it?"}]


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.build("llama", tmp_path_factory.mktemp("llama"))


def row(name: str, text: str, weight: float) -> Row:
    completion = [{"role": "assistant", "content": text}]
    return Row("demonstration", {"prompt": PROMPT, "completion": completion}, {"id": name, "weight": weight})


def measured(base: Path, release: Path, stage: Path, rows: list[Row]) -> Owed:
    """What the answer `made.ANSWERS[0]` owes to the rows of a stage; `release` holds the release's own adapter."""
    found = Stage(1, 1, "sft", None, stage, {(each.kind, each.id): each for each in rows})
    served = Release(1, release, ReleaseManifest(base=str(base), round=1))
    return measure(PlainConsole(file=io.StringIO()), served, Asked("x", PROMPT, made.ANSWERS[0], 1), Learnt([found]))


def test_a_row_counts_by_how_often_its_stage_draws_it(base: Path, tmp_path: Path) -> None:
    adapter = made.adapter(base, tmp_path / "adapter")
    rows = [row("often", made.ANSWERS[0], 1.0), row("seldom", made.ANSWERS[0], 0.2), row("other", "No.", 1.0)]
    scores = measured(base, tmp_path, adapter, rows).scores
    assert scores["demonstration", "seldom"] == pytest.approx(0.2 * scores["demonstration", "often"])


def test_the_likelihoods_are_those_of_the_base_and_the_release_and_not_of_the_traced_stages(
    base: Path, tmp_path: Path
) -> None:
    """A stage of PPO, whose rows are not known, or one whose rows are gone, moved the weights as well."""
    stage, release = made.adapter(base, tmp_path / "stage"), tmp_path / "release"
    (release / "adapter").mkdir(parents=True)
    rows = [row("one", made.ANSWERS[0], 1.0)]
    weights = load_file(stage / ADAPTER_WEIGHTS)
    found = []
    for share in (1.0, 0.5, 0.0):
        moved = {name: each * share if "lora_B" in name else each for name, each in weights.items()}
        save_file(moved, release / "adapter" / ADAPTER_WEIGHTS)
        (release / "adapter" / "adapter_config.json").write_bytes((stage / "adapter_config.json").read_bytes())
        found.append(measured(base, release, stage, rows))
    whole, half, nothing = found
    assert nothing.after == pytest.approx(nothing.before)
    assert whole.before == half.before == nothing.before
    assert len({round(each.after, 3) for each in found}) == 3
    assert all(torch.isfinite(torch.tensor(each.after)) for each in found)
    assert replace(whole, after=0.0) == replace(half, after=0.0)  # the stage's own scores do not change
