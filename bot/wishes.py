"""What becomes of a program's wishes about sampling: pure decisions."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bot.answers import Wishes
    from bot.engine.api import Sampling


def granted(usual: Sampling, wishes: Wishes | None, seed: int) -> Sampling:
    """How an answer is sampled. `seed` is the one to use where the program wishes none."""
    if wishes is None:
        return replace(usual, seed=seed)
    return replace(
        usual,
        temperature=usual.temperature if wishes.temperature is None else wishes.temperature,
        top_p=usual.top_p if wishes.top_p is None else wishes.top_p,
        frequency_penalty=usual.frequency_penalty if wishes.frequency_penalty is None else wishes.frequency_penalty,
        seed=seed if wishes.seed is None else wishes.seed,
        stop=wishes.stop or usual.stop,
    )


def most_tokens(usual: Sampling, wishes: Wishes | None) -> int:
    """The most tokens of an answer: a program may have fewer than usual, never more."""
    wished = wishes.max_tokens if wishes else None
    return usual.max_tokens if wished is None else min(usual.max_tokens, wished)
