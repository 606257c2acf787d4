"""Shared beginnings are laid out once, and every token sees its own row and nothing else."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from alignment.fast.prefixes import Cost, lay_out, tree
from alignment.fast.tree_attention import BLOCK, TreeAttention, looks, mask
from alignment.fast.trunk import visible

pytestmark = pytest.mark.tiny

ROWS = st.lists(st.lists(st.integers(1, 3), max_size=12), min_size=1, max_size=8).filter(any)
COSTS = st.builds(Cost, st.floats(0.1, 10), st.floats(0, 3))
CHEAP = Cost(token=1.0, pair=0.0)  # sharing always pays


@settings(deadline=None, max_examples=200)
@given(ROWS, COSTS)
def test_each_row_is_there_with_its_positions_and_sees_itself_alone(rows, cost):
    layout = lay_out(rows, cost, pad=0)
    assert {len(part) for part in (*layout.ids, *layout.positions, *layout.stretches)} == {layout.length}
    seen = visible(layout)[:, 0]
    for row, places in zip(rows, layout.where, strict=True):
        assert [layout.ids[sequence][place] for sequence, place in places] == row
        assert [layout.positions[sequence][place] for sequence, place in places] == list(range(len(row)))
        for at, (sequence, place) in enumerate(places):
            assert set(seen[sequence, place].nonzero().flatten().tolist()) == {other for _, other in places[: at + 1]}
            assert {each for each, _ in places} == {sequence}
    assert bool(seen.any(dim=-1).all())  # padding too: an average needs something to average


@settings(deadline=None)
@given(ROWS, COSTS)
def test_it_never_costs_more_than_each_row_by_itself(rows, cost):
    layout = lay_out(rows, cost, pad=0)
    pieces: dict[int, int] = {}
    for stretches in layout.stretches:
        for number in stretches:
            if number >= 0:
                root = number
                while layout.above[root] >= 0:
                    root = layout.above[root]
                pieces[root] = pieces.get(root, 0) + 1
    alone = {tuple(row) for row in rows if row}  # equal rows count once
    assert sum(map(cost.of, pieces.values())) <= sum(cost.of(len(row)) for row in alone) * (1 + 1e-9)


def test_what_is_shared_is_computed_once_and_no_more_than_pays():
    prompt, other = list(range(10, 60)), list(range(110, 160))
    rows = [[*prompt, 1], [*prompt, 2, 3], [*other, 1], [*other, 1, 4]]
    free = lay_out(rows, CHEAP, pad=0)
    assert free.length * len(free.ids) <= 2 * 53
    assert len(free.ids) == 2
    short = [[1, 2, 3, *prompt], [1, 2, 3, *other]]  # three tokens are not worth attention over twice the length
    assert [len(lay_out(short, cost, pad=0).ids) for cost in (CHEAP, Cost(token=1.0, pair=10.0))] == [1, 2]
    # A system prompt that all rows begin with is shared by as many as pay off, not by all.
    many = [[*prompt, number, *range(1000 * number, 1000 * number + 40)] for number in range(100, 116)]
    layout = lay_out(many, Cost(token=100.0, pair=1.0), pad=0)
    assert 1 < len(layout.ids) < 16


def test_equal_rows_and_beginnings_of_others_add_no_rows():
    (root,) = tree([[1, 2, 3], [1, 2, 3], [1, 2]])
    assert (list(root.tokens), root.ends, root.size) == ([1, 2], [2], 3)
    layout = lay_out([[1, 2, 3], [1, 2, 3], [1, 2], []], CHEAP, pad=9)
    assert layout.ids == [[1, 2, 3]]
    assert layout.where[0] == layout.where[1] == [(0, 0), (0, 1), (0, 2)]
    assert layout.where[3] == []


@settings(deadline=None, max_examples=50)
@given(ROWS)
def test_without_a_cost_everything_lies_in_one_sequence_without_padding(rows):
    layout = lay_out(rows, None, pad=0)
    assert len(layout.ids) == 1
    assert -1 not in layout.stretches[0]
    assert torch.equal(mask(looks(layout), layout.length), visible(layout))


@pytest.mark.parametrize("heads", [1, 3])
def test_attention_of_looks_is_masked_attention(heads):
    draw = torch.Generator().manual_seed(0)
    prompt = torch.randint(1, 50, (BLOCK + 40,), generator=draw).tolist()
    answers = [torch.randint(50, 99, (length,), generator=draw).tolist() for length in (BLOCK + 7, 3, 20)]
    rows = [[*prompt, *answer] for answer in answers] + [[*prompt, *answers[0][:50], 99, 98], [100, 101], prompt[:9]]
    layout = lay_out(rows, None, pad=0)
    shape = (1, 3 * heads, layout.length, 8), (1, 3, layout.length, 8), (1, 3, layout.length, 8)
    inputs = [torch.randn(s, generator=draw, dtype=torch.float64, requires_grad=True) for s in shape]
    ours = TreeAttention.apply(*inputs, 0.3, looks(layout))
    theirs = torch.nn.functional.scaled_dot_product_attention(
        *inputs, attn_mask=visible(layout), scale=0.3, enable_gqa=True
    )
    assert torch.allclose(ours, theirs, atol=1e-12)
    wanted = torch.randn(ours.shape, generator=draw, dtype=torch.float64)
    for mine, other in zip(
        torch.autograd.grad(ours, inputs, wanted), torch.autograd.grad(theirs, inputs, wanted), strict=True
    ):
        assert torch.allclose(mine, other, atol=1e-12)
