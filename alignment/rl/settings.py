"""The settings of `python -m alignment.ppo`: TRL's of the algorithm, and Parley's own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from typing import Any

from trl import GRPOConfig, RLOOConfig

from alignment.training import processes
from alignment.training.flags import flag_names
from alignment.training.recipe import load, split
from alignment.training.settings import Sharing
from data.errors import BadInput, nearest

ALGORITHMS = ("ppo", "rloo", "grpo")


@dataclass
class Online(Sharing):
    """Settings that all three algorithms take."""

    algorithm: str = field(default="ppo", metadata={"help": "ppo, rloo or grpo."})
    reward_model: str | None = field(
        default=None, metadata={"help": "The folder `reward` that `python -m alignment.reward` made."}
    )
    spread_coef: float = field(
        default=0.5, metadata={"help": "What the spread of a reward model's heads costs; one head has none."}
    )
    max_length: int | None = field(default=512, metadata={"help": "Prompts longer than this are dropped, never cut."})


@dataclass
class OnlyPpo:
    """Settings that only PPO takes."""

    kl_coef: float = field(default=0.05, metadata={"help": "The price of a nat of KL, in the reward's deviations."})
    kl_target: float | None = field(default=None, metadata={"help": "The KL in nats an answer to steer to."})
    kl_horizon: float = field(default=1000.0, metadata={"help": "How slowly the price moves, in answers."})
    kl_limit: float | None = field(default=None, metadata={"help": "The KL in nats an answer that ends training."})
    gamma: float = field(default=1.0, metadata={"help": "The discount of a later token's reward."})
    gae_lambda: float = field(default=0.95, metadata={"help": "GAE's smoothing."})
    vf_coef: float = field(default=0.1, metadata={"help": "The weight of the value loss."})
    cliprange_value: float = field(default=0.2, metadata={"help": "How far a value may move in a rollout."})
    reward_clip: float = field(default=5.0, metadata={"help": "The limit of a score in deviations; 0: none."})
    missing_eos_penalty: float = field(default=1.0, metadata={"help": "What an answer without end of turn costs."})
    whiten_rewards: bool = field(default=False, metadata={"help": "Divide token rewards by their deviation."})
    whiten_advantages: bool = field(default=True, metadata={"help": "Advantages with mean 0 and deviation 1."})
    watch_name: str | None = field(default=None, metadata={"help": "Held-out preferences for the watch."})
    watch_rollouts: int = field(default=4, metadata={"help": "Rollouts between two readings of the watch."})


@dataclass
class PpoSettings(OnlyPpo, Online, GRPOConfig):  # type: ignore[misc]  # TRL has no types
    """PPO's: one answer to a prompt, and no dropout, so that ratios start at 1."""

    num_generations: int | None = field(default=1, metadata={"help": "Answers to each prompt."})
    disable_dropout: bool = field(default=True, metadata={"help": "Dropout off."})

    def __post_init__(self) -> None:
        """TRL's checks. A group of one answer, which GRPO forbids, is what PPO needs."""
        wanted = self.num_generations
        self.num_generations = _rollout_size(self)
        if self.num_generations < 2:
            raise ValueError("a rollout needs at least two answers: raise per_device_train_batch_size")
        super().__post_init__()
        if wanted is None or wanted < 1 or self.generation_batch_size % wanted:
            raise ValueError(f"a rollout of {self.generation_batch_size} answers has no whole groups of {wanted}")
        self.num_generations = wanted
        _check(self)


@dataclass
class GrpoSettings(OnlyPpo, Online, GRPOConfig):  # type: ignore[misc]  # TRL has no types
    """GRPO's: TRL's own. Settings that only PPO takes have no effect."""

    num_generations: int | None = field(default=4, metadata={"help": "Answers to each prompt."})
    num_generations_eval: int | None = field(default=1, metadata={"help": "Answers to each held-out prompt."})
    beta: float = field(default=0.04, metadata={"help": "The weight of the KL."})

    def __post_init__(self) -> None:
        """TRL's checks, and that checkpoints can lie at rollout ends."""
        super().__post_init__()
        _check(self)


