"""How a stage ends: diverged, resumed past a damaged checkpoint, with its trackers' files, and after one step."""

import json
import math
import sys
from pathlib import Path
from types import ModuleType

import pytest
import torch
from transformers.integrations import integration_utils

from alignment import models, ppo
from alignment.training.errors import Diverged
from alignment.training.trainers import Sft
from data.errors import BadInput
from tests.alignment import tiny
from tests.alignment.running import command, dying, losses, manifest, metrics, train, weights

pytestmark = pytest.mark.tiny


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    return tiny.build("llama", tmp_path_factory.mktemp("llama"))


@pytest.fixture(scope="module")
def rows(tmp_path_factory):
    folder = tmp_path_factory.mktemp("rows")
    pairs = tiny.preferences(8)
    return {
        "sft": tiny.write(folder / "sft.jsonl", tiny.demonstrations(8)),
        "dpo": tiny.write(folder / "dpo.jsonl", pairs),
        "kto": tiny.write(folder / "kto.jsonl", tiny.votes(pairs)),
        "reward": tiny.write(folder / "reward.jsonl", pairs),
    }


@pytest.mark.parametrize("stage", ["sft", "dpo", "kto", "reward"])
def test_a_stage_that_diverges_has_no_result_and_shows_what_happened(stage, base, rows, tmp_path):
    wild = {"learning_rate": 1e30, "max_grad_norm": 0, "max_steps": 6, "eval_fraction": 0, "save_steps": 1}
    with pytest.raises(Diverged, match=r"step [23] of 6: the training diverged\. Lower learning_rate") as caught:
        train(stage, base, rows[stage], tmp_path / "out", **wild)
    assert caught.value.exit_code == 2
    run = manifest(tmp_path / "out")
    assert (run["status"], run["failure"]) == ("failed", str(caught.value))
    assert "result" not in run
    last = metrics(tmp_path / "out")[-1]
    assert not math.isfinite(float(last["loss"]))
    assert not {"adapter", "reward", "model"} & {path.name for path in (tmp_path / "out").iterdir()}
    kept = sorted((tmp_path / "out" / "checkpoints").glob("checkpoint-*"))
    assert kept, "the checkpoints from before stay"
    saved = weights(kept[-1])
    assert all(bool(torch.isfinite(tensor).all()) for tensor in saved.values())


def test_huge_weights_after_the_only_step_are_no_result(base, rows, tmp_path):
    with pytest.raises(Diverged, match="computes no finite numbers after step 1"):
        train("sft", base, rows["sft"], tmp_path / "out", learning_rate=1e30, max_steps=1, eval_fraction=0)


def test_the_only_step_of_a_run_learns(base, rows, tmp_path, capsys):
    flags = {"max_steps": 1, "eval_fraction": 0, "warmup_steps": 0.1, "lr_scheduler_type": "linear"}
    train("sft", base, rows["sft"], tmp_path / "out", lora_target_modules="q_proj", **flags)
    assert metrics(tmp_path / "out")[0]["learning_rate"] == pytest.approx(1e-2)
    saved = weights(tmp_path / "out" / "adapter")
    assert all(tensor.any() for name, tensor in saved.items() if "lora_B" in name)
    assert all(".q_proj." in name for name in saved)  # one name is a name, not an expression
    assert "In 1 optimizer step at most 4 of the 8 rows are seen" in capsys.readouterr().out


def test_a_damaged_checkpoint_is_passed_over_and_the_weights_are_the_same(base, rows, tmp_path, capsys):
    flags = {"max_steps": 6, "save_steps": 2, "eval_fraction": 0}
    with dying(Sft, 6):
        train("sft", base, rows["sft"], tmp_path / "out", **flags)
    checkpoint = tmp_path / "out" / "checkpoints" / "checkpoint-4"
    (checkpoint / "optimizer.pt").write_bytes((checkpoint / "optimizer.pt").read_bytes()[:1000])
    train("sft", base, rows["sft"], tmp_path / "out", **flags)
    printed = " ".join(capsys.readouterr().out.split())
    assert "checkpoint-4 is damaged (optimizer.pt is cut off): going back to checkpoint-2." in printed
    assert "Resuming from checkpoint-2." in printed
    train("sft", base, rows["sft"], tmp_path / "whole", **flags)
    assert losses(tmp_path / "out") == losses(tmp_path / "whole")
    resumed, through = (weights(tmp_path / name / "adapter") for name in ("out", "whole"))
    assert all(torch.equal(resumed[name], through[name]) for name in through)


class Writer:
    """Stands for TensorBoard's, which is not installed."""

    def __init__(self, log_dir: str) -> None:
        self.file = Path(log_dir) / f"events.{len(list(Path(log_dir).iterdir()))}"

    def add_text(self, *_: object) -> None:
        """Nothing."""

    def add_scalar(self, name: str, value: float, step: int) -> None:
        with self.file.open("a") as file:
            file.write(json.dumps([name, value, step]) + "\n")

    def flush(self) -> None:
        """Nothing."""

    close = flush


def test_tensorboards_files_outlive_the_run_and_a_resumed_run_adds_to_them(base, rows, tmp_path, monkeypatch):
    monkeypatch.setattr(integration_utils, "is_tensorboard_available", lambda: True)
    monkeypatch.delenv("TENSORBOARD_LOGGING_DIR", raising=False)
    monkeypatch.setattr("alignment.training.checks._installed", lambda _: True)
    fake = ModuleType("torch.utils.tensorboard")
    fake.SummaryWriter = Writer  # type: ignore[attr-defined]  # a module that is made up
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", fake)
    flags = {"max_steps": 4, "save_steps": 2, "eval_fraction": 0, "report_to": "tensorboard"}
    with dying(Sft, 4):
        train("sft", base, rows["sft"], tmp_path / "out", **{**flags, "logging_steps": 2})
    train("sft", base, rows["sft"], tmp_path / "out", **{**flags, "run_name": "again"})
    found = sorted((tmp_path / "out" / "trackers").glob("events.*"))
    assert [path.name for path in found] == ["events.0", "events.1"]
    steps = {json.loads(line)[2] for path in found for line in path.read_text().splitlines()}
    assert {2, 3, 4} <= steps


