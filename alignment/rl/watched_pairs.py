"""The held-out preferences by which PPO's over-optimisation is watched; read here without torch."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from data.errors import BadInput
from data.rows import read_rows

MINIMUM_PAIRS = 8
# More pairs than this add little, and cost a forward pass each.
MAXIMUM_PAIRS = 200


def load_pairs(path: str, fits: Callable[[Any], bool] = lambda _: True) -> list[Any]:
    """The preferences to watch, at most `MAXIMUM_PAIRS` of those that fit the model.

    Raises `BadInput` if there are too few to be useful.
    """
    rows = [row for row in read_rows(Path(path), "preference") if fits(row)]
    if len(rows) < MINIMUM_PAIRS:
        raise BadInput(
            f"{path} holds {len(rows)} preferences that the model can take in; the watch needs at least "
            f"{MINIMUM_PAIRS}."
        )
    return rows[:MAXIMUM_PAIRS]
