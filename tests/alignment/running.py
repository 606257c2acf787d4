"""Runs a stage's command on a tiny base, or makes its trainer, in this process."""

import importlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

import alignment.rewards.trainer
from alignment.training import settings, trainers
from alignment.training.policy import load_policy
from alignment.training.stage import begin, trainer_arguments

QUICK = {
    "num_train_epochs": 2,
    "per_device_train_batch_size": 4,
    "gradient_accumulation_steps": 1,
    "learning_rate": 1e-2,
    "eval_fraction": 0.2,
    "lora_r": 4,
    "bf16": "false",
    "max_length": 256,
    "save_steps": 100,  # none before the end; a test of checkpoints sets this
    "logging_steps": 1,
    "precompute_ref_log_probs": None,
}


def command(stage: str, base: Path | str, rows: Path | list[Path | str], out: Path, **flags: object) -> list[str]:
    """The flags of a run; a value of None leaves a flag out, a list gives it several values."""
    given = {"model_name_or_path": base, "dataset_name": rows, "output_dir": out, **QUICK, **flags}
    if stage == "dpo" and "precompute_ref_log_probs" not in flags:
        given["precompute_ref_log_probs"] = "true"
    if stage == "ppo":  # PPO has separate lengths for prompt and answer
        given = {name: value for name, value in given.items() if name != "max_length" or name in flags}
    words: list[str] = []
    for name, value in given.items():
        if value is not None:
            words += [f"--{name}", *map(str, value if isinstance(value, list) else [value])]
    return words


def train(stage: str, base: Path | str, rows: Path | list[Path | str], out: Path, **flags: object) -> dict:
    """Run a stage; returns its manifest."""
    main = importlib.import_module(f"alignment.{stage}").main
    assert main(command(stage, base, rows, out, **flags)) == 0
    return manifest(out)


def built(stage: str, base: Path | str, rows: Path, out: Path, **flags: object) -> tuple[Any, Any]:
    """The trainer of `sft`, `dpo` or `kto` just before it trains, and its tokenizer."""
    kind = {"sft": "demonstration", "dpo": "preference", "kto": "labelled"}[stage]
    words = command(stage, base, rows, out, **flags)
    with begin(stage, kind, words, getattr(settings, f"{stage.title()}Settings")) as made:
        policy, lora = load_policy(made)
        made_of = getattr(trainers, stage.title())
        trainer = made_of(model=policy, peft_config=lora, **trainer_arguments(made))
        trainer.row_weights = made.rows.train.weights
        return trainer, made.tokenizer


@contextmanager
def dying(trainer: type, at: int) -> Iterator[None]:
    """Inside the block, a trainer of this class is interrupted in a step (from 1); that ends the block."""
    step, begun = trainer.training_step, []

    def interrupted(self: Any, *args: Any, **kwargs: Any) -> Any:
        begun.append(1)
        if len(begun) == at:
            raise KeyboardInterrupt
        return step(self, *args, **kwargs)

    with _patched(trainer, "training_step", interrupted), pytest.raises(KeyboardInterrupt):
        yield


@contextmanager
def dying_after_saving(trainer: type) -> Iterator[None]:
    """Inside the block, a trainer of this class is interrupted after its first checkpoint; that ends the block."""
    save = trainer._save_checkpoint

    def saved(self: Any, *args: Any) -> None:
        save(self, *args)
        raise KeyboardInterrupt

    with _patched(trainer, "_save_checkpoint", saved), pytest.raises(KeyboardInterrupt):
        yield


@contextmanager
def _patched(trainer: type, name: str, method: Any) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(trainer, name, method)
        yield


def cut_in_two_ways(stage: str, base: Path, rows: Path, out: Path) -> tuple[Path, Path]:
    """The folders of two runs whose steps of eight rows are computed one row at a time, and all together."""
    for name, size, steps in (("one", 1, 8), ("eight", 8, 1)):
        cut = {"per_device_train_batch_size": size, "gradient_accumulation_steps": steps}
        train(stage, base, rows, out / name, eval_fraction=0, **cut)
    return out / "one", out / "eight"


def manifest(out: Path) -> dict:
    """A run's manifest."""
    return json.loads((out / "manifest.json").read_text())


def metrics(out: Path) -> list[dict]:
    """A run's metrics."""
    return [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]


def losses(out: Path) -> list[float]:
    """The training losses, in order."""
    return [entry["loss"] for entry in metrics(out) if "loss" in entry]


def weights(folder: Path) -> dict:
    """The tensors of an adapter or a model."""
    path = folder / "adapter_model.safetensors"
    return load_file(path if path.exists() else folder / "model.safetensors")


def assert_same_weights(one: Path, other: Path, **within: float) -> None:
    """Two runs of PPO ended with the same weights, to the bit or within `atol` and `rtol`."""
    for part in ("adapter", "critic"):
        found, expected = weights(one / part), weights(other / part)
        assert found.keys() == expected.keys()
        for name, tensor in expected.items():
            torch.testing.assert_close(found[name], tensor, **{"atol": 0.0, "rtol": 0.0, **within})


def score_everything_zero(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a reward model begin with a head that gives every answer the score 0."""
    usual = alignment.rewards.trainer.load_scorer

    def zero(*args: Any, **more: Any) -> Any:
        scorer = usual(*args, **more)
        torch.nn.init.zeros_(scorer.score.weight)
        return scorer

    monkeypatch.setattr(alignment.rewards.trainer, "load_scorer", zero)