@dataclass
class RlooSettings(OnlyPpo, Online, RLOOConfig):  # type: ignore[misc]  # TRL has no types
    """RLOO's: TRL's own. Settings that only PPO takes have no effect."""

    num_generations: int | None = field(default=4, metadata={"help": "Answers to each prompt."})
    num_generations_eval: int | None = field(default=1, metadata={"help": "Answers to each held-out prompt."})
    entropy_coef: float = field(default=0.0, metadata={"help": "Not for RLOO; here so that recipes can be shared."})

    def __post_init__(self) -> None:
        """TRL's checks, and that checkpoints can lie at rollout ends."""
        super().__post_init__()
        if self.entropy_coef:
            raise ValueError("RLOO has no entropy bonus: leave out entropy_coef")
        _check(self)


_CLASSES: dict[str, Any] = {"ppo": PpoSettings, "rloo": RlooSettings, "grpo": GrpoSettings}


def settings_class(arguments: Sequence[str]) -> Any:
    """The class of the settings for a command line.

    Raises `BadInput` for an unknown algorithm, and for flags that the algorithm ignores. Recipes are shared, so they
    may hold settings that only PPO uses.
    """
    config, flags = split(list(arguments), "ppo")
    algorithm = str(load(config).get("algorithm", "ppo"))
    words = iter(flags)
    for word in words:
        if word == "--algorithm":
            algorithm = next(words, "")
        elif word.startswith("--algorithm="):
            algorithm = word.removeprefix("--algorithm=")
    if algorithm not in _CLASSES:
        hint = nearest(algorithm, ALGORITHMS)
        raise BadInput(f"There is no algorithm {algorithm!r}: it is one of {', '.join(ALGORITHMS)}.{hint}")
    named = set(flag_names(flags))
    ppos = {each.name for each in fields(OnlyPpo)}
    if algorithm != "ppo" and (lost := sorted(named & ppos)):
        raise BadInput(f"--{lost[0]} is for PPO only, and {algorithm} would ignore it. Leave it out.")
    if algorithm == "ppo" and (lost := sorted(named & _NOT_PPOS.keys())):
        raise BadInput(f"--{lost[0]} would do nothing in PPO: {_NOT_PPOS[lost[0]]}.")
    return _CLASSES[algorithm]


_NOT_PPOS = {
    "beta": "the KL is in the rewards, and its price is kl_coef",
    "sync_ref_model": "the reference stays where training began, and kl_target steers how far the policy may go",
    "reward_weights": "there is one reward",
    "loss_type": "the loss is PPO's",
    "scale_rewards": "scores are divided by the reward model's deviation, advantages whitened",
    "epsilon_high": "PPO clips by epsilon on both sides",
    "delta": "PPO clips by epsilon on both sides",
    "importance_sampling_level": "the ratios are tokens'",
    "use_adaptive_entropy": "entropy_coef is fixed",
    "top_entropy_quantile": "all tokens are trained",
    "mask_truncated_completions": "missing_eos_penalty is what a cut-off answer costs",
    "off_policy_mask_threshold": "all tokens are trained",
}


def _rollout_size(settings: Any) -> int:
    """The answers of a rollout, over all processes, before TRL has computed it."""
    if settings.generation_batch_size is not None:
        return int(settings.generation_batch_size)
    steps = settings.steps_per_generation or settings.gradient_accumulation_steps
    return int(settings.per_device_train_batch_size) * processes.count() * int(steps)


def _check(settings: Any) -> None:
    if settings.num_iterations * settings.steps_per_generation % settings.gradient_accumulation_steps or (
        settings.algorithm == "ppo" and settings.steps_per_generation % settings.gradient_accumulation_steps
    ):
        raise ValueError(
            f"steps_per_generation ({settings.steps_per_generation}) must be a multiple of "
            f"gradient_accumulation_steps ({settings.gradient_accumulation_steps}): all answers of an optimizer "
            "step must be of one rollout"
        )
    if settings.log_completions:
        raise ValueError("log_completions would print people's texts; a few answers are in samples.jsonl")
    if settings.max_completion_length is None:
        raise ValueError("max_completion_length must be set: it is the longest answer, in tokens")
    if settings.algorithm != "ppo":
        return
    if getattr(settings, "activation_checkpointing", False) or settings.gradient_checkpointing:
        raise ValueError(
            "activation_checkpointing does not work in PPO: what it computes again for the critic would be the "
            "policy's. Lower per_device_train_batch_size instead"
        )
