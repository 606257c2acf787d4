"""The gate's decision and its interval."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from alignment import gate
from alignment.gate import MINIMUM_PAIRS, bootstrap, decide

gain = st.floats(-50, 50)


@given(st.lists(gain, min_size=1, max_size=60))
def test_interval_holds_the_mean_and_stays_in_range(values: list[float]) -> None:
    found = bootstrap(values)
    assert found.mean == pytest.approx(np.mean(values))
    assert min(values) - 1e-9 <= found.low <= found.high <= max(values) + 1e-9


def test_interval_is_repeatable_and_mirrors() -> None:
    values = [0.3, -1.0, 2.5, 0.7, 0.1]
    assert bootstrap(values) == bootstrap(values)
    assert bootstrap([1.5] * 9).low == bootstrap([1.5] * 9).high == 1.5


def test_interval_covers_the_truth_about_as_often_as_it_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gate, "RESAMPLES", 1000)
    generator = np.random.default_rng(7)
    found = [bootstrap(generator.normal(0.5, 2, 30).tolist(), seed=seed) for seed in range(1000)]
    above, below = (sum(test(interval) for interval in found) / 1000 for test in (_above, _below))
    assert 0.01 < above < 0.05
    assert 0.01 < below < 0.05


def _above(interval: gate.Interval) -> bool:
    return interval.low > 0.5


def _below(interval: gate.Interval) -> bool:
    return interval.high < 0.5


@given(st.lists(st.floats(0.01, 50), min_size=MINIMUM_PAIRS, max_size=40))
def test_what_is_better_on_every_pair_is_promoted(values: list[float]) -> None:
    assert decide(values).promote


@given(st.lists(st.floats(-50, 0), min_size=MINIMUM_PAIRS, max_size=40))
def test_what_is_better_on_no_pair_is_refused_with_a_reason(values: list[float]) -> None:
    verdict = decide(values)
    assert not verdict.promote
    assert "not above zero" in verdict.reasons[0]


def test_a_lucky_mean_is_not_enough() -> None:
    assert not decide([20.0, *[-0.1] * 20]).promote


@pytest.mark.parametrize("count", [0, MINIMUM_PAIRS - 1])
def test_too_few_pairs_are_refused(count: int) -> None:
    verdict = decide([5.0] * count)
    assert not verdict.promote
    assert f"only {count}" in verdict.reasons[0]


def test_a_broken_model_is_refused() -> None:
    verdict = decide([float("nan"), *[5.0] * 20])
    assert not verdict.promote
    assert "not finite" in verdict.reasons[0]
