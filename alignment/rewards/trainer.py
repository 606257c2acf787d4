"""TRL's RewardTrainer on rows that Parley encoded, and the model from which it starts.

The loss is TRL's; with several heads, each counts the pairs as often as it draws them.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from peft import LoraConfig, get_peft_model, set_peft_model_state_dict
from safetensors.torch import load_file
from trl import RewardConfig, RewardTrainer

from alignment.models import check_vocabulary
from alignment.rewards.heads import drawn_loss, draws
from alignment.rewards.model import HEAD, WEIGHTS, load_scorer
from alignment.rows.batching import padded
from alignment.rows.prepare import preference
from alignment.training.policy import base_options, new_adapter
from alignment.training.settings import Sharing
from alignment.training.stage import Stage
from alignment.training.trainers import Careful
from data.errors import BadInput
from data.rows import Row

_COLUMNS = ("prompt_ids", "chosen_ids", "rejected_ids")


@dataclass
class RewardSettings(Sharing, RewardConfig):  # type: ignore[misc]  # TRL has no types
    """TRL's settings, and three of Parley's."""

    heads: int = field(default=1, metadata={"help": "Score heads on the one adapter; the score is their mean."})
    thumbs_name: str | None = field(
        default=None,
        metadata={"help": "Labelled completions to learn from beside the preferences."},
    )
    ties_name: str | None = field(
        default=None,
        metadata={"help": "Ties, preferences without an order: never trained on, only measured."},
    )


def graded_preference(tokenizer: Any, control: Sequence[str], row: Row) -> dict[str, Any] | str:
    """The columns of a preference with its margin: by how much, in log-odds, the chosen answer should lead.

    Touvron et al., "Llama 2", 2023, section 3.2.2. A row without a grade has the margin 0.
    """
    columns = preference(tokenizer, control, row)
    return columns if isinstance(columns, str) else {**columns, "margin": float(row.extra.get("margin") or 0.0)}


@dataclass(frozen=True)
class Pairs:
    """Makes a batch: all chosen conversations, then all rejected ones, as TRL's loss expects them."""

    pad: int
    heads: int = 1
    seed: int = 0

    def __call__(self, rows: Sequence[dict[str, Any]]) -> dict[str, torch.Tensor]:
        """`input_ids` and `attention_mask` of shape (2 x rows, longest), `margin` of shape (rows,).

        Where a side of a row has no answer, a token stands for it, and `absent`, shape (2 x rows,), says so. With
        several heads the shape of `margin` is (rows, 1), and `draws`, shape (rows, heads), says how often each head
        draws a row.
        """
        sides = [(row["prompt_ids"], row[side]) for side in ("chosen_ids", "rejected_ids") for row in rows]
        ids, mask = padded([[*prompt, *answer] if answer else [self.pad] for prompt, answer in sides], self.pad)
        margins = torch.tensor([row["margin"] for row in rows], dtype=torch.float32)
        found = {"input_ids": ids, "attention_mask": mask, "margin": margins}
        if not all(answer for _, answer in sides):
            found["absent"] = torch.tensor([not answer for _, answer in sides])
        if self.heads > 1:
            drawn = [draws([row[name] for name in _COLUMNS], self.heads, self.seed) for row in rows]
            found |= {"margin": margins[:, None], "draws": torch.tensor(drawn, dtype=torch.float32)}
        return found


class Reward(Careful, RewardTrainer):  # type: ignore[misc]  # TRL has no types
    """A reward model on rows with `prompt_ids`, `chosen_ids`, `rejected_ids` and `margin`."""

    def __init__(self, *, processing_class: Any, **kwargs: Any) -> None:
        args = kwargs["args"]
        pairs = Pairs(processing_class.pad_token_id, args.heads, args.seed)
        super().__init__(processing_class=processing_class, data_collator=pairs, **kwargs)

    def compute_loss(
        self, model: Any, inputs: dict[str, Any], return_outputs: bool = False, num_items_in_batch: Any = None
    ) -> Any:
        """TRL's loss and figures; while several heads train, each head's loss is over what it draws."""
        drawn = inputs.pop("draws", None)
        loss, outputs = super().compute_loss(
            model, inputs, return_outputs=True, num_items_in_batch=num_items_in_batch
        )
        if drawn is not None and self.model.training:
            loss = drawn_loss(outputs.logits, inputs["margin"], drawn, self.args.center_rewards_coefficient)
        return (loss, outputs) if return_outputs else loss

    def _prepare_dataset(self, dataset: Any, *_args: Any, **_kwargs: Any) -> Any:
        return dataset  # TRL's own preparation is for rows that are still text

    def _set_signature_columns_if_needed(self) -> None:
        self._signature_columns = [*_COLUMNS, "margin"]


def load_start(stage: Stage) -> tuple[Any, Any]:
    """The model to train, with a new score head, and the LoRA configuration of a new adapter (None if one is given).

    The reward model's adapter may start from another one, SFT's for example; the folder of a reward model also brings
    its head. Either way the result applies to the base itself.
    """
    if not stage.peft:
        raise BadInput(
            "use_peft: a reward model is an adapter with a score head on the frozen base, so that PPO's critic can "
            "share that base. Leave it on."
        )
    options = base_options(stage)
    if (quantization := options.get("quantization_config")) is not None:
        quantization.llm_int8_skip_modules = ["score"]  # the head is trained, so it cannot be quantised
    training = stage.recipe.training
    model = load_scorer(stage.source.base, seed=training.seed, heads=training.heads, **options)
    check_vocabulary(model, stage.tokenizer)
    if stage.source.adapter is not None:
        return _continued(model, stage), None
    config = new_adapter(stage, model)
    config.task_type = "SEQ_CLS"
    config.modules_to_save = ["score"]  # "all-linear" leaves it out
    return model, config


def _continued(scorer: Any, stage: Stage) -> Any:
    folder = stage.source.adapter
    assert folder is not None
    config = LoraConfig.from_pretrained(str(folder))
    config.task_type, config.modules_to_save, config.inference_mode = "SEQ_CLS", ["score"], False
    model = get_peft_model(scorer, config)
    state = load_file(str(folder / WEIGHTS))
    if HEAD in state and len(state[HEAD]) != scorer.score.out_features:
        raise BadInput(
            f"The reward model in {folder} has {len(state[HEAD])} score heads, and heads is "
            f"{scorer.score.out_features}. Set heads to {len(state[HEAD])}, or start from the base."
        )
    found = set_peft_model_state_dict(model, state)
    missing = [name for name in found.missing_keys if "lora_" in name]
    if missing or found.unexpected_keys:
        wrong = (missing or found.unexpected_keys)[0]
        raise BadInput(f"The adapter in {folder} does not fit {stage.source.base.name}: {wrong} has no counterpart.")
    stage.console.print(
        f"The adapter starts as the one in {folder}" + (", its score head too." if HEAD in state else ".")
    )
    return model
