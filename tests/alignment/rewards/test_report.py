"""The figures of a reward model: pure functions against numbers found by hand."""

import json
import math

import numpy as np
import pytest

from alignment.rewards.report import (
    TEMPERATURES,
    calibrate,
    fit_temperature,
    length_rule,
    log_loss,
    measure,
    table,
    wins,
    worth,
)


def test_ties_count_half_in_both_accuracies():
    found = measure([2.0, 1.0, 0.0], [1.0, 1.0, 3.0], [(9, 3), (4, 4), (5, 1)], rule="longer")
    assert found.accuracy.mean == pytest.approx((1 + 0.5 + 0) / 3)
    assert found.lengths.accuracy == pytest.approx((1 + 0.5 + 1) / 3)
    assert found.beyond_length.mean == pytest.approx(-1 / 3)
    assert found.mean_margin == pytest.approx((1 + 0 - 3) / 3)
    assert found.ties is None
    assert wins([3, 0, -2]).tolist() == [1, 0.5, 0]


@pytest.mark.parametrize("pairs", [1, 3, 10, 19])
def test_a_few_pairs_that_are_all_right_prove_nothing(pairs):
    found = measure([1.0] * pairs, [0.0] * pairs, [(3, 9)] * pairs, rule="longer")
    assert found.accuracy.mean == 1.0
    assert found.accuracy.low == pytest.approx(0.025 ** (1 / pairs))
    assert found.beyond_length.low < found.beyond_length.mean
    assert worth(found).startswith(f"It may know nothing: {pairs} held-out pairs")


def test_pairs_of_few_prompts_prove_nothing_either():
    prompts = [str(number % 5) for number in range(40)]
    found = measure([1.0] * 40, [0.0] * 40, [(3, 9)] * 40, rule="longer", prompts=prompts)
    assert found.accuracy.low < 0.5
    assert "40 held-out pairs on 5 prompts" in worth(found)


def test_what_a_model_is_worth_is_read_from_both_intervals():
    good = measure([1.0] * 40, [0.0] * 40, [(3, 9)] * 40, rule="longer")
    assert worth(good) == "It is better than chance and better than answer length, by both intervals."
    by_length = measure([1.0] * 40, [0.0] * 40, [(9, 3)] * 40, rule="longer")
    assert "no better than answer length" in worth(by_length)
    chance = measure([1.0, 0.0] * 20, [0.0, 1.0] * 20, [(9, 3)] * 40, rule="longer")
    assert "no better than chance" in worth(chance)


def test_the_length_rule_comes_from_training_pairs():
    assert length_rule([(9, 3), (8, 2), (1, 2)]) == "longer"
    assert length_rule([(3, 9), (2, 8), (2, 1)]) == "shorter"
    assert length_rule([]) == "longer"
    brief = measure([1.0, 1.0], [0.0, 0.0], [(3, 9), (1, 9)], rule="shorter")
    assert brief.lengths.accuracy == 1.0
    assert brief.beyond_length.mean == 0.0


def test_reliability_groups_pairs_by_the_models_probability():
    # sigmoid(2.2) = 0.9 right, sigmoid(2.2) = 0.9 wrong, sigmoid(0.405) = 0.6 right
    found = calibrate([2.1972, -2.1972, 0.4055])
    filled = [one for one in found.bins if one.pairs]
    assert [(one.pairs, round(one.predicted, 2), one.observed) for one in filled] == [(1, 0.6, 1.0), (2, 0.9, 0.5)]
    assert found.error == pytest.approx((0.4 * 1 + 0.4 * 2) / 3, abs=1e-4)
    assert sum(one.pairs for one in found.bins) == 3
    # The ends work too: no opinion at all, and certainty.
    assert sum(one.pairs for one in calibrate([0.0, 50.0, -50.0]).bins) == 3


def test_a_temperature_corrects_overconfidence():
    draws = np.random.default_rng(0)
    margins = draws.normal(0, 1.5, size=4000)
    drawn = np.where(draws.random(4000) < 1 / (1 + np.exp(-margins)), margins, -margins)
    assert fit_temperature(drawn) == pytest.approx(1.0, abs=0.1)
    assert fit_temperature(drawn * 3) == pytest.approx(3.0, abs=0.3)
    assert fit_temperature(drawn / 2) == pytest.approx(0.5, abs=0.05)
    assert calibrate(drawn * 3).error > 3 * calibrate(drawn).error
    # Always right: as sure as allowed. Random: as unsure as allowed.
    assert fit_temperature([1.0, 2.0]) == pytest.approx(TEMPERATURES[0], rel=1e-6)
    assert fit_temperature([1.0, -1.0]) == pytest.approx(TEMPERATURES[1], rel=1e-6)


def test_log_loss_of_no_opinion_is_log_two_and_never_overflows():
    assert log_loss([0.0, 0.0]) == pytest.approx(math.log(2))
    assert log_loss([-1000.0]) == pytest.approx(1000.0)


def test_ties_are_measured_against_the_pairs():
    found = measure([2.0, -1.0], [0.0, 0.0], [(1, 2), (1, 2)], rule="longer", ties=[0.3, -0.3])
    assert found.ties is not None
    assert found.ties.pairs == 2
    assert found.ties.mean_margin == pytest.approx(0.3)
    assert found.ties.share == pytest.approx(0.3 / 1.5)
    flat = measure([0.0], [0.0], [(1, 2)], rule="longer", ties=[0.3])
    assert flat.ties is not None
    assert flat.ties.share is None


def test_the_figures_are_json_and_a_table():
    found = measure([2.0, -1.0], [0.0, 0.0], [(1, 2), (1, 2)], rule="longer", ties=[0.5], prompts=["p", "p"])
    facts = json.loads(json.dumps(found.facts()))
    assert facts["prompts"] == 1
    assert facts["accuracy"]["mean"] == 0.5
    assert facts["calibration"]["temperature"] > 0
    cells = [str(cell) for column in table(found).columns for cell in column.cells]
    assert "1 ties, mean |margin|" in cells
    assert any("observed" in cell for cell in cells)
