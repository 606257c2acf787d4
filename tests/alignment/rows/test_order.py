"""Which rows an epoch draws, in which order, and how they are packed."""

import math
from collections import Counter
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alignment.rows.collating import Mismatched
from alignment.rows.order import Draws, LengthGrouped, Packs

pytestmark = pytest.mark.tiny

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
        # Rounding may put a sum of floats next to a whole number.
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
        # Each epoch's count is the scaled weight or next to it, so its deviation is at most a half: five standard
        # errors.
        assert drawn[row] / epochs == pytest.approx(scaled, abs=5 * 0.5 / math.sqrt(epochs))


def test_equal_weights_change_nothing():
    lengths = [(index * 37) % 101 for index in range(100)]
    for epoch in range(3):
        orders = []
        for weights in (None, [1.0] * 100, [0.3] * 100):
            sampler = LengthGrouped(lengths, 8, 3, weights)
            sampler.set_epoch(epoch)
            orders.append(list(sampler))
        assert orders[0] == orders[1] == orders[2]
    # The order itself is pinned: a run that was begun before weights existed resumes to the same end.
    sampler = LengthGrouped([3, 1, 4, 1, 5, 9, 2, 6], 2, 7)
    assert list(sampler) == PINNED


PINNED = [4, 2, 5, 7, 0, 6, 1, 3]


def mixed(prompts, votes):
    """The arguments of an order: rows of several prompts, some votes on each; prompts differ clearly in length."""
    rows = [(prompt, vote) for vote in range(votes) for prompt in range(prompts)]
    return [30 + 40 * prompt + vote % 3 for prompt, vote in rows], [prompt for prompt, _ in rows]


@pytest.mark.parametrize(("at_once", "together"), [(2, 1), (3, 1), (4, 2), (8, 2), (16, 4)])
@pytest.mark.parametrize("steps", [1, 4])
@pytest.mark.parametrize("votes", [2, 4, 8])
def test_a_device_batch_holds_some_rows_of_one_prompt_and_others(at_once, together, steps, votes):
    """So rows get mismatched answers for KTO's KL term, with accumulation and several devices too."""
    chunks = []
    for seed in range(3):
        lengths, prompts = mixed(32, votes)
        order = list(LengthGrouped(lengths, at_once * steps, seed, prompts=prompts, at_once=at_once))
        assert sorted(order) == list(range(32 * votes))
        chunks += [[prompts[row] for row in order[at : at + at_once]] for at in range(0, len(order), at_once)]
    chunks = [chunk for chunk in chunks if len(chunk) == at_once]
    # A prompt can meet itself where one turn through the prompts ends and the next begins.
    assert sum(max(Counter(chunk).values()) > together for chunk in chunks) < 0.1 * len(chunks)
    if at_once >= 4:
        assert sum(len(set(chunk)) for chunk in chunks) < 0.7 * at_once * len(chunks)
    empty = 0
    for chunk in chunks:
        rows = [{"prompt_ids": [1, prompt], "completion_ids": [5, 6], "label": True} for prompt in chunk]
        empty += int((Mismatched(0)(rows)["KL_completion_mask"].sum(dim=1) == 0).sum())
    assert empty < 0.03 * at_once * len(chunks)


def test_a_row_drawn_twice_is_not_its_own_neighbour():
    sampler = LengthGrouped([5] * 3, 16, 0, [2.0, 1.0, 1.0], prompts=["a", "a", "b"], at_once=16)
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


def test_a_stretch_of_draws_goes_on_from_epoch_to_epoch():
    draws = Draws(5, seed=3, weights=[1, 2, 0, 0.5, 0.5])
    epochs = [row for epoch in range(4) for row in draws.draw(draws.generator(epoch))]
    assert len(epochs) == 4 * draws.count
    for start in range(7):
        assert draws.stretch(start, 8) == epochs[start : start + 8]
    assert draws.stretch(3, 0) == []


def test_impossible_weights_are_refused():
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
        # Best fit decreasing: the two emptiest packs would not have fitted into one.
        assert len(sizes) < 2 or sizes[0] + sizes[1] > 64
