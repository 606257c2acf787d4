"""Proof of forgetting: a round without a person makes, bit for bit, the adapters of a round that never knew them."""

import asyncio
import importlib
from collections.abc import Sequence
from pathlib import Path

import pytest

import alignment.rounds.steps
from alignment.models import adapter_sha256
from alignment.rounds.manifest import RoundFolder
from alignment.rounds.snapshot import Snapshot, collect_snapshot, digest
from alignment.rounds.steps import choose, run_step
from tests.alignment import tiny
from tests.data.departed import two_homes

pytestmark = pytest.mark.tiny

RECIPE = """
num_train_epochs: 2
per_device_train_batch_size: 4
gradient_accumulation_steps: 1
learning_rate: 0.01
lora_r: 4
bf16: false
max_length: 256
logging_steps: 1
save_steps: 100
"""


def in_this_process(module: str, arguments: Sequence[str], _warm: object) -> int:
    code: int = importlib.import_module(f"alignment.{module}").main(list(arguments))
    return code


def round_of(
    home: Path, base: Path, recipe: Path, patch: pytest.MonkeyPatch
) -> tuple[dict[str, str], dict[str, str]]:
    """The stages of a round from the base in a home: the hashes of their rows and of their adapters."""
    patch.setenv("PARLEY_HOME", str(home))
    with RoundFolder.open(home / "rounds") as folder:
        steps, _ = choose("auto", Snapshot(asyncio.run(collect_snapshot(folder.path))))
        start: str | Path = str(base)
        adapters = {}
        for step in steps:
            start = run_step(step, recipe, start, folder)
            adapters[step.name] = adapter_sha256(start)
    return {step.name: digest(step.rows) for step in steps}, adapters


@pytest.mark.long
def test_a_round_after_forgetting_is_the_round_that_never_knew_the_person(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(alignment.rounds.steps, "launch", in_this_process)
    base, recipe = tiny.build("llama", tmp_path / "base"), tmp_path / "recipe.yaml"
    recipe.write_text(RECIPE)
    left, never = asyncio.run(two_homes(tmp_path))
    (rows, adapters), (other_rows, other_adapters) = (
        round_of(home, base, recipe, monkeypatch) for home in (left, never)
    )
    assert rows == other_rows
    assert adapters == other_adapters
    assert list(adapters) == ["sft", "dpo"]
    assert len(set(adapters.values())) == 2  # and both stages learnt something
