"""Settings are checked before anything is loaded."""

import math

import pytest

from alignment.training.checks import check_held_out, check_settings, ignored_shape
from data.errors import BadInput

GOOD = {
    "per_device_train_batch_size": 2,
    "learning_rate": 1e-4,
    "max_steps": -1,
    "num_train_epochs": 2.0,
    "beta": 0.1,
    "lora_dropout": 0.0,
    "warmup_steps": 0,
    "report_to": "none",
    "optim": "adamw_torch",
    "eval_strategy": "no",
    "use_cpu": True,
    "fp16": False,
    "label_smoothing": 0.0,
    "max_length": None,
}


def refused(stage="dpo", packages=(), **settings):
    with pytest.raises(BadInput) as caught:
        check_settings(stage, {**GOOD, **settings}, lambda package: package in packages)
    return str(caught.value)


def test_what_can_be_used_is_not_refused():
    for stage in ("sft", "dpo", "kto", "reward", "ppo"):
        check_settings(stage, GOOD, lambda _: False)
    check_settings("sft", {**GOOD, "max_steps": 5, "num_train_epochs": 0}, lambda _: False)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("per_device_train_batch_size", 0),
        ("per_device_eval_batch_size", 0),
        ("gradient_accumulation_steps", 0),
        ("eval_accumulation_steps", 0),
        ("learning_rate", -1.0),
        ("learning_rate", 0.0),
        ("lora_r", 0),
        ("lora_alpha", 0),
        ("lora_dropout", 1.0),
        ("lora_dropout", -0.1),
        ("beta", 0.0),
        ("beta", -0.1),
        ("label_smoothing", 0.5),
        ("label_smoothing", -0.1),
        ("temperature", 0.0),
        ("top_p", 0.0),
        ("top_p", 1.1),
        ("max_length", 0),
        ("max_completion_length", 0),
        ("seed", -1),
        ("seed", 2**32),
        ("num_train_epochs", 0.0),
        ("num_train_epochs", -1.0),
        ("max_steps", 0),
        ("max_steps", -3),
        ("warmup_steps", -1),
        ("adam_beta2", 1.0),
        ("adam_epsilon", 0.0),
        ("weight_decay", -0.1),
        ("logging_steps", 0.0),
        ("save_steps", 0.0),
        ("eval_steps", -1.0),
        ("save_total_limit", 0),
        ("dataloader_num_workers", -1),
        ("eval_fraction", 1.0),
        ("max_dropped", 2.0),
        ("kl_target", -1.0),
        ("gamma", 1.5),
        ("desirable_weight", 0.0),
        ("num_generations", 0),
        ("repetition_penalty", 0.0),
    ],
)
def test_a_number_outside_its_range_is_named_with_the_range(name, value):
    assert refused(**{name: value}).startswith(f"{name} must be ")


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("name", ["learning_rate", "beta", "max_grad_norm", "any_other_number"])
def test_a_number_that_is_none_is_refused_whatever_it_is_for(name, value):
    assert refused(**{name: value}) == f"{name} must be a number, not {value}."


def test_beta_is_above_zero_where_the_loss_divides_by_it():
    for stage in ("dpo", "kto"):
        assert "beta must be above 0, not -0.1" in refused(stage, beta=-0.1)
    check_settings("ppo", {**GOOD, "beta": 0.0})  # the weight of the KL in GRPO, which 0 switches off


@pytest.mark.parametrize(
    ("settings", "package"),
    [
        ({"report_to": ["tensorboard"]}, "tensorboard"),
        ({"report_to": "wandb"}, "wandb"),
        ({"report_to": ["mlflow", "trackio"]}, "mlflow"),
        ({"use_liger_kernel": True}, "liger_kernel"),
        ({"deepspeed": "nope.json"}, "deepspeed"),
        ({"use_vllm": True}, "vllm"),
        ({"load_in_4bit": True}, "bitsandbytes"),
        ({"load_in_8bit": True}, "bitsandbytes"),
        ({"optim": "paged_adamw_8bit"}, "bitsandbytes"),
        ({"optim": "galore_adamw"}, "galore_torch"),
        ({"optim": "adamw_torch_8bit"}, "torchao"),
        ({"attn_implementation": "flash_attention_2"}, "flash_attn"),
    ],
)
def test_a_package_that_is_needed_late_is_asked_for_at_once(settings, package):
    assert f"needs the package {package}, which is not installed: pip install" in refused(**settings)


def test_either_of_tensorboards_packages_will_do():
    check_settings("sft", {**GOOD, "report_to": "tensorboard"}, lambda package: package == "tensorboardX")


def test_a_tracker_that_does_not_exist_is_named_with_the_nearest():
    assert refused(report_to="tensorbord").endswith("Did you mean 'tensorboard'?")


def test_a_configuration_that_is_not_there_is_named():
    assert refused(packages=["deepspeed"], deepspeed="nope.json") == "deepspeed: there is no file nope.json."


def test_a_mode_of_the_compiler_that_does_not_exist_is_named_with_the_nearest():
    assert "Did you mean 'max-autotune'?" in refused(torch_compile_mode="max_autotune")
    check_settings("sft", {**GOOD, "torch_compile_mode": "reduce-overhead"}, lambda _: False)


def test_fp16_needs_a_gpu():
    assert refused(fp16=True).startswith("fp16 needs a GPU")
    check_settings("sft", {**GOOD, "fp16": True, "use_cpu": False})


def test_what_goes_by_held_out_figures_needs_some():
    assert "--eval_strategy steps" in refused(save_strategy="best")
    assert "metric_for_best_model" in refused(save_strategy="best", eval_strategy="steps")

    class Settings:
        eval_strategy = "steps"

    with pytest.raises(BadInput, match=r"there are none\. Set eval_fraction above 0"):
        check_held_out(Settings, 0)
    check_held_out(Settings, 1)


def test_a_continued_adapter_keeps_its_shape_and_says_so():
    own = {"r": 8, "lora_alpha": 16, "lora_dropout": 0.0, "target_modules": ["v_proj", "q_proj"]}
    assert ignored_shape({"lora_r": 8, "lora_target_modules": ["q_proj", "v_proj"]}, own) is None
    assert ignored_shape({"learning_rate": 1.0}, own) is None
    sentence = ignored_shape({"lora_r": 32, "lora_alpha": 16, "lora_target_modules": "q_proj"}, own)
    assert sentence == (
        "The adapter that is continued keeps its own shape: lora_r 32 (it has 8), lora_target_modules q_proj (it has "
        "q_proj v_proj) have no effect."
    )
    assert "use_peft false" in str(ignored_shape({"use_peft": False}, own))
