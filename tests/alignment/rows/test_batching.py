"""Which sequences share a batch."""

import itertools

from hypothesis import given, settings
from hypothesis import strategies as st

from alignment.fast.prefixes import size_of
from alignment.rows.batching import batches, related


def test_batches_hold_similar_lengths_within_their_budget():
    lengths = [3, 50, 7, 20, 1, 20]
    found = batches(lengths, 40)
    assert sorted(index for batch in found for index in batch) == list(range(6))
    assert found[0] == [1]  # longer than the budget: alone
    for batch in found[1:]:
        assert max(lengths[index] for index in batch) * len(batch) <= 40
    assert batches([], 40) == []


@given(st.lists(st.lists(st.integers(0, 2), min_size=1, max_size=8), max_size=20), st.integers(1, 30))
@settings(max_examples=60, deadline=None)
def test_related_batches_hold_sequences_that_begin_alike_within_their_budget(sequences, budget):
    found = related(sequences, budget)
    assert sorted(index for batch in found for index in batch) == list(range(len(sequences)))

    def fits(batch):
        held = [sequences[index] for index in batch]
        return size_of(held) <= budget and len(held) * max(map(len, held)) <= 4 * budget

    assert all(len(batch) == 1 or fits(batch) for batch in found)
    assert not any(fits([*batch, following[0]]) for batch, following in itertools.pairwise(found))
