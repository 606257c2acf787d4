"""Scores answers while a policy learns: with a reward model, or a function given in code."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from alignment.models import adapter_sha256, base_sha256
from alignment.rewards.model import RewardModel, load_reward_model, reward_folder
from alignment.training.stage import Stage
from data.errors import BadInput

# Called with `prompts`, `completions` (one assistant message each) and more by name; gives a number for each.
Score = Callable[..., list[float]]


@dataclass(frozen=True)
class Scoring:
    """How answers are scored: a function, mean and deviation of its scores, and where a critic can start from."""

    score: Score
    mean: float = 0.0
    deviation: float = 1.0
    critic: Path | None = None


class ModelScore:
    """A reward model as a function: it reads decoded text through its own tokenizer and template."""

    __name__ = "reward_model"

    def __init__(self, model: RewardModel, *, bf16: bool = False) -> None:
        self.model, self.bf16 = model, bf16
        if bf16:
            model.hold_in_bf16()

    def __call__(self, prompts: Sequence[Any], completions: Sequence[Any], **_: Any) -> list[float]:
        """The score of each completion, in the reward model's own unit."""
        texts = [completion[0]["content"] for completion in completions]
        return self.model.score(prompts, texts, bf16=self.bf16)


def scoring(stage: Stage, given: Score | None) -> Scoring:
    """How a stage scores answers: with the given function, else with the reward model that its recipe names.

    Raises `BadInput` without either, and if a resumed run began with another reward model.
    """
    if given is not None:
        return Scoring(given)
    settings = stage.recipe.training
    if settings.reward_model is None:
        raise BadInput("Name a reward model: --reward_model out/reward (`python -m alignment.reward` makes one).")
    folder = reward_folder(Path(settings.reward_model))
    model = load_reward_model(folder, share=stage.console.print if settings.share_prefixes else None)
    note_same(stage, "reward_sha256", adapter_sha256(folder), f"{settings.reward_model} is not the reward model")
    same_base = model.facts.get("base_sha256") == base_sha256(stage.source.base)
    if not same_base and getattr(settings, "algorithm", None) == "ppo":
        stage.console.print(f"The reward model is on another base ({model.base}), so the critic starts from nothing.")
    return Scoring(
        ModelScore(model, bf16=settings.bf16),
        mean=float(model.facts.get("mean") or 0.0),
        deviation=float(model.facts.get("std") or 1.0),
        critic=folder if same_base else None,
    )


def note_same(stage: Stage, name: str, sha256: str, what: str) -> None:
    """Note a hash in the manifest. Raises `BadInput` if a resumed run began with another."""
    if stage.run.manifest.more.get(name, sha256) != sha256:
        raise BadInput(f"{what} that this run began with. Name another --output_dir.")
    stage.run.note(**{name: sha256})
