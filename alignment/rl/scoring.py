"""Scores answers while a policy learns: with a reward model, or a function given in code."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from alignment.models import adapter_sha256, base_sha256
from alignment.rewards.model import RewardModel, load_reward_model, reward_folder
from alignment.rl.formulas import uncertain
from alignment.training.errors import Diverged
from alignment.training.stage import Stage, note_same
from data.errors import BadInput

# Called with `prompts`, `completions` (one assistant message each) and more by name; gives a number for each.
Score = Callable[..., list[float]]


@dataclass(frozen=True)
class Scoring:
    """How answers are scored: a function, mean and deviation of its scores, and where a critic can start from.

    `doubt` is what the heads' spread costs a usual answer: `mean` is lower by it, and the critic's start knows no
    spread.
    """

    score: Score
    mean: float = 0.0
    deviation: float = 1.0
    critic: Path | None = None
    doubt: float = 0.0


class ModelScore:
    """A reward model as a function: it reads decoded text through its own tokenizer and template.

    Where its heads are apart, an answer loses `spread_coef` times their spread.
    """

    __name__ = "reward_model"

    def __init__(self, model: RewardModel, *, bf16: bool = False, spread_coef: float = 0.0) -> None:
        self.model, self.bf16, self.spread_coef = model, bf16, spread_coef
        if bf16:
            model.hold_in_bf16()

    def __call__(self, prompts: Sequence[Any], completions: Sequence[Any], **_: Any) -> list[float]:
        """The score of each completion, in the reward model's own unit."""
        texts = [completion[0]["content"] for completion in completions]
        if self.model.heads == 1:
            return self.model.score(prompts, texts, bf16=self.bf16)
        scores = torch.tensor(self.model.score_heads(prompts, texts, bf16=self.bf16), dtype=torch.float64)
        centres = torch.tensor(self.model.facts["head_means"], dtype=torch.float64)
        found: list[float] = uncertain(scores, centres, self.spread_coef).tolist()
        return found


class Numbers:
    """A function of scores that ends the stage when a score is not a finite number.

    Without this, TRL takes such a score for "no reward", which is 0, and a comparison with it is never true.
    """

    def __init__(self, score: Score) -> None:
        self.score = score
        self.__name__ = getattr(score, "__name__", "reward")

    def __call__(self, prompts: Sequence[Any], completions: Sequence[Any], **more: Any) -> list[float]:
        """The scores. Raises `Diverged`, whose sentence holds no text."""
        found = self.score(prompts=prompts, completions=completions, **more)
        wrong = sum(score is None or not math.isfinite(score) for score in found)
        if wrong:
            raise Diverged(
                f"{wrong} of {len(found)} answers got a reward that is not a finite number, so nothing can be learnt "
                "from them. Train the reward model again: its weights may have diverged, or do not fit bf16 (try "
                "--bf16 false)."
            )
        return found


def scoring(stage: Stage, given: Score | None) -> Scoring:
    """How a stage scores answers: with the given function, else with the reward model that its recipe names.

    Raises `BadInput` without either, and if a resumed run began with another reward model.
    """
    if given is not None:
        return Scoring(Numbers(given))
    settings = stage.recipe.training
    if settings.reward_model is None:
        raise BadInput("Name a reward model: --reward_model out/reward (`python -m alignment.reward` makes one).")
    folder = reward_folder(Path(settings.reward_model))
    model = load_reward_model(folder, share=stage.console.print if settings.share_prefixes else None)
    note_same(stage, "reward_sha256", adapter_sha256(folder), f"{settings.reward_model} is not the reward model")
    same_base = model.facts.get("base_sha256") == base_sha256(stage.source.base)
    if not same_base and getattr(settings, "algorithm", None) == "ppo":
        stage.console.print(f"The reward model is on another base ({model.base}), so the critic starts from nothing.")
    doubt = settings.spread_coef * float(model.facts.get("spread") or 0.0)
    return Scoring(
        Numbers(ModelScore(model, bf16=settings.bf16, spread_coef=settings.spread_coef)),
        mean=float(model.facts.get("mean") or 0.0) - doubt,
        deviation=float(model.facts.get("std") or 1.0),
        critic=folder if same_base else None,
        doubt=doubt,
    )
