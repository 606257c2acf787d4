"""Recipes, flags, help."""

import dataclasses
import re
import subprocess
import sys
from pathlib import Path

import pytest

from alignment.training.recipe import RECIPES, ParleyArguments, help_text, joined, read
from data.chosen_base import home_base
from data.errors import BadInput
from tests.data.two_bases import FERN, add_base

pytestmark = pytest.mark.tiny

TOLD = ["--dataset_name", "rows.jsonl", "--output_dir", "out"]
MACHINE = {"use_cpu": True, "bf16": False, "activation_checkpointing": False}


def reading(arguments, stage="sft"):
    from alignment.training.settings import DpoSettings, KtoSettings, SftSettings

    return read(stage, arguments, {"sft": SftSettings, "dpo": DpoSettings, "kto": KtoSettings}[stage], MACHINE)


@pytest.mark.parametrize("stage", ["sft", "dpo", "kto"])
def test_shipped_recipes_are_read(stage):
    recipe = reading(TOLD, stage)
    assert recipe.model.model_name_or_path == "smollm2-135m"
    assert recipe.model.use_peft
    assert recipe.training.report_to == []
    assert recipe.given["dataset_name"] == ["rows.jsonl"]


def test_the_recipe_of_semi_online_dpo_needs_prompts_and_no_rows():
    words = ["--config", str(RECIPES / "online.yaml"), "--output_dir", "out"]
    found = reading([*words, "--prompts", "prompts.jsonl"], "dpo")
    assert (found.training.online_every, found.parley.dataset_name) == (4, None)
    for more, sentence in (
        ([], r"online_every draws answers to prompts"),
        (["--dataset_name", "rows.jsonl"], r"online_every draws answers to prompts.*--prompts"),
        (["--prompts", "prompts.jsonl", "--num_generations", "1"], r"a pair needs two answers"),
    ):
        with pytest.raises(BadInput, match=sentence):
            reading([*words, *more], "dpo")
    with pytest.raises(BadInput, match=r"reward_model is for pairs that the policy draws itself.*--online_every"):
        reading([*TOLD, "--reward_model", "out/reward"], "dpo")


