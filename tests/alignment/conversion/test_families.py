"""Every architecture that is served: converted, given an adapter, exported, and served as PEFT computes it."""

from pathlib import Path

import numpy as np
import pytest

from alignment.serving.agreement import NotServable, compare, expected
from alignment.serving.artefact import to_gguf
from alignment.serving.gguf_check import file_difference
from alignment.serving.gguf_lora import ARCHITECTURES, unmixed_rows
from tests.alignment.serving.adapters import adapter
from tests.fakes import tiny_bases

pytestmark = [pytest.mark.tiny, pytest.mark.process]


@pytest.fixture(scope="module")
def bases(shelf) -> Path:
    return shelf(**dict.fromkeys(tiny_bases.FAMILIES, "f32"))


def test_there_is_a_tiny_base_of_every_architecture() -> None:
    assert tiny_bases.FAMILIES.keys() == ARCHITECTURES.keys() == tiny_bases.PRE.keys()


@pytest.mark.parametrize("family", tiny_bases.FAMILIES)
def test_an_adapter_is_served_as_peft_computes_it(bases: Path, family: str, tmp_path: Path) -> None:
    saved = adapter(bases / family / "hf", tmp_path / "adapter", std=0.1)
    # The first passages are English, the last one is Chinese.
    wanted = expected(saved, family, passages=2)
    found = compare(wanted, family, to_gguf(saved, family, tmp_path / "adapter.gguf"))
    assert found.base.mean < 0.003, found
    assert found.served.mean < 0.003, found
    assert found.served.effect > 0.1, found  # without the adapter, or with another, it would be this far off


@pytest.mark.parametrize("family", ["gpt_neox", "smollm3"])
def test_rows_in_hugging_faces_order_are_refused(
    bases: Path, family: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    saved = adapter(bases / family / "hf", tmp_path / "adapter", std=0.1)
    wanted = expected(saved, family, passages=1)
    monkeypatch.setattr("alignment.serving.gguf_lora._reordered", lambda b, *_: b)
    wrong = to_gguf(saved, family, tmp_path / "wrong.gguf")
    assert "order of rows" in (file_difference(wrong, wanted.layers) or "")
    with pytest.raises(NotServable, match="must not serve"):
        compare(wanted, family, wrong)


def test_fused_rows_are_queries_then_keys_then_values() -> None:
    names = [f"{part}{head}{row}" for head in range(3) for part in "qkv" for row in range(2)]
    numbers = np.arange(len(names), dtype=np.float32)[:, None]
    found = [names[int(number)] for number in unmixed_rows(numbers, 3)[:, 0]]
    assert found == [f"{part}{head}{row}" for part in "qkv" for head in range(3) for row in range(2)]
