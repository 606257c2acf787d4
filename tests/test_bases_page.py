"""The table of docs/bases.md is what `python -m tests.bench.bases` computes."""

from pathlib import Path

import pytest

from tests.bench import bases

PAGE = Path(__file__).parents[1] / "docs" / "bases.md"


def test_the_page_has_the_computed_table() -> None:
    page = PAGE.read_text(encoding="utf-8").splitlines()
    assert [line for line in bases.rows() if line not in page] == []


@pytest.mark.parametrize(
    ("name", "billions"),
    [("SmolLM2-135M", 0.1345), ("GPT-2", 0.124), ("Qwen3-1.7B", 1.72), ("Qwen3-4B", 4.02), ("Mistral 7B", 7.25)],
)
def test_the_shapes_have_the_weights_that_the_models_are_known_for(name: str, billions: float) -> None:
    (shape,) = (each for each in bases.SHAPES if each.name == name)
    assert shape.weights / 1e9 == pytest.approx(billions, rel=0.01)


def test_the_arithmetic_gives_what_was_measured_for_the_bundled_base() -> None:
    # An engine that serves it in Q8_0 had 0.59 GB at its peak; DPO on two pairs a step 2.7 and 2.0 GB.
    found = bases.SMOLLM2
    assert bases.to_serve(found, 8.5) == pytest.approx(0.59, abs=0.15)
    assert bases.to_train(found, held=found.weights * 4 / 1e9, step=bases.STEP_FLOAT32, where=0.6) == pytest.approx(
        2.7, abs=0.1
    )
    assert bases.to_train(found, held=found.weights * 2 / 1e9, step=bases.STEP_BF16, where=0.6) == pytest.approx(
        2.0, abs=0.1
    )
