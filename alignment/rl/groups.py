"""RLOO and GRPO, which compare the answers to one prompt with each other: TRL's own, with repeatable rollouts."""

from __future__ import annotations

from typing import Any

from trl import GRPOTrainer, RLOOTrainer

from alignment.rl.rollouts import Rollouts
from alignment.training.trainers import Careful


class Grpo(Rollouts, Careful, GRPOTrainer):  # type: ignore[misc]  # TRL has no types
    """TRL's GRPO; the loss is TRL's."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.begin_rollouts()


class Rloo(Rollouts, Careful, RLOOTrainer):  # type: ignore[misc]  # TRL has no types
    """TRL's RLOO; the loss is TRL's."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.begin_rollouts()

    def _as_generated(self, completions: list[list[int]]) -> Any:
        return completions
