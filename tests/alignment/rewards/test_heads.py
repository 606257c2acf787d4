"""Several score heads: how they draw pairs, their loss, and how far apart they are."""

from statistics import fmean

import pytest
import torch
from torch.nn.functional import logsigmoid

from alignment.rewards.heads import drawn_loss, draws, spread
from alignment.rl.formulas import uncertain

pytestmark = pytest.mark.tiny


def test_each_head_draws_a_pair_once_on_average_in_its_own_way_and_always_the_same() -> None:
    pairs = [[[number], [1, 2], [3]] for number in range(2000)]
    found = [draws(pair, 3, seed=0) for pair in pairs]
    assert found == [draws(pair, 3, seed=0) for pair in pairs]
    for head in range(3):
        column = [row[head] for row in found]
        assert fmean(column) == pytest.approx(1, abs=0.07)
        assert column.count(0.0) == pytest.approx(2000 * 0.368, rel=0.1)
    assert [row[0] for row in found] != [row[1] for row in found]
    assert found != [draws(pair, 3, seed=1) for pair in pairs]


def test_a_pair_counts_in_a_heads_loss_as_often_as_the_head_draws_it() -> None:
    logits = torch.tensor([[2.0, -1.0], [0.5, 0.0], [1.0, 1.0], [0.0, 3.0]])
    margin, drawn = torch.tensor([[0.0], [1.0]]), torch.tensor([[2.0, 0.0], [1.0, 1.0]])
    # The first head's differences are 1 and 0.5 - 1, the second's second is -3 - 1.
    wanted = -(2 * logsigmoid(torch.tensor(1.0)) + sum(logsigmoid(torch.tensor([-0.5, -4.0])))) / 4
    assert float(drawn_loss(logits, margin, drawn, None)) == pytest.approx(float(wanted), abs=1e-6)
    centred = wanted + 0.01 * (9 + 0 + 0.25 + 9) / 4
    assert float(drawn_loss(logits, margin, drawn, 0.01)) == pytest.approx(float(centred), abs=1e-6)


def test_drawn_once_by_every_head_it_is_trls_loss() -> None:
    logits = torch.randn(6, 3, generator=torch.Generator().manual_seed(0))
    chosen, rejected = logits.chunk(2)
    once = drawn_loss(logits, torch.zeros(3, 1), torch.ones(3, 3), None)
    assert float(once) == pytest.approx(float(-logsigmoid(chosen - rejected).mean()), abs=1e-7)


def test_the_reward_is_the_mean_less_the_spread() -> None:
    scores = torch.tensor([[1.0, 2.0, 3.0], [0.0, 0.0, 6.0]], dtype=torch.float64)
    centres = torch.tensor([1.0, 2.0, 3.0], dtype=torch.float64)
    # Less its centre, the first answer is 0 for every head; the second is -1, -2 and 3.
    deviation = ((1 + 4 + 9) / 3) ** 0.5
    assert spread(scores, centres).tolist() == pytest.approx([0.0, deviation])
    assert uncertain(scores, centres, 0.5).tolist() == pytest.approx([2.0, 2.0 - 0.5 * deviation])


def test_one_head_is_as_sure_as_it_says() -> None:
    scores = torch.randn(5, 1, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    assert torch.equal(uncertain(scores, torch.tensor([0.3], dtype=torch.float64), 2.0), scores[:, 0])