def test_without_a_base_a_stage_starts_from_the_homes(tmp_path, monkeypatch):
    monkeypatch.setenv("PARLEY_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("PARLEY_BASES", str(tmp_path / "bases"))
    add_base(tmp_path / "bases", "fern", FERN)
    home_base(tmp_path / "home", "fern", pin=True)
    recipe = reading(TOLD)
    assert (recipe.model.model_name_or_path, recipe.given["model_name_or_path"]) == ("fern", "fern")
    assert reading([*TOLD, "--model_name_or_path", "out/adapter"]).model.model_name_or_path == "out/adapter"
    monkeypatch.setenv("PARLEY_BASE", "moss")
    with pytest.raises(BadInput, match="PARLEY_BASE names the base model moss"):
        reading(TOLD)


@pytest.mark.parametrize("stage", ["sft", "dpo", "kto"])
def test_every_commented_setting_of_a_recipe_is_known(stage, tmp_path):
    lines = (RECIPES / f"{stage}.yaml").read_text().splitlines()
    settings = [
        line.removeprefix("# ")
        for line in lines
        if ": " in line and line.removeprefix("# ").split(":")[0].isidentifier()
    ]
    everything = tmp_path / "all.yaml"
    everything.write_text("\n".join(settings))
    assert reading(["--config", str(everything)], stage).training.activation_checkpointing


@pytest.mark.parametrize("stage", ["sft", "dpo", "kto", "reward", "ppo"])
def test_help_names_only_settings_that_exist(stage):
    """A comment with a colon after its first word would pass for a setting."""
    from trl import ModelConfig

    from alignment.rewards.trainer import RewardSettings
    from alignment.rl.settings import PpoSettings
    from alignment.training.settings import DpoSettings, KtoSettings, SftSettings

    classes = {"sft": SftSettings, "dpo": DpoSettings, "kto": KtoSettings}
    classes |= {"reward": RewardSettings, "ppo": PpoSettings}
    parts = (ParleyArguments, classes[stage], ModelConfig)
    known = {field.name for part in parts for field in dataclasses.fields(part)}
    named = set(re.findall(r"^  --(\w+) \(", help_text(stage), re.MULTILINE))
    assert len(named) > 20
    assert not named - known


def test_flags_win_over_the_recipe(tmp_path):
    config = tmp_path / "r.yaml"
    config.write_text("learning_rate: 1e-3\nseed: 3\nmodel_name_or_path: m\n")
    recipe = reading(["--config", str(config), "--learning_rate", "5e-4", *TOLD])
    assert (recipe.training.learning_rate, recipe.training.seed) == (5e-4, 3)
    assert recipe.given["learning_rate"] == 5e-4


def test_lora_is_the_default_and_a_flag_away_from_full(tmp_path):
    config = tmp_path / "r.yaml"
    config.write_text("model_name_or_path: m\n")
    assert reading([f"--config={config}", *TOLD]).model.use_peft is True
    assert reading([f"--config={config}", *TOLD, "--use_peft", "false"]).model.use_peft is False


@pytest.mark.parametrize(
    ("recipe", "flags", "sentence"),
    [
        ("learning_rat: 1", [], "unknown key 'learning_rat'. Did you mean 'learning_rate'"),
        ("seed: 0", ["--num_train_epoch", "1"], "Unknown flag --num_train_epoch. Did you mean 'num_train_epochs'"),
        ("seed: many", [], "seed"),
        ("seed: [1", [], "not a YAML file"),
        ("assistant_only_loss: true", [], "assistant_only_loss cannot be set: Parley renders"),
        ("seed: 0", ["--push_to_hub"], "push_to_hub cannot be set"),
        ("lora_target_modules: [lm_head]", [], "lm_head cannot be adapted"),
        ("eval_fraction: 1.5", [], "eval_fraction must be at least 0 and at most 0.9"),
        ("seed: 0", ["stray"], "Unexpected argument 'stray'"),
        ("seed: 0\nsave_steps: 5\nseed: 1", [], "r.yaml: seed is given twice, in lines 2 and 4. Give it once"),
        ("search:\n  beta: {low: 1, low: 2}", [], "low is given twice, in lines 3 and 3"),
        ("seed: 0", ["--seed", "1", "--seed", "2"], "--seed is given twice, with 1 and with 2"),
        ("seed: 0", ["--torch_dtype", "x"], "Unknown flag --torch_dtype. Did you mean 'dtype'?"),
        ("seed: 0", ["--max_seq_length", "5"], "Did you mean 'max_length'?"),
        ("seed: 0", ["--overwrite_output_dir"], "the same command resumes its run, and another run needs another"),
        ("seed: 0", ["--logging_nan_inf_filter"], "logging_nan_inf_filter cannot be set"),
        ("learning_rate: .nan", [], "learning_rate must be a number, not nan"),
        ("seed: 0", ["--per_device_train_batch_size", "0"], "per_device_train_batch_size must be at least 1, not 0"),
        ("seed: 0", ["--report_to", "wandb"], "report_to wandb needs the package wandb"),
    ],
)
def test_errors_are_reported(recipe, flags, sentence, tmp_path):
    config = tmp_path / "r.yaml"
    config.write_text(f"model_name_or_path: m\n{recipe}\n")
    with pytest.raises(BadInput, match=r".*") as caught:
        reading(["--config", str(config), *TOLD, *flags])
    assert sentence in str(caught.value)


def test_a_list_in_two_places_has_all_its_values(tmp_path):
    (tmp_path / "r.yaml").write_text("model_name_or_path: m\ndataset_name: [other.jsonl]\n")
    words = ["--config", str(tmp_path / "r.yaml"), *TOLD, "--dataset_name=more.jsonl=0.5"]
    assert reading(words).parley.dataset_name == ["rows.jsonl", "more.jsonl=0.5"]


@pytest.mark.parametrize("name", ["no_dtype", "no_output_dir", "learning_rat", "torch_dtyp", "no_shuffle", "epoch"])
def test_a_hint_names_only_a_flag_that_exists(name):
    with pytest.raises(BadInput) as caught:
        reading([*TOLD, f"--{name}", "x"])
    for hint in re.findall(r"Did you mean '(\w+)'", str(caught.value)):
        with pytest.raises(BadInput) as again:
            reading([*TOLD, f"--{hint}", "x"])
        assert "Unknown flag" not in str(again.value)


def test_a_run_needs_a_folder(tmp_path):
    (tmp_path / "r.yaml").write_text("model_name_or_path: m\n")
    with pytest.raises(BadInput, match="Name a run folder"):
        reading(["--config", str(tmp_path / "r.yaml"), "--dataset_name", "rows.jsonl", "--output_dir="])


def test_a_recipe_that_is_not_a_mapping_is_refused(tmp_path):
    (tmp_path / "r.yaml").write_text("- seed\n")
    with pytest.raises(BadInput, match="expected lines of `name: value`"):
        reading(["--config", str(tmp_path / "r.yaml"), *TOLD])


def test_a_missing_recipe_is_reported():
    with pytest.raises(BadInput, match=r"There is no recipe nowhere.yaml"):
        reading(["--config", "nowhere.yaml", *TOLD])


@pytest.mark.process
@pytest.mark.parametrize("stage", ["sft", "dpo", "kto"])
def test_help_comes_without_the_training_stack(stage):
    code = (
        "import sys, runpy\n"
        "sys.argv = ['x', '--help']\n"
        "try:\n"
        f"    runpy.run_module('alignment.{stage}', run_name='__main__')\n"
        "except SystemExit as end:\n"
        "    assert end.code == 0, end.code\n"
        "heavy = {'torch', 'transformers', 'trl', 'datasets', 'peft'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=Path.cwd(), check=False, timeout=240
    )
    assert done.returncode == 0, done.stderr
    assert "--learning_rate" in done.stdout
    assert done.stdout == help_text(stage) + "\n"


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        ("--a 1 --dataset_name x --dataset_name y=2 --b", "--a 1 --b --dataset_name x y=2"),
        ("--dataset_name=x --dataset-name y z", "--dataset_name x y z"),
        ("--a x --a y", "--a x --a y"),
    ],
)
def test_a_list_flag_that_is_given_twice_has_the_values_of_both(flags, words):
    assert joined(flags.split(), {"dataset_name"}) == words.split()
