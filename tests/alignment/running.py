"""Runs a stage's command on a tiny base, in this process."""

import importlib
import json
from pathlib import Path

from safetensors.torch import load_file

QUICK = {
    "num_train_epochs": 2,
    "per_device_train_batch_size": 4,
    "gradient_accumulation_steps": 1,
    "learning_rate": 1e-2,
    "eval_fraction": 0.2,
    "lora_r": 4,
    "bf16": "false",
    "max_length": 256,
    "save_steps": 2,
    "logging_steps": 1,
    "precompute_ref_log_probs": None,
}


def command(stage: str, base: Path | str, rows: Path | list[Path | str], out: Path, **flags: object) -> list[str]:
    """The flags of a run; a value of None leaves a flag out, a list gives it several values."""
    settings = {"model_name_or_path": base, "dataset_name": rows, "output_dir": out, **QUICK, **flags}
    if stage == "dpo" and "precompute_ref_log_probs" not in flags:
        settings["precompute_ref_log_probs"] = "true"
    if stage == "ppo":  # has lengths of its own for prompt and answer
        settings = {name: value for name, value in settings.items() if name != "max_length" or name in flags}
    words: list[str] = []
    for name, value in settings.items():
        if value is not None:
            words += [f"--{name}", *map(str, value if isinstance(value, list) else [value])]
    return words


def train(stage: str, base: Path | str, rows: Path | list[Path | str], out: Path, **flags: object) -> dict:
    """Run a stage; returns its manifest."""
    main = importlib.import_module(f"alignment.{stage}").main
    assert main(command(stage, base, rows, out, **flags)) == 0
    return manifest(out)


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
