"""accelerate reads the files in deploy/accelerate as intended. There are no GPUs here to run them."""

import os
from pathlib import Path

import pytest
import torch
import yaml
from accelerate.commands.config.config_args import load_config_from_file
from accelerate.commands.launch import _validate_launch_command, launch_command_parser
from accelerate.utils import DeepSpeedPlugin, DistributedType, FullyShardedDataParallelPlugin
from accelerate.utils.launch import prepare_multi_gpu_env
from trl import get_quantization_config

from alignment.training import policy
from alignment.training.recipe import read
from alignment.training.settings import SftSettings
from alignment.training.trainers import hold_float32
from data.errors import BadInput

pytestmark = pytest.mark.tiny

FOLDER = Path(__file__).parents[3] / "deploy" / "accelerate"
KINDS = {
    "one_gpu": DistributedType.NO,
    "ddp": DistributedType.MULTI_GPU,
    "fsdp2": DistributedType.FSDP,
    "deepspeed_zero3": DistributedType.DEEPSPEED,
    "qlora": DistributedType.NO,
}


def launched(name):
    """The arguments of `accelerate launch` after the file is read."""
    words = ["--config_file", str(FOLDER / f"{name}.yaml"), "--module", "alignment.sft", "--output_dir", "out"]
    args = launch_command_parser().parse_args(words)
    return _validate_launch_command(args)[0]


def test_every_file_is_tested():
    assert {path.stem for path in FOLDER.glob("*.yaml")} == {*KINDS, "qlora-recipe"}


@pytest.mark.parametrize("name", KINDS)
def test_accelerate_reads_it(name):
    path = FOLDER / f"{name}.yaml"
    found = load_config_from_file(str(path))  # an unknown key is an error
    assert found.distributed_type == KINDS[name]
    assert "NEVER RUN" in path.read_text() or name in ("one_gpu", "ddp")
    assert all("--module alignment.sft" in path.read_text() for path in [path])


@pytest.mark.parametrize("name", ["one_gpu", "ddp", "fsdp2"])
def test_the_launcher_accepts_it(name, monkeypatch):
    # As on a machine that has the GPUs.
    monkeypatch.setattr("torch.cuda.device_count", lambda: 8)
    args = launched(name)
    assert args.training_script == "alignment.sft"
    assert args.training_script_args == ["--output_dir", "out"]
    assert args.module
    assert args.num_processes == {"one_gpu": 1, "ddp": 2, "fsdp2": 8}[name]
    assert args.use_fsdp is (name == "fsdp2")


def test_the_plugin_of_fsdp2_is_what_the_file_says(monkeypatch):
    monkeypatch.setattr("torch.cuda.device_count", lambda: 8)
    environment = prepare_multi_gpu_env(launched("fsdp2"))
    for key, value in environment.items():
        if key.startswith(("FSDP_", "ACCELERATE_")):
            monkeypatch.setenv(key, value)
    plugin = FullyShardedDataParallelPlugin()
    assert plugin.fsdp_version == 2
    assert plugin.reshard_after_forward is True
    assert plugin.cpu_ram_efficient_loading
    assert plugin.activation_checkpointing
    assert "SHARDED" in str(plugin.state_dict_type)
    assert os.environ["ACCELERATE_USE_FSDP"] == "true"


def test_the_plugin_of_zero3_is_what_the_file_says(monkeypatch):
    zero3 = yaml.safe_load((FOLDER / "deepspeed_zero3.yaml").read_text())["deepspeed_config"]
    monkeypatch.setattr("accelerate.utils.dataclasses.is_deepspeed_available", lambda: True, raising=False)
    plugin = DeepSpeedPlugin(
        zero_stage=zero3["zero_stage"],
        zero3_init_flag=False,  # true would build models through DeepSpeed, which is not installed
        zero3_save_16bit_model=zero3["zero3_save_16bit_model"],
        offload_optimizer_device=zero3["offload_optimizer_device"],
        offload_param_device=zero3["offload_param_device"],
        gradient_accumulation_steps=zero3["gradient_accumulation_steps"],
        gradient_clipping=zero3["gradient_clipping"],
    )
    zero = plugin.deepspeed_config["zero_optimization"]
    assert zero["stage"] == 3
    assert zero["stage3_gather_16bit_weights_on_model_save"] is True
    assert plugin.deepspeed_config["gradient_accumulation_steps"] == "auto"


def test_the_recipe_of_qlora_is_valid(monkeypatch):
    monkeypatch.setattr("transformers.utils.quantization_config.BitsAndBytesConfig.post_init", lambda _: None)
    monkeypatch.setattr("importlib.util.find_spec", lambda *_: object())
    words = ["--config", str(FOLDER / "qlora-recipe.yaml"), "--model_name_or_path", "m", "--dataset_name", "r.jsonl"]
    # As on this machine: bf16 and the paged optimizer are for the GPU.
    words += ["--output_dir", "out", "--bf16", "false"]
    recipe = read("sft", words, SftSettings, {"use_cpu": True})
    quantised = get_quantization_config(recipe.model)
    assert quantised.load_in_4bit
    assert quantised.bnb_4bit_quant_type == "nf4"
    assert quantised.bnb_4bit_use_double_quant
    assert recipe.training.optim == "paged_adamw_8bit"
    assert recipe.model.use_peft


def test_stages_that_load_a_second_model_refuse_zero3(monkeypatch):
    policy.refuse_zero3("ppo")
    monkeypatch.setattr("alignment.training.policy.is_deepspeed_zero3_enabled", lambda: True)
    with pytest.raises(BadInput, match=r"ppo does not run under DeepSpeed ZeRO-3. Take .*fsdp2.yaml"):
        policy.refuse_zero3("ppo")


def test_what_is_trained_on_a_quantised_base_is_float32():
    model = torch.nn.ModuleDict({"base": torch.nn.Linear(2, 2), "adapter": torch.nn.Linear(2, 2)}).bfloat16()
    model["base"].requires_grad_(False)
    hold_float32(model)
    assert model["adapter"].weight.dtype == torch.bfloat16  # not quantised: unchanged
    model.is_loaded_in_4bit = True
    hold_float32(model)
    assert model["adapter"].weight.dtype == torch.float32
    assert model["base"].weight.dtype == torch.bfloat16
