"""Checks of a stage's settings before anything is loaded: ranges, packages, and settings that would do nothing.

TRL and transformers find such mistakes late, as an error of their own after the base is loaded, or never.
"""

import importlib.util
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from data.errors import BadInput, nearest


@dataclass(frozen=True, slots=True)
class _Range:
    """The range of a number, and why, or what to do, as the end of the sentence."""

    low: float
    high: float = math.inf
    open_low: bool = False
    open_high: bool = False
    why: str = ""

    def __contains__(self, value: float) -> bool:
        above = value > self.low if self.open_low else value >= self.low
        return above and (value < self.high if self.open_high else value <= self.high)

    def __str__(self) -> str:
        low = f"above {self.low:.10g}" if self.open_low else f"at least {self.low:.10g}"
        if self.high == math.inf:
            return low
        return f"{low} and {'below' if self.open_high else 'at most'} {self.high:.10g}"


_COUNT = _Range(1)
_FROM_ZERO = _Range(0)
_ABOVE_ZERO = _Range(0, open_low=True)
_SHARE = _Range(0, 1)
_BELOW_ONE = _Range(0, 1, open_high=True)
_SEED = _Range(0, 2**32 - 1)

# What torch's compiler takes; it looks at the name only in the first step.
_COMPILE_MODES = ("default", "lite", "reduce-overhead", "max-autotune", "max-autotune-no-cudagraphs")

_RANGES: dict[str, _Range] = {
    **dict.fromkeys(
        (
            "online_every", "per_device_train_batch_size", "per_device_eval_batch_size",
            "gradient_accumulation_steps", "eval_accumulation_steps", "save_total_limit", "torch_empty_cache_steps",
            "dataloader_prefetch_factor", "ddp_bucket_cap_mb", "ddp_timeout", "dataset_num_proc", "max_length",
            "pad_to_multiple_of",
            "precompute_ref_batch_size", "ref_model_sync_steps", "num_generations", "num_generations_eval",
            "max_completion_length", "generation_batch_size", "heads", "steps_per_generation", "num_iterations",
            "vllm_max_model_length", "vllm_tensor_parallel_size", "watch_rollouts", "lora_r",
        ),
        _COUNT,
    ),
    **dict.fromkeys(
        (
            "warmup_steps", "weight_decay", "max_grad_norm", "eval_delay", "dataloader_num_workers", "top_k",
            "router_aux_loss_coef", "center_rewards_coefficient", "entropy_coef", "vf_coef", "kl_coef", "reward_clip",
            "missing_eos_penalty", "demonstration_weight", "spread_coef",
        ),
        _FROM_ZERO,
    ),
    **dict.fromkeys(
        (
            "adam_epsilon", "logging_steps", "eval_steps", "save_steps", "neftune_noise_alpha", "discopop_tau",
            "repetition_penalty", "epsilon", "epsilon_high", "delta", "cliprange_value", "desirable_weight",
            "undesirable_weight", "kl_target", "kl_limit",
        ),
        _ABOVE_ZERO,
    ),
    **dict.fromkeys(
        ("adam_beta1", "adam_beta2", "label_smoothing_factor", "lora_dropout", "offline_share"), _BELOW_ONE
    ),
    **dict.fromkeys(
        ("ld_alpha", "min_p", "top_entropy_quantile", "gamma", "gae_lambda", "max_dropped", "kept_weight"), _SHARE
    ),
    **dict.fromkeys(("top_p", "vllm_gpu_memory_utilization", "ref_model_mixup_alpha"), _Range(0, 1, open_low=True)),
    **dict.fromkeys(("seed", "data_seed"), _SEED),
    "eval_fraction": _Range(0, 0.9),
    "kl_horizon": _COUNT,
    "learning_rate": _Range(0, open_low=True, why="at 0 nothing is learnt"),
    "lora_alpha": _Range(0, open_low=True, why="the adapter is scaled by it, so at 0 it does nothing"),
    "temperature": _Range(0, open_low=True, why="answers are drawn, and at 0 there is only one"),
    "label_smoothing": _Range(
        0, 0.5, open_high=True, why="it is the share of the preferences that is wrong, and at a half they say nothing"
    ),
}  # fmt: skip
# DPO and KTO divide by beta, or turn their loss round; elsewhere it is the weight of the KL, and 0 switches that off.
_BETA = {
    "dpo": _Range(0, open_low=True, why="at 0 the loss means nothing, and below it the worse answer is trained"),
    "kto": _Range(0, open_low=True, why="at 0 the loss means nothing, and below it the worse answer is trained"),
}

