"""The gate's decision, its intervals, and how often it errs."""

import math

import numpy as np
import pytest
from hypothesis import strategies as st

from alignment.evaluation.gate import SuitePair, at_level, decide, level_for
from data.gate_verdicts import Interval
from data.releases import MINIMUM_PROMPTS

gain = st.floats(-50, 50)
BETTER = Interval(0.62, 0.53, 0.71)


def suite(changes: list[float], margin: float = 0.1, name: str = "manners") -> SuitePair:
    champion = [0.5] * len(changes)
    return SuitePair(name, name.title(), "share", margin, tuple(champion), tuple(0.5 + change for change in changes))


def test_a_better_candidate_without_a_fall_is_promoted_with_figures() -> None:
    verdict = decide(BETTER, "the reward model", [suite([0.0] * 20)], prompts=120)
    assert verdict.promote
    assert not verdict.people
    assert "wins 62 %" in verdict.reasons[0]
    assert "53 % to 71 %" in verdict.reasons[0]
    assert "On none of 1 suites" in verdict.reasons[1]


@pytest.mark.parametrize("low", [0.5, 0.499])
def test_the_lower_end_must_be_above_one_half(low: float) -> None:
    verdict = decide(Interval(0.6, low, 0.7), "people", [], prompts=120)
    assert not verdict.promote
    assert "not above one half" in verdict.reasons[0]


def test_a_fall_that_is_surely_beyond_the_margin_is_refused_whatever_the_win_rate() -> None:
    verdict = decide(Interval(0.9, 0.85, 0.95), "people", [suite([-0.3] * 20), suite([0.1] * 20, name="other")])
    assert not verdict.promote
    (reason,) = verdict.reasons
    assert "Manners" in reason
    assert "worse by 0.3 share" in reason
    assert [change.worse for change in verdict.suites] == [True, False]


def test_a_fall_within_the_margin_or_an_uncertain_one_is_not_a_reason() -> None:
    unsure = [-1.0] * 3 + [1.0] * 2
    assert decide(BETTER, "people", [suite([-0.09] * 20), suite(unsure, name="unsure")]).promote


def test_every_reason_is_given() -> None:
    falls = [suite([-0.3] * 20), suite([-0.4] * 20, name="other")]
    assert len(decide(Interval(0.5, 0.4, 0.6), "people", falls).reasons) == 3


@pytest.mark.parametrize("prompts", [0, MINIMUM_PROMPTS - 1])
def test_too_few_prompts_are_refused_with_what_to_do(prompts: int) -> None:
    verdict = decide(Interval(1.0, 1.0, 1.0), "people", [], prompts=prompts)
    assert not verdict.promote
    assert f"Only {prompts} held-out prompts" in verdict.reasons[0]
    assert "Collect more" in verdict.reasons[0]


def test_without_evidence_people_decide() -> None:
    verdict = decide(None, "", [suite([0.0] * 20)])
    assert not verdict.promote
    assert verdict.people
    assert "people must decide" in verdict.reasons[0]


@pytest.mark.parametrize("broken", [math.nan, math.inf])
def test_figures_that_are_not_finite_are_refused(broken: float) -> None:
    assert "not a finite number" in decide(Interval(broken, 0.9, 1.0), "people", []).reasons[0]
    verdict = decide(BETTER, "people", [suite([0.0, broken])])
    assert not verdict.promote
    assert "Manners" in verdict.reasons[0]


def test_a_suite_with_other_items_for_each_model_is_refused() -> None:
    pair = SuitePair("manners", "Manners", "share", 0.1, (1.0, 1.0), (1.0,))
    assert "2 values of the champion and 1" in decide(BETTER, "people", [pair]).reasons[0]


def test_each_try_against_a_champion_must_be_surer() -> None:
    assert [round(level_for(tried), 4) for tried in (0, 1, 4)] == [0.95, 0.975, 0.99]
    assert at_level(BETTER, 0.95) == BETTER
    wider = at_level(BETTER, 0.99)
    assert wider.low == pytest.approx(0.62 - 0.09 * 2.5758 / 1.95996, abs=1e-4)
    assert decide(BETTER, "people", []).promote
    late = decide(BETTER, "people", [], tried=9)
    assert not late.promote
    assert "99.5 % interval" in late.reasons[0]
    assert "try 10" in late.reasons[0]


def test_an_equal_model_is_seldom_promoted_and_a_better_one_mostly() -> None:
    """A small run of the simulation in `tests.bench.gate`."""
    from tests.bench.gate import outcomes, promoted, suite_refusals

    draw = np.random.default_rng(5)
    equal = sum(promoted(outcomes(0.5, 0.8, 60, draw), 60) for _ in range(300)) / 300
    assert 0 < equal < 0.05
    better = sum(promoted(outcomes(0.7, 1.0, 60, draw), 60) for _ in range(80)) / 80
    assert better > 0.7
    assert sum(suite_refusals(30, draw)) <= 4
    assert sum(suite_refusals(8, draw, fall="forgetting", margins=4)) == 8


def test_only_a_candidate_with_nothing_against_it_is_undecided():
    maybe, worse = Interval(0.55, 0.45, 0.65), Interval(0.4, 0.3, 0.49)
    assert decide(maybe, "people", [], prompts=120).undecided
    assert decide(None, "nobody", []).undecided
    assert decide(Interval(0.9, 0.8, 1.0), "people", [], prompts=3).undecided
    assert not decide(BETTER, "people", []).undecided  # it is promoted
    assert not decide(worse, "people", [], prompts=120).undecided
    assert not decide(maybe, "people", [suite([-0.3] * 20)], prompts=120).undecided
    assert not decide(Interval(math.nan, 0.9, 1.0), "people", []).undecided
    assert not decide(None, "nobody", [suite([math.nan])]).undecided