@pytest.mark.parametrize("family", ["gpt2", "llama"])
def test_rows_beyond_the_bases_positions_are_dropped_in_every_stage(family, tmp_path, capsys):
    base = tiny.build(family, tmp_path / "base")
    long = "hello " * 600
    asked = [{"role": "user", "content": long}]
    answer, other = ([{"role": "assistant", "content": text}] for text in ("Paris.", "No."))
    made = {
        "sft": [*tiny.demonstrations(9), {"messages": [*asked, *answer]}],
        "dpo": [*tiny.preferences(9), {"prompt": asked, "chosen": answer, "rejected": other}],
        "kto": [*tiny.votes(tiny.preferences(5)), {"prompt": asked, "completion": answer, "label": True}],
        "reward": [*tiny.preferences(9), {"prompt": asked, "chosen": answer, "rejected": other}],
    }
    for stage in made if family == "gpt2" else ["sft"]:
        rows = tiny.write(tmp_path / f"{stage}.jsonl", made[stage])
        flags = {"max_length": 2048, "max_steps": 1, "eval_fraction": 0, "max_dropped": 0.2}
        found = train(stage, base, rows, tmp_path / stage, **flags)
        assert sum(found["data"]["train"]["dropped"].values()) == 1
        printed = " ".join(capsys.readouterr().out.split())
        assert f"max_length 2048 is more than the 512 positions of {base}: rows longer than 512 tokens" in printed


def test_the_positions_of_a_stretched_base_count_whole(tmp_path):
    base = models.locate(str(tiny.build("qwen", tmp_path)))
    assert models.positions(base) == 512
    config = json.loads((tmp_path / "config.json").read_text())
    config["rope_parameters"] = {
        "rope_type": "yarn",
        "factor": 4.0,
        "original_max_position_embeddings": 512,
        "rope_theta": 10000.0,
    }
    (tmp_path / "config.json").write_text(json.dumps(config))
    assert models.positions(base) == 2048


def test_the_folder_of_a_run_stands_for_its_result(base, rows, tmp_path):
    train("sft", base, rows["sft"], tmp_path / "run", max_steps=1)
    found = models.resolve(str(tmp_path / "run"))
    assert found.adapter == tmp_path / "run" / "adapter"
    assert found.base.path == str(base)
    train("sft", tmp_path / "run", rows["sft"], tmp_path / "second", max_steps=1, lora_r=8)
    with dying(Sft, 1):
        train("sft", base, rows["sft"], tmp_path / "cut", max_steps=1)
    with pytest.raises(BadInput, match="folder of a run without a result"):
        models.resolve(str(tmp_path / "cut"))


def test_a_continued_adapter_says_which_settings_have_no_effect(base, rows, tmp_path, capsys):
    train("sft", base, rows["sft"], tmp_path / "run", max_steps=1)
    capsys.readouterr()
    train("sft", tmp_path / "run" / "adapter", rows["sft"], tmp_path / "second", max_steps=1, lora_r=8)
    assert "keeps its own shape: lora_r 8 (it has 4)" in " ".join(capsys.readouterr().out.split())


def test_settings_that_trl_refuses_are_a_sentence_and_leave_nothing_in_the_way(base, rows, tmp_path):
    for flags in ({"lr_scheduler_kwargs": '{"nope": 1}'}, {"lora_target_modules": "mlp"}):
        with pytest.raises(BadInput):
            train("sft", base, rows["sft"], tmp_path / "out", max_steps=1, **flags)
    assert train("sft", base, rows["sft"], tmp_path / "out", max_steps=1)["status"] == "done"


def test_ppo_that_diverges_has_no_result(base, tmp_path):
    prompts = [{"prompt": row["prompt"]} for row in tiny.preferences(8)]
    rows = tiny.write(tmp_path / "prompts.jsonl", prompts)
    flags = {"learning_rate": 1e30, "max_grad_norm": 0, "max_steps": 6, "eval_fraction": 0}
    flags |= {"max_completion_length": 8, "steps_per_generation": 1, "num_iterations": 1, "kl_limit": None}

    def reward(completions: list, **_: object) -> list[float]:
        return [float(len(each[0]["content"])) for each in completions]

    with pytest.raises(Diverged, match=r"the training diverged\. Lower learning_rate"):
        ppo.main(command("ppo", base, rows, tmp_path / "out", **flags), reward=reward)
    assert manifest(tmp_path / "out")["status"] == "failed"
    assert not (tmp_path / "out" / "adapter").exists()


def test_a_reward_model_may_have_another_base_and_tokenizer_than_the_policy(base, rows, tmp_path, capsys):
    other = tiny.build("qwen", tmp_path / "other")
    train("reward", other, rows["reward"], tmp_path / "judge", max_steps=1, eval_fraction=0)
    asked = tiny.write(tmp_path / "p.jsonl", [{"prompt": row["prompt"]} for row in tiny.preferences(8)])
    flags = {"max_steps": 1, "eval_fraction": 0, "max_completion_length": 8, "steps_per_generation": 1}
    # The folder of the judge's run stands for the reward model in it.
    run = train("ppo", base, asked, tmp_path / "out", reward_model=tmp_path / "judge", num_iterations=1, **flags)
    assert run["status"] == "done"
    assert "is on another base" in " ".join(capsys.readouterr().out.split())
