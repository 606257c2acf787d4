"""The e-process: it grows for a better candidate, and seldom for an equal one, however often one looks."""

import math

import numpy as np
import pytest

from alignment.evaluation.anytime import BETS, PRIOR, adjusted, log_capital, more_votes, plain, rate


def test_the_capital_is_the_mixture_of_the_bets() -> None:
    capital = log_capital(plain(np.array([1.0, 0.0, 0.5])))
    assert capital[0] == pytest.approx(0.0)
    assert math.exp(capital[1]) == pytest.approx(float((PRIOR * (1 + BETS)).sum()))
    assert math.exp(capital[2]) == pytest.approx(float((PRIOR * (1 + BETS) * (1 - BETS)).sum()))
    assert capital[3] == pytest.approx(capital[2])  # a tie counts half: nothing is won or lost
    assert PRIOR.sum() == pytest.approx(1)


@pytest.mark.simulation
@pytest.mark.parametrize("ties", [0.0, 0.3])
def test_an_equal_candidate_seldom_ever_looks_better_than_the_error_allows(ties: float) -> None:
    draw = np.random.default_rng(1)
    reached = 0
    for _ in range(2000):
        scores = draw.choice([0.0, 0.5, 1.0], size=300, p=[(1 - ties) / 2, ties, (1 - ties) / 2])
        reached += log_capital(plain(scores)).max() >= math.log(20)
    assert 0.005 < reached / 2000 < 0.05


@pytest.mark.simulation
def test_with_a_judge_an_equal_candidate_passes_no_more_often_and_a_better_one_sooner() -> None:
    draw = np.random.default_rng(2)
    ends: dict[tuple[float, bool], list[float]] = {}
    for wins in (0.5, 0.6):
        for _ in range(600):
            scores = (draw.random(300) < wins).astype(float)
            verdicts = np.where(draw.random(300) < 0.75, scores, 1 - scores)
            expected = np.full(300, 0.75 * wins + 0.25 * (1 - wins))
            for judged in (False, True):
                found = adjusted(scores, verdicts, expected, 0.75) if judged else plain(scores)
                over = log_capital(found) >= math.log(20)
                ends.setdefault((wins, judged), []).append(float(np.argmax(over)) if over.any() else math.inf)
    assert np.mean(np.isfinite(ends[0.5, True])) < 0.065  # 5 % and what 600 simulations are uncertain by
    assert np.median(ends[0.6, True]) < 0.9 * np.median(ends[0.6, False])


def test_a_judge_that_agrees_by_chance_loses_its_weight_and_does_no_harm() -> None:
    draw = np.random.default_rng(3)
    scores, verdicts = (draw.random((2, 1000)) < 0.5).astype(float)
    found = adjusted(scores, verdicts, np.full(1000, 0.5), 0.75)
    assert found.weights[0] == pytest.approx(0.5)  # what its agreement elsewhere promises
    assert found.weights[-1] < 0.12


def test_no_bet_loses_everything() -> None:
    found = adjusted(np.zeros(200), np.ones(200), np.zeros(200), 1.0)
    assert np.isfinite(log_capital(found)).all()
    assert log_capital(plain(np.zeros(0))).tolist() == [pytest.approx(0.0)]


def test_a_vote_does_not_decide_its_own_weight() -> None:
    scores, verdicts = np.array([1.0, 0.0, 1.0]), np.array([1.0, 0.0, 1.0])
    one = adjusted(scores, verdicts, np.full(3, 0.5), 0.75)
    other = adjusted(np.array([1.0, 0.0, 0.0]), np.array([1.0, 0.0, 0.0]), np.full(3, 0.5), 0.75)
    assert one.weights.tolist() == other.weights.tolist()


def test_the_votes_that_are_lacking_follow_from_the_present_rate() -> None:
    found = plain(np.array([1.0, 1.0, 0.0, 1.0] * 5))
    assert rate(found) == pytest.approx(0.75 * math.log(1.5) + 0.25 * math.log(0.5))
    assert more_votes(1.0, 0.1, math.exp(-3)) == 20
    assert more_votes(4.0, 0.1, math.exp(-3)) == 0
    assert more_votes(1.0, -0.1, 0.05) is None
