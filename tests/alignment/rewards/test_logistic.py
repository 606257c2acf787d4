"""A head is fitted the same in any order, is held back as held-out pairs ask, and heeds margins and counts."""

import math

import numpy as np
import pytest
from scipy.optimize import minimize

from alignment.rewards.logistic import PENALTIES, fit


def made(pairs=60, features=8, noise=0.5, seed=0):
    """Differences of which the first feature says who wins, and their prompts, two pairs each."""
    draw = np.random.default_rng(seed)
    rows = draw.normal(size=(pairs, features))
    rows *= np.sign(rows[:, :1] + noise * draw.normal(size=(pairs, 1)))
    return rows, [str(number // 2) for number in range(pairs)]


def test_it_finds_the_minimum_that_scipy_finds():
    rows, groups = made()
    margins, counts = np.linspace(0, 1, 60), np.linspace(0.5, 2, 60)
    found = fit(rows, groups, margins=margins, counts=counts)
    scale = np.average((rows**2).sum(axis=1), weights=counts)

    def loss(weights):
        losses = np.logaddexp(0, -(rows @ weights - margins))
        return np.average(losses, weights=counts) + found.l2 / 2 * scale * weights @ weights

    assert found.weights == pytest.approx(minimize(loss, np.zeros(8), tol=1e-12).x, abs=1e-5)


def test_the_order_of_pairs_does_not_matter():
    rows, groups = made()
    order = np.random.default_rng(1).permutation(60)
    found, again = fit(rows, groups), fit(rows[order], [groups[at] for at in order])
    assert again.weights == pytest.approx(found.weights, abs=1e-9)
    assert (again.l2, again.loss) == (found.l2, pytest.approx(found.loss))


def test_it_learns_what_decides_and_ranks_other_pairs():
    rows, groups = made(pairs=200)
    found = fit(rows, groups)
    others, _ = made(pairs=200, seed=1)
    assert np.argmax(np.abs(found.weights)) == 0
    assert found.loss < 0.6
    assert (others @ found.weights > 0).mean() > 0.75


@pytest.mark.simulation
def test_features_that_say_nothing_are_seen_to_say_nothing():
    losses = [
        fit(np.random.default_rng(seed).normal(size=(60, 200)), [str(number) for number in range(60)]).loss
        for seed in range(5)
    ]
    assert np.mean(losses) == pytest.approx(math.log(2), abs=0.02)


def test_prompts_are_held_out_whole():
    """Five copies of a pair would vouch for each other; of one prompt, they are held out together."""
    copies = np.repeat(np.random.default_rng(0).normal(size=(20, 100)), 5, axis=0)
    together = fit(copies, [str(number) for number in range(20) for _ in range(5)])
    apart = fit(copies, [str(number) for number in range(100)])
    assert together.loss > 0.6
    assert apart.loss < 0.1


def test_a_pair_that_counts_twice_counts_as_two():
    rows, groups = made(pairs=20)
    twice = fit(np.concatenate([rows, rows[:4]]), [*groups, *groups[:4]])
    counted = fit(rows, groups, counts=[2.0] * 4 + [1.0] * 16)
    assert counted.weights == pytest.approx(twice.weights, abs=1e-6)


def test_one_prompt_or_equal_answers_give_a_head_that_is_held_back():
    rows, _ = made(pairs=4)
    assert fit(rows, ["only"] * 4).l2 == max(PENALTIES)
    assert fit(np.zeros((3, 5)), ["a", "b", "c"]).weights.tolist() == [0.0] * 5
    with pytest.raises(ValueError, match="at least one pair"):
        fit(np.zeros((0, 5)), [])
