"""The weights of rows from follow-up messages: they take room that ratings leave, and nobody gains much by them."""

import numpy as np
import pytest

from data.raters import Panel
from data.weights import WEAK, Backed, capped_beside


def backed(*held: tuple[str, float]) -> Backed:
    """Rows with one backer each."""
    names = sorted({name for name, _ in held})
    place = np.arange(len(held))
    weights = np.array([weight for _, weight in held])
    rater = np.array([names.index(name) for name, _ in held], dtype=np.int64)
    return Backed(weights, place, rater, np.ones(len(held)), names)


PANEL = Panel({}, "")


def test_weak_rows_alone_keep_one_voice_a_person() -> None:
    weights = capped_beside(backed(*[("ada", 0.1)] * 50, *[("ben", 0.1)] * 25), PANEL, {})
    assert weights[:50].sum() == pytest.approx(weights[50:].sum())


def test_nobody_gains_more_by_weak_rows_than_one_person_may_hold() -> None:
    rated = {"ada": 5.0, "ben": 1.0, "cid": 1.0}
    rows = backed(*[("ada", 0.2)] * 40, *[("ben", 0.2)] * 40, *[("eve", 0.2)] * 40)
    ada, ben, eve = capped_beside(rows, PANEL, rated).reshape(3, 40).sum(axis=1)
    limit = (sum(rated.values()) + ada + ben + eve) / 4 * (1 + 1e-6)
    assert ada == 0  # she holds more than a fourth by ratings alone
    assert 0 < rated["ben"] + ben <= limit
    assert 0 < eve <= limit


@pytest.mark.parametrize("rated", [{}, {"vic": 1.0}, {f"v{n}": 1.0 for n in range(9)}])
def test_a_weak_row_never_weighs_more_than_a_certain_one(rated: dict[str, float]) -> None:
    rows = backed(("ada", 0.18), *[(f"p{n}", 0.18) for n in range(9) for _ in range(100)])
    weights = capped_beside(rows, PANEL, rated)
    assert weights.max() <= WEAK
    assert weights.min() >= 0
    assert weights.sum() > 0
