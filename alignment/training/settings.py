"""TRL's configurations of the stages, checked for mistakes that TRL finds too late, or never.

A `ValueError` raised here becomes the sentence that the user reads, before anything is loaded.
"""

from dataclasses import dataclass, field

from trl import DPOConfig, KTOConfig, SFTConfig

from alignment.training.preflight import DPO_LOSSES
from data.errors import nearest


@dataclass
class Sharing:
    """The setting that every stage takes."""

    share_prefixes: bool = field(
        default=True, metadata={"help": "Compute shared beginnings of rows once. The numbers are the same."}
    )


@dataclass
class Rewarded:
    """The settings of stages whose answers a reward model scores."""

    reward_model: str | None = field(
        default=None, metadata={"help": "The folder `reward` that `python -m alignment.reward` made."}
    )
    spread_coef: float = field(
        default=0.5, metadata={"help": "What the spread of a reward model's heads costs; one head has none."}
    )


@dataclass
class SftSettings(Sharing, SFTConfig):  # type: ignore[misc]  # TRL has no types
    """SFT's settings."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.packing and self.packing_strategy != "bfd":
            raise ValueError(
                f"packing_strategy {self.packing_strategy} cuts rows or lets them see each other; leave it at bfd."
            )
        if self.packing and self.max_length is None:
            raise ValueError("packing fills sequences of max_length tokens, so max_length must be set.")
        if self.eval_packing:
            raise ValueError("eval_packing has no effect here: held-out rows are never packed.")


@dataclass
class SemiOnline(Rewarded):
    """Settings of DPO that draws its pairs itself (see `alignment.rl.semi_online`); they need `online_every`."""

    online_every: int | None = field(
        default=None, metadata={"help": "Draw new pairs from the policy after each N optimizer steps."}
    )
    prompts: str | None = field(default=None, metadata={"help": "The prompts to draw answers to."})
    num_generations: int = field(default=4, metadata={"help": "Answers to each prompt."})
    offline_share: float = field(
        default=0.25, metadata={"help": "The share of the trained pairs that comes from dataset_name."}
    )
    max_completion_length: int = field(default=96, metadata={"help": "The longest drawn answer, in tokens."})
    temperature: float = field(default=1.0, metadata={"help": "The temperature of the drawn answers."})
    missing_eos_penalty: float = field(default=1.0, metadata={"help": "What an answer without end of turn costs."})
    generation_batch_size: int = field(default=32, metadata={"help": "Answers that are drawn together."})


@dataclass
class DpoSettings(SemiOnline, Sharing, DPOConfig):  # type: ignore[misc]  # TRL has no types
    """DPO's settings, two for corrections (see `alignment.training.edits`), and those of semi-online DPO."""

    demonstration_weight: float = field(
        default=0.0, metadata={"help": "The weight of the chosen answer's negative log-likelihood a token."}
    )
    kept_weight: float = field(
        default=1.0, metadata={"help": "The weight of tokens that chosen and rejected answer share."}
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if (self.kept_weight != 1 or self.demonstration_weight) and not self.precompute_ref_log_probs:
            raise ValueError(
                "demonstration_weight and kept_weight weigh the reference's tokens before training, so they need "
                "precompute_ref_log_probs true."
            )
        for name in ("prompts", "reward_model"):
            if getattr(self, name) and not self.online_every:
                raise ValueError(
                    f"{name} is for pairs that the policy draws itself: say how often, as in --online_every 8, or "
                    "leave it out."
                )
        if self.online_every and not self.prompts:
            raise ValueError("online_every draws answers to prompts, and there are none: --prompts prompts.jsonl.")
        if self.online_every and self.num_generations < 2:
            raise ValueError("a pair needs two answers, so num_generations must be at least 2 with online_every.")
        for loss in self.loss_type:
            if loss not in DPO_LOSSES:
                raise ValueError(
                    f"{loss!r} is not a DPO loss; there are {', '.join(DPO_LOSSES)}.{nearest(loss, DPO_LOSSES)}"
                )
        if "robust" in self.loss_type and self.label_smoothing == 0:
            raise ValueError(
                "loss_type robust with label_smoothing 0 is the plain sigmoid loss. Say what share of the "
                "preferences is wrong: --label_smoothing 0.1."
            )
        if "exo_pair" in self.loss_type and self.label_smoothing == 0:
            raise ValueError(
                "loss_type exo_pair takes the logarithm of label_smoothing: set it above 0, 1e-3 as in its paper."
            )


@dataclass
class KtoSettings(Sharing, KTOConfig):  # type: ignore[misc]  # TRL has no types
    """KTO's settings, and one that TRL has for other stages only."""

    padding_free: bool = field(default=False, metadata={"help": "Leave the padding out of the forward passes."})

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.loss_type != "kto":
            return
        for name in ("per_device_train_batch_size", "per_device_eval_batch_size"):
            if getattr(self, name) < 2:
                raise ValueError(
                    f"KTO compares each row with the others of its batch, so {name} must be at least 2 (on every "
                    f"device; gradient_accumulation_steps do not count), not {getattr(self, name)}."
                )
        if self.precompute_ref_log_probs:
            raise ValueError(
                "precompute_ref_log_probs cannot be used with KTO: its KL term needs the reference on pairs of "
                "prompt and answer that are new in every batch. (loss_type apo_zero_unpaired has no such term.)"
            )
