"""What hostile raters get, at most: the bars of the benchmark, in one community each."""

import pytest

from data.weights import HEADS
from tests.bench.attacks import brigade, fact, flip, flood, measure, poison, ring, separate, sleepers


@pytest.mark.simulation
@pytest.mark.parametrize("attack", [flip, flood, brigade, sleepers])
def test_three_hostile_people_of_ten_change_at_most_one_shared_label_of_twenty(attack) -> None:
    line = measure(attack, 0.3, (), seed=1)
    assert line.changed <= 0.05
    assert line.lost <= 0.05
    assert line.kept > 0.9


@pytest.mark.simulation
@pytest.mark.parametrize("attack", [separate, ring, fact, poison])
def test_accounts_whom_nobody_bears_out_hold_their_heads(attack) -> None:
    line = measure(attack, 0.4, (), seed=1)
    assert max(line.votes, line.comparisons, line.corrections) <= 0.4 + 1e-9
    assert line.changed == line.lost == 0


@pytest.mark.simulation
def test_sleepers_hold_less_than_their_few_heads() -> None:
    assert measure(sleepers, 0.1, (), seed=1).comparisons < 0.1 * HEADS


@pytest.mark.simulation
def test_honest_people_lose_next_to_nothing_where_nobody_is_hostile() -> None:
    line = measure(None, 0.0, (), seed=1)
    assert (line.changed, line.lost) == (0.0, 0.0)
    assert line.kept > 0.95