# The packages that values of `report_to` need: any one of them.
TRACKERS: dict[str, tuple[str, ...]] = {
    "azure_ml": ("azureml",),
    "clearml": ("clearml",),
    "codecarbon": ("codecarbon",),
    "comet_ml": ("comet_ml",),
    "dagshub": ("dagshub",),
    "dvclive": ("dvclive",),
    "flyte": ("flytekit",),
    "kubeflow": ("kubeflow",),
    "mlflow": ("mlflow",),
    "neptune": ("neptune",),
    "swanlab": ("swanlab",),
    "tensorboard": ("tensorboard", "tensorboardX"),
    "trackio": ("trackio",),
    "wandb": ("wandb",),
}
# The packages that optimizers need, by a part of the optimizer's name.
_OPTIMIZERS = {
    "8bit": "bitsandbytes",
    "paged": "bitsandbytes",
    "bnb": "bitsandbytes",
    "galore": "galore_torch",
    "apollo": "apollo_torch",
    "lomo": "lomo_optim",
    "grokadamw": "grokadamw",
    "schedule_free": "schedulefree",
    "torch_4bit": "torchao",
    "torch_8bit": "torchao",
    "apex": "apex",
    "npu": "torch_npu",
    "stable_adamw": "optimi",
}


def check_settings(stage: str, settings: Mapping[str, Any], installed: Callable[[str], bool] | None = None) -> None:
    """Raise `BadInput` for the first setting of a stage that cannot be used.

    `settings` has the settings by name, as they were read and before TRL sees them. `installed` says whether a
    package is there (default: in this environment).
    """
    _check_numbers(stage, settings)
    _check_together(settings)
    _check_packages(settings, installed or _installed)


def _check_numbers(stage: str, settings: Mapping[str, Any]) -> None:
    ranges = _RANGES | ({"beta": _BETA.get(stage, _FROM_ZERO)})
    for name, value in settings.items():
        if isinstance(value, bool) or not isinstance(value, int | float):
            continue
        if not math.isfinite(value):
            raise BadInput(f"{name} must be a number, not {value}.")
        if (wanted := ranges.get(name)) is not None and value not in wanted:
            raise BadInput(f"{name} must be {wanted}, not {value:.10g}{': ' if wanted.why else ''}{wanted.why}.")
    steps, epochs = settings.get("max_steps", -1), settings.get("num_train_epochs", 1)
    if steps == 0 or steps < -1:
        raise BadInput(
            f"max_steps must be 1 or more, not {steps}: nothing would be trained. Leave it out, and num_train_epochs "
            "says how long the training is."
        )
    if steps < 0 and not epochs > 0:
        raise BadInput(f"num_train_epochs must be above 0, not {epochs:g}: nothing would be trained.")


def _check_together(settings: Mapping[str, Any]) -> None:
    for name in ("fp16", "fp16_full_eval"):
        if settings.get(name) and settings.get("use_cpu"):
            raise BadInput(f"{name} needs a GPU, and this stage runs on a CPU. Leave it out.")
    mode = settings.get("torch_compile_mode")
    if mode is not None and mode not in _COMPILE_MODES:
        raise BadInput(
            f"torch_compile_mode {mode} is not one of {', '.join(_COMPILE_MODES)}.{nearest(mode, _COMPILE_MODES)}"
        )
    evaluated = _text(settings.get("eval_strategy"))
    if _text(settings.get("save_strategy")) == "best":
        if evaluated in ("", "no"):
            raise BadInput(
                "save_strategy best keeps the checkpoint with the best held-out figure, and none is measured: add "
                "--eval_strategy steps, or leave save_strategy out."
            )
        if not settings.get("metric_for_best_model"):
            raise BadInput("save_strategy best needs a figure to go by: add --metric_for_best_model loss.")


