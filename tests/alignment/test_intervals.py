"""Intervals of a mean: the bootstrap of single values and of groups, and Student's t for a few groups."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest

from alignment import intervals
from alignment.intervals import bootstrap, interval_by_few

gain = st.floats(-50, 50)


@given(st.lists(gain, min_size=1, max_size=60))
def test_interval_holds_the_mean_and_stays_in_range(values: list[float]) -> None:
    found = bootstrap(values, resamples=500)
    assert found.mean == pytest.approx(np.mean(values))
    assert found.low <= found.high
    if not set(values) <= {-1.0, -0.5, 0.0, 0.5, 1.0}:  # wins and losses: what was not seen may be the other end
        assert min(values) - 1e-9 <= found.low <= found.high <= max(values) + 1e-9


def test_interval_is_repeatable_and_that_of_equal_values_without_a_range_is_a_point() -> None:
    values = [0.3, -1.0, 2.5, 0.7, 0.1]
    assert bootstrap(values) == bootstrap(values)
    assert bootstrap([1.5] * 9).low == bootstrap([1.5] * 9).high == 1.5


@pytest.mark.parametrize("count", [1, 3, 5, 20, 60])
def test_n_of_n_is_as_uncertain_as_clopper_and_pearson_say(count: int) -> None:
    exact = binomtest(count, count).proportion_ci(method="exact")
    for found in (
        bootstrap([1.0] * count),
        bootstrap([1.0] * (3 * count), [str(number % count) for number in range(3 * count)]),
        bootstrap([1.0] * count, [str(number) for number in range(count)], span=(0.0, 1.0)),
    ):
        assert (found.low, found.mean, found.high) == pytest.approx((exact.low, 1.0, 1.0))
    none = bootstrap([0.0] * count)
    assert (none.low, none.high) == pytest.approx((0.0, 1 - exact.low))


def test_equal_differences_and_pairs_of_one_prompt_have_width_too() -> None:
    same = bootstrap([0.0] * 20, span=(-1.0, 1.0))
    assert (same.low, same.high) == pytest.approx((-0.168, 0.168), abs=1e-3)
    one_prompt = bootstrap([1.0] * 4 + [0.0] * 2, ["a"] * 6)
    assert one_prompt.low < 0.05 < 0.95 < one_prompt.high
    raters = interval_by_few([1.0] * 6, ["a", "b", "c"] * 2)
    assert (raters.low, raters.high) == pytest.approx((0.292, 1.0), abs=1e-3)


@pytest.mark.simulation
@pytest.mark.parametrize("distinct", [3, 1000])
def test_interval_covers_the_truth_about_as_often_as_it_says(distinct: int) -> None:
    """Both ways of drawing: by the counts of a few values, and of many different ones."""
    generator = np.random.default_rng(7)
    found = [
        bootstrap((generator.integers(0, distinct, 40) / (distinct - 1)).tolist(), seed=seed, resamples=1000)
        for seed in range(1000)
    ]
    assert 0.01 < sum(interval.low > 0.5 for interval in found) / 1000 < 0.05
    assert 0.01 < sum(interval.high < 0.5 for interval in found) / 1000 < 0.05


def test_the_two_ways_of_drawing_agree() -> None:
    few = [1.0] * 30 + [0.0] * 20
    many = [value + 1e-9 * number for number, value in enumerate(few)]
    one, other = bootstrap(few), bootstrap(many)
    assert (one.low, one.high) == pytest.approx((other.low, other.high), abs=0.011)


def test_comparisons_of_one_prompt_are_not_counted_as_independent() -> None:
    values = [1.0, 0.0] * 20
    apart = bootstrap(values, [str(i) for i in range(40)])
    together = bootstrap(values, [str(i % 4) for i in range(40)])
    assert together.high - together.low > 1.5 * (apart.high - apart.low)
    assert bootstrap(values, ["one"] * 40).low < 0.05  # one prompt says next to nothing


def test_pairs_of_one_prompt_are_drawn_together():
    values = [1.0] * 6 + [0.0] * 6
    alone = bootstrap(values, [str(number) for number in range(12)])
    shared = bootstrap(values, ["a"] * 6 + ["b"] * 6)
    assert alone.mean == shared.mean == 0.5
    assert (shared.low, shared.high) == (0.0, 1.0)  # two prompts prove little, whatever the number of pairs
    assert 0.1 < alone.low < alone.high < 0.9
    assert bootstrap(values, ["a"] * 6 + ["b"] * 6) == shared
    assert bootstrap([1.0], ["a"]).low == pytest.approx(0.025)


def test_a_large_group_weighs_more_than_a_small_one() -> None:
    values, groups = [0.9] * 9 + [0.1], ["a"] * 9 + ["b"]
    middle = bootstrap(values, groups, level=0.2)  # a quarter of the draws are a and a, a quarter b and b
    assert (middle.low, middle.mean, middle.high) == pytest.approx((0.82, 0.82, 0.82))


@pytest.mark.simulation
@pytest.mark.parametrize("people", [3, 5, 10])
def test_a_few_peoples_taste_is_rarely_taken_for_everybodys(people: int) -> None:
    """Each person has a taste, and on average they prefer neither: 2.5 % may look better; with a bootstrap, 12 %."""
    generator = np.random.default_rng(people)
    better, simulations = 0, 400
    for _ in range(simulations):
        taste = np.clip(generator.normal(0.5, 0.3, people), 0, 1)
        scores = (generator.random((60 // people, people)) < taste).astype(float)
        names = [str(rater) for _ in range(60 // people) for rater in range(people)]
        better += interval_by_few(scores.ravel().tolist(), names).low > 0.5
    assert better / simulations < 0.05


@pytest.mark.simulation
def test_the_interval_covers_the_truth_about_as_often_as_it_says() -> None:
    generator = np.random.default_rng(5)
    covered = 0
    for seed in range(300):
        values = (generator.random(60) < 0.6).astype(float).tolist()
        found = bootstrap(values, [str(i) for i in range(60)], seed=seed, resamples=200)
        covered += found.low <= 0.6 <= found.high
    assert 0.90 < covered / 300 < 0.98


def test_draws_in_blocks_are_those_in_one(monkeypatch: pytest.MonkeyPatch) -> None:
    values, groups = [1.0, 0.0, 0.5, 1.0], list("abcd")
    whole = bootstrap(values, groups)
    monkeypatch.setattr(intervals, "_CELLS", 1000)
    assert bootstrap(values, groups) == whole
