"""Win rates and their intervals, raw and at equal length."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alignment.evaluation import winrate
from alignment.evaluation.winrate import Comparison, length_controlled, win_rate


@pytest.fixture
def few_draws(monkeypatch: pytest.MonkeyPatch) -> None:
    """For tests of means that do not use the intervals."""
    monkeypatch.setattr(winrate, "LENGTH_RESAMPLES", 10)


comparisons = st.lists(
    st.builds(
        Comparison,
        prompt=st.sampled_from("abcdefgh"),
        score=st.sampled_from([0.0, 0.5, 1.0]),
        candidate_chars=st.integers(0, 2000),
        champion_chars=st.integers(0, 2000),
        rater=st.sampled_from(["", "x", "y"]),
    ),
    min_size=1,
    max_size=40,
)


def swapped(found: list[Comparison]) -> list[Comparison]:
    return [Comparison(o.prompt, 1 - o.score, o.champion_chars, o.candidate_chars, o.rater) for o in found]


@settings(max_examples=15, deadline=None)
@given(comparisons)
def test_swapping_the_models_gives_one_minus_the_rate(found: list[Comparison]) -> None:
    one, other = win_rate(found), win_rate(swapped(found))
    for mine, theirs in ((one.interval, other.interval), (one.length_controlled, other.length_controlled)):
        assert mine.mean == pytest.approx(1 - theirs.mean, abs=1e-6)
        assert mine.low == pytest.approx(1 - theirs.high, abs=1e-6)
        assert mine.high == pytest.approx(1 - theirs.low, abs=1e-6)
    assert (one.wins, one.ties, one.losses) == (other.losses, other.ties, other.wins)


@settings(max_examples=15, deadline=None)
@given(comparisons)
def test_rates_and_intervals_are_shares_in_order(found: list[Comparison]) -> None:
    rate = win_rate(found)
    assert rate.interval.mean == pytest.approx(np.mean([one.score for one in found]))
    assert -1e-9 <= rate.interval.low <= rate.interval.mean + 1e-9 <= rate.interval.high + 2e-9 <= 1 + 1e-8
    assert 0 < rate.length_controlled.low <= rate.length_controlled.high < 1


def drawn(count: int, shift: float, win: str, seed: int) -> list[Comparison]:
    """Simulated: the candidate's answers are `shift` longer on average; `win` names what the judge likes."""
    generator = np.random.default_rng(seed)
    longer = generator.normal(shift, 100, count)
    if win == "length":
        scores = (longer > 0).astype(float)
    elif win == "mostly length":
        scores = (generator.random(count) < 1 / (1 + np.exp(-longer / 50))).astype(float)
    else:
        scores = (generator.random(count) < 0.75).astype(float)
    return [
        Comparison(str(i), float(s), 1000 + int(d), 1000) for i, (s, d) in enumerate(zip(scores, longer, strict=True))
    ]


@pytest.mark.simulation
@pytest.mark.usefixtures("few_draws")
@pytest.mark.parametrize("win", ["length", "mostly length"])
def test_a_judge_that_only_prefers_length_gives_about_one_half_at_equal_length(win: str) -> None:
    rates = [win_rate(drawn(300, 60, win, seed)) for seed in range(6)]
    assert np.mean([rate.interval.mean for rate in rates]) > 0.65  # a raw rate would be fooled
    assert np.mean([rate.length_controlled.mean for rate in rates]) == pytest.approx(0.5, abs=0.06)


@pytest.mark.simulation
@pytest.mark.usefixtures("few_draws")
def test_length_control_leaves_a_win_that_has_nothing_to_do_with_length() -> None:
    rates = [win_rate(drawn(300, 60, "quality", seed)) for seed in range(6)]
    assert np.mean([rate.length_controlled.mean for rate in rates]) == pytest.approx(0.75, abs=0.04)


def test_length_control_solves_its_equations() -> None:
    """The gradient is zero at the minimum of the ridge logistic loss, found here by another method."""
    generator = np.random.default_rng(3)
    feature = np.tanh(generator.normal(0.5, 1, 60))
    target = generator.choice([0.0, 0.5, 1.0], 60)
    found = winrate._at_equal_length(target, feature, np.ones((1, 60)))[0]
    coefficients = np.zeros(2)
    design = np.stack([np.ones(60), feature], axis=1)
    for _ in range(20000):
        fitted = 1 / (1 + np.exp(-design @ coefficients))
        coefficients -= 0.02 * (design.T @ (fitted - target) + winrate.RIDGE * coefficients)
    assert found == pytest.approx(1 / (1 + np.exp(-coefficients[0])), abs=1e-6)


def test_winning_only_with_longer_answers_is_not_certain_at_equal_length() -> None:
    same = [Comparison(str(i), 1.0, 200, 100) for i in range(50)]
    assert win_rate(same).interval.low == pytest.approx(0.929, abs=1e-3)  # 50 of 50 prompts, not more
    # Neither length nor quality can be ruled out: the credit is shared, and less than all of it remains.
    assert 0.5 < length_controlled([1.0] * 50, [100.0] * 50, [str(i) for i in range(50)]).mean < 0.97
    assert length_controlled([1.0] * 50, [0.0] * 50, [str(i) for i in range(50)]).mean > 0.97


def test_many_comparisons_of_a_few_people_stay_uncertain() -> None:
    scores = [1.0] * 10 + [0.0] * 4 + [1.0] * 10
    alone = win_rate([Comparison(str(i), s, 10, 10) for i, s in enumerate(scores)])
    raters = ["a"] * 10 + ["b"] * 4 + ["c"] * 10
    known = win_rate([Comparison(str(i), s, 10, 10, r) for i, (s, r) in enumerate(zip(scores, raters, strict=True))])
    assert alone.interval.low > 0.5
    assert known.interval.low < 0.5
