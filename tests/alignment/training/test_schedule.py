"""Warm-up, and runs that are too short for their rows."""

import pytest

from alignment.training.schedule import too_few, warmed, warmup


@pytest.mark.parametrize("asked", [0, 1, 4, 100])
def test_no_step_of_any_run_has_a_rate_of_zero(asked):
    for steps in range(1, 40):
        warm = warmup(asked, steps)
        # as transformers' linear schedule
        rate = warmed(lambda step, warm=warm, steps=steps: 1 - (step - warm) / max(1, steps - warm), warm)
        rates = [rate(step) for step in range(steps)]
        assert min(rates) > 0, steps
        assert max(rates) == 1, steps  # the whole rate is reached
        assert rates[: warm + 1] == sorted(rates[: warm + 1]), steps


def test_the_only_step_is_no_warm_up():
    assert warmup(1, 1) == 0
    assert warmup(1, 2) == 1
    assert warmup(3, 100) == 3
    assert [warmed(lambda _: 1.0, 3)(step) for step in range(4)] == [0.25, 0.5, 0.75, 1.0]


def test_a_run_whose_steps_are_too_few_says_so():
    assert too_few(20, 80, 80) is None
    assert too_few(20, None, 80) is None
    assert str(too_few(2, 8, 200)).startswith("In 2 optimizer steps at most 8 of the 200 rows are seen.")
    assert str(too_few(1, 4, 3)).startswith("1 optimizer step may be too few for the rows to count.")
