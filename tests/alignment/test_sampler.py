"""Which rows an epoch draws, in which order, and how they are packed."""

import math
from collections import Counter
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alignment.sampler import Draws, LengthGrouped, Packs

WEIGHTS = st.lists(st.one_of(st.just(0.0), st.floats(1e-3, 8)), min_size=1, max_size=30).filter(any)


def counts(sampler, epoch):
    sampler.set_epoch(epoch)
    return Counter(sampler)


@given(weights=WEIGHTS, seed=st.integers(0, 99), epoch=st.integers(0, 9))
@settings(max_examples=60, deadline=None)
def test_a_row_is_drawn_as_often_as_its_weight_says_rounded_up_or_down(weights, seed, epoch):
    sampler = LengthGrouped([5] * len(weights), 4, seed, weights)
    found = counts(sampler, epoch)
    size = len(weights) if len(set(weights)) == 1 else max(1, round(sum(weights)))
    assert sum(found.values()) == len(sampler) == size
    total = sum(map(Fraction, weights))
    for row, weight in enumerate(weights):
        scaled = Fraction(weight) * size / total
        # Sums of floats may put a whole number a hair beside itself.
        assert math.floor(scaled - Fraction(1, 10**9)) <= found[row] <= math.ceil(scaled + Fraction(1, 10**9))
        assert weight or not found[row]


@given(weights=st.lists(st.floats(0.05, 3), min_size=2, max_size=8))
@settings(max_examples=15, deadline=None)
def test_over_the_epochs_the_mean_comes_to_the_weight(weights):
    sampler = LengthGrouped([5] * len(weights), 4, 0, weights)
    epochs = 600
    drawn = sum((counts(sampler, epoch) for epoch in range(epochs)), Counter())
    for row, weight in enumerate(weights):
        scaled = weight * len(sampler) / sum(weights)
        # Each epoch's count is scaled or next to it, so its deviation is at most a half: five standard errors.
        assert drawn[row] / epochs == pytest.approx(scaled, abs=5 * 0.5 / math.sqrt(epochs))


def test_equal_weights_are_no_weights():
    lengths = [(index * 37) % 101 for index in range(100)]
    for epoch in range(3):
        orders = []
        for weights in (None, [1.0] * 100, [0.3] * 100):
            sampler = LengthGrouped(lengths, 8, 3, weights)
            sampler.set_epoch(epoch)
            orders.append(list(sampler))
        assert orders[0] == orders[1] == orders[2]
    # The order itself is pinned: a run that was begun before weights were known resumes to the same end.
    sampler = LengthGrouped([3, 1, 4, 1, 5, 9, 2, 6], 2, 7)
    assert list(sampler) == PINNED


PINNED = [4, 2, 5, 7, 0, 6, 1, 3]


@given(pairs=st.integers(1, 40), batch=st.sampled_from([2, 4, 8]), epoch=st.integers(0, 5))
@settings(max_examples=40, deadline=None)
def test_rows_of_one_prompt_come_to_one_step(pairs, batch, epoch):
    lengths = [10 + (row * 37) % 101 for row in range(2 * pairs)]
    prompts = [row % pairs for row in range(2 * pairs)]
    sampler = LengthGrouped(lengths, batch, 0, prompts=prompts)
    sampler.set_epoch(epoch)
    order = list(sampler)
    assert sorted(order) == list(range(2 * pairs))
    for start in range(0, len(order), batch):
        assert set(Counter(prompts[row] for row in order[start : start + batch]).values()) == {2}


def test_one_question_fills_no_step():
    prompts = [0] * 40 + list(range(1, 81))
    sampler = LengthGrouped([5] * 120, 16, 0, prompts=prompts)
    units = sampler._units(range(120))
    assert max(map(len, units)) == 4
    assert sorted(row for unit in units for row in unit) == list(range(120))


def test_a_row_drawn_twice_is_not_its_own_neighbour_for_having_its_prompt():
    sampler = LengthGrouped([5] * 3, 16, 0, [2.0, 1.0, 1.0], prompts=["a", "a", "b"])
    assert sampler._units([0, 2, 0, 1]) == [[0], [2], [0, 1]]


def test_draws_depend_on_seed_and_epoch_alone():
    weights = [0.5 + row % 4 for row in range(40)]
    first, second = (LengthGrouped(range(40), 4, 1, weights) for _ in range(2))
    other = LengthGrouped(range(40), 4, 2, weights)
    list(first)
    first.set_epoch(5)
    second.set_epoch(5)
    other.set_epoch(5)
    assert list(first) == list(second) != list(other)


def test_weights_that_cannot_be_meant_are_refused():
    with pytest.raises(ValueError, match="no row has a weight above zero"):
        Draws(2, 0, [0, 0])
    with pytest.raises(ValueError, match="1 weights for 2 rows"):
        Draws(2, 0, [1.0])


@given(
    rows=st.lists(st.tuples(st.integers(1, 50), st.floats(0.1, 4)), min_size=1, max_size=40),
    weighted=st.booleans(),
    epoch=st.integers(0, 5),
)
@settings(max_examples=60, deadline=None)
def test_packs_hold_each_drawn_row_once(rows, weighted, epoch):
    lengths, weights = [length for length, _ in rows], [weight for _, weight in rows] if weighted else None
    packs = Packs(lengths, 64, 0, weights)
    packs.set_epoch(epoch)
    found = list(packs)
    assert len(found) == len(packs)
    assert all(found)
    drawn = packs.draws.draw(packs.draws.generator(epoch))
    assert sorted(row for pack in found for row in pack) == sorted(drawn)
    if not weighted or epoch == 0:
        sizes = sorted(sum(lengths[row] for row in pack) for pack in found)
        assert sizes[-1] <= 64
        # Best fit decreasing: the two emptiest packs would never have fitted into one.
        assert len(sizes) < 2 or sizes[0] + sizes[1] > 64
