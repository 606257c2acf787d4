"""The check of a served artefact, on made-up figures and on the real model."""

from dataclasses import replace
from pathlib import Path

import pytest

from alignment.models import locate
from alignment.serving import engine, gguf_lora
from alignment.serving.agreement import Agreement, Expected, Gap, NotServable, compare, difference, expected, measure
from alignment.serving.artefact import to_gguf
from alignment.serving.gguf_check import file_difference
from data.bases import DEFAULT_BASE
from data.errors import ParleyError
from tests.alignment.serving.adapters import adapter

pytestmark = pytest.mark.tiny

GOOD = Agreement(
    positions=48,
    tokens=1536,
    base=Gap(scale=0.0, mean=0.087, max=0.54, effect=0.0, limit=0.25),
    served=Gap(scale=1.0, mean=0.087, max=0.4, effect=0.5, limit=0.14),
    probe=Gap(scale=2.0, mean=0.09, max=0.4, effect=0.6, limit=0.11),
)


@pytest.mark.parametrize("which", ["base", "served", "probe"])
@pytest.mark.parametrize("mean", [0.3, float("nan")])
def test_any_gap_above_its_limit_is_refused(which: str, mean: float) -> None:
    assert difference(GOOD) is None
    assert difference(replace(GOOD, **{which: replace(getattr(GOOD, which), mean=mean)}))


def test_an_adapter_is_measured_itself_and_not_the_merged_file_beside_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def started(command: list[str], **_: object) -> None:
        assert command[command.index("--served") + 1] == "lora"
        raise ParleyError("seen")

    monkeypatch.setattr(engine.subprocess, "Popen", started)
    with pytest.raises(ParleyError, match="seen"):
        measure(Expected([], [], [], 1.0, [], {}), "toy", tmp_path / "adapter.gguf")


@pytest.mark.base
def test_the_check_tells_a_right_export_from_broken_ones(
    base_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hf = locate(DEFAULT_BASE).path
    saved = adapter(hf, tmp_path / "saved", std=0.03, r=16, lora_alpha=32)
    wanted = expected(saved, DEFAULT_BASE, passages=3)
    right = to_gguf(saved, DEFAULT_BASE, tmp_path / "right.gguf")
    found = compare(wanted, DEFAULT_BASE, right)
    assert found.served.effect > 3 * found.base.mean, found

    other = adapter(hf, tmp_path / "other", seed=2, std=0.03, r=16, lora_alpha=32)
    broken = {"another adapter": to_gguf(other, DEFAULT_BASE, tmp_path / "other.gguf")}
    with monkeypatch.context() as patch:
        patch.setattr(gguf_lora, "permuted_rows", lambda b, _: b)
        broken["rows not permuted"] = to_gguf(saved, DEFAULT_BASE, tmp_path / "rows.gguf")
    with monkeypatch.context() as patch:
        patch.setattr(gguf_lora, "scaling", lambda *_: 0.0)
        broken["scale 0"] = to_gguf(saved, DEFAULT_BASE, tmp_path / "zero.gguf")
    for name, file in broken.items():
        # Each half of the check finds it alone.
        assert file_difference(file, wanted.layers), name
        assert difference(measure(wanted, DEFAULT_BASE, file)), name
    with pytest.raises(NotServable, match="must not serve"):
        compare(wanted, DEFAULT_BASE, broken["rows not permuted"])
    wanted.passages[0].prompt[3] += 1
    with pytest.raises(NotServable, match=r"passage 1 .*from token 3 on"):
        compare(wanted, DEFAULT_BASE, right)