def check_held_out(settings: Any, held_out: int) -> None:
    """Raise `BadInput` if a stage is to measure held-out rows while it trains, and there are none."""
    strategy = _text(settings.eval_strategy)
    if strategy not in ("", "no") and not held_out:
        raise BadInput(
            f"eval_strategy {strategy} measures held-out rows, and there are none. Set eval_fraction above 0, name "
            "rows with --eval_dataset_name, or leave eval_strategy out."
        )


def _check_packages(settings: Mapping[str, Any], installed: Callable[[str], bool]) -> None:
    wanted: dict[str, tuple[str, ...]] = {}
    for tracker in _listed(settings.get("report_to")):
        if tracker in ("all", "none"):
            continue
        if tracker not in TRACKERS:
            raise BadInput(
                f"report_to: there is no tracker {tracker!r}; there are {', '.join(TRACKERS)}."
                f"{nearest(tracker, TRACKERS)}"
            )
        wanted[f"report_to {tracker}"] = TRACKERS[tracker]
    optimizer = _text(settings.get("optim"))
    for part, package in _OPTIMIZERS.items():
        if part in optimizer and not (part == "8bit" and "torch_8bit" in optimizer):
            wanted[f"optim {optimizer}"] = (package,)
    attention = settings.get("attn_implementation") or ""
    if attention.startswith("flash_attention"):
        wanted[f"attn_implementation {attention}"] = ("flash_attn",)
    for name, package in (
        ("load_in_4bit", "bitsandbytes"),
        ("load_in_8bit", "bitsandbytes"),
        ("use_vllm", "vllm"),
        ("use_liger_kernel", "liger_kernel"),
        ("deepspeed", "deepspeed"),
    ):
        if settings.get(name):
            wanted[name] = (package,)
    for setting, packages in wanted.items():
        if not any(map(installed, packages)):
            first = packages[0].replace("_", "-")
            raise BadInput(f"{setting} needs the package {packages[0]}, which is not installed: pip install {first}.")
    deepspeed = settings.get("deepspeed")
    if isinstance(deepspeed, str) and not deepspeed.lstrip().startswith("{") and not Path(deepspeed).is_file():
        raise BadInput(f"deepspeed: there is no file {deepspeed}.")


def ignored_shape(given: Mapping[str, Any], adapter: Mapping[str, Any]) -> str | None:
    """A sentence about settings that have no effect because an adapter is continued, which keeps its own; else None.

    `given` are the settings of recipe and flags, `adapter` is the adapter's `adapter_config.json`.
    """
    names = {
        "lora_r": "r",
        "lora_alpha": "lora_alpha",
        "lora_dropout": "lora_dropout",
        "lora_target_modules": "target_modules",
        "use_rslora": "use_rslora",
    }
    lost = []
    for name, key in names.items():
        own = adapter.get(key)
        if name not in given or given[name] is None or own is None:
            continue
        if _compared(given[name]) != _compared(own):
            lost.append(f"{name} {_shown(given[name])} (it has {_shown(own)})")
    if given.get("use_peft") is False:
        lost.append("use_peft false (it is trained alone, the base stays as it is)")
    if not lost:
        return None
    return f"The adapter that is continued keeps its own shape: {', '.join(lost)} {_have(len(lost))} no effect."


def _have(count: int) -> str:
    return "has" if count == 1 else "have"


def _compared(value: Any) -> Any:
    """A list in any order, and the one name that TRL makes of a list of one."""
    return frozenset(_listed(value)) if isinstance(value, str | list | tuple | set) else value


def _shown(value: Any) -> str:
    return " ".join(sorted(value)) if isinstance(value, list | tuple | set) else f"{value}"


def _listed(value: Any) -> list[str]:
    return [value] if isinstance(value, str) else list(value or ())


def _text(value: Any) -> str:
    """A setting that may be an enumeration of transformers, as text; empty for None."""
    return "" if value is None else str(getattr(value, "value", value))


def _installed(package: str) -> bool:
    return importlib.util.find_spec(package) is not None
