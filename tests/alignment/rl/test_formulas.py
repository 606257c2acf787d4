"""PPO's formulas, against values worked out by hand, and properties that hold for any numbers."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from alignment.rl import formulas as formulas

pytestmark = pytest.mark.tiny

NUMBERS = st.floats(-10, 10, width=32)


def tensor(*rows):
    return torch.tensor(rows, dtype=torch.float64)


def test_means_and_variances_are_of_the_masked_tokens():
    values, mask = tensor([1, 3, 99]), tensor([1, 1, 0])
    assert float(formulas.masked_mean(values, mask)) == 2
    assert float(formulas.masked_variance(values, mask)) == 1
    assert float(formulas.masked_mean(values, mask * 0)) == 0


def test_whitening():
    values, mask = tensor([1, 3], [5, 99]), tensor([1, 1], [1, 0])
    # mean 3, variance (4 + 0 + 4) / 3
    expected = math.sqrt(3 / 8)
    white = formulas.whiten(values, mask)
    torch.testing.assert_close(white, tensor([-2 * expected, 0], [2 * expected, 0]))
    kept = formulas.whiten(values, mask, shift_mean=False)
    torch.testing.assert_close(kept, tensor([3 - 2 * expected, 3], [3 + 2 * expected, 0]))


@given(st.lists(NUMBERS, min_size=2, max_size=8), st.floats(0.5, 5), NUMBERS)
def test_whitened_values_forget_shift_and_scale(numbers, scale, shift):
    values = tensor(numbers)
    mask = torch.ones_like(values)
    if float(formulas.masked_variance(values, mask)) < 1e-2:
        return
    white = formulas.whiten(values, mask)
    assert float(formulas.masked_mean(white, mask)) == pytest.approx(0, abs=1e-6)
    assert float(formulas.masked_variance(white, mask)) == pytest.approx(1, abs=1e-4)
    torch.testing.assert_close(formulas.whiten(values * scale + shift, mask), white, atol=1e-4, rtol=1e-4)


def test_scores_are_put_in_deviations_and_clipped():
    scores = torch.tensor([1.0, 3.0, 50.0, -50.0])
    assert formulas.clipped_scores(scores, 1.0, 2.0, 5.0).tolist() == [0, 1, 5, -5]
    assert formulas.clipped_scores(scores, 1.0, 2.0, 0).tolist() == [0, 1, 24.5, -25.5]


def test_an_answer_without_an_end_is_penalised():
    paid = formulas.penalised(torch.tensor([2.0, 2.0]), torch.tensor([True, False]), 1.5)
    assert paid.tolist() == [2.0, 0.5]


def test_the_kl_is_in_every_token_and_the_score_in_the_last():
    mask = tensor([1, 1, 0], [1, 1, 1])
    kl = formulas.kl_per_token(tensor([-1, -2, -9], [-1, -1, -1]), tensor([-1.5, -1, 0], [-1, -2, -3]), mask)
    torch.testing.assert_close(kl, tensor([0.5, -1, 0], [0, 1, 2]))
    rewards = formulas.token_rewards(torch.tensor([10.0, 20.0]), kl, mask, 0.1)
    torch.testing.assert_close(rewards, tensor([-0.05, 10.1, 0], [0, -0.1, 19.8]))


def test_advantages_by_hand():
    rewards, values, mask = tensor([1, 2, 7]), tensor([0.5, 1, 9]), tensor([1, 1, 0])
    advantages, returns = formulas.generalised_advantages(rewards, values, mask, discount=0.9, smoothing=0.5)
    # The last token: 2 - 1 = 1. The first: 1 + 0.9 * 1 - 0.5 = 1.4, plus 0.45 * 1.
    torch.testing.assert_close(advantages, tensor([1.85, 1, 0]))
    torch.testing.assert_close(returns, tensor([2.35, 2, 0]))


@given(st.lists(st.tuples(NUMBERS, NUMBERS), min_size=1, max_size=6), st.floats(0, 1))
def test_advantages_between_their_two_extremes(pairs, discount):
    rewards, values = tensor([r for r, _ in pairs]), tensor([v for _, v in pairs])
    mask = torch.ones_like(rewards)
    # Smoothing 1: the actual return, less the value (GAE, equation 18).
    advantages, returns = formulas.generalised_advantages(rewards, values, mask, discount=discount, smoothing=1.0)
    followed = [sum(discount**k * r for k, (r, _) in enumerate(pairs[at:])) for at in range(len(pairs))]
    torch.testing.assert_close(returns, tensor(followed), atol=1e-6, rtol=1e-6)
    torch.testing.assert_close(advantages, returns - values, atol=1e-6, rtol=1e-6)
    # Smoothing 0: the one-step error (equation 17).
    advantages, _ = formulas.generalised_advantages(rewards, values, mask, discount=discount, smoothing=0.0)
    steps = [r + discount * (pairs[at + 1][1] if at + 1 < len(pairs) else 0) - v for at, (r, v) in enumerate(pairs)]
    torch.testing.assert_close(advantages, tensor(steps), atol=1e-6, rtol=1e-6)


def test_the_policy_gains_nothing_beyond_the_clip():
    ratios = [1.5, 0.5, 1.5, 0.5, 1.1]
    losses, clipped = formulas.policy_losses(
        torch.log(tensor(ratios)), torch.zeros(1, 5), tensor([2, 2, -2, -2, 2]), 0.2
    )
    torch.testing.assert_close(losses, tensor([-2.4, -1.0, 3.0, 1.6, -2.2]))
    assert clipped.tolist() == [[1, 0, 0, 1, 0]]


@given(NUMBERS, st.floats(-2, 2))
def test_at_the_start_the_policy_loss_is_minus_the_advantage(advantage, logprob):
    logprobs = tensor([logprob]).requires_grad_()
    loss, clipped = formulas.policy_losses(logprobs, logprobs.detach(), tensor([advantage]), 0.2)
    assert float(loss.detach()) == -advantage
    assert not clipped.any()
    loss.sum().backward()
    assert float(logprobs.grad) == pytest.approx(-advantage)


def test_a_value_may_not_move_far():
    # from 1 to 2, wanted 3: free (2-3)^2 = 1, bounded to 1.2: 3.24. Wanted 0: free 4, bounded 1.44.
    losses, clipped = formulas.value_losses(tensor([2, 2]), tensor([1, 1]), tensor([3, 0]), 0.2)
    torch.testing.assert_close(losses, tensor([1.62, 2.0]))
    assert clipped.tolist() == [[1, 0]]


def test_explained_variance():
    mask = torch.ones(1, 3)
    returns = torch.tensor([[1.0, 2.0, 3.0]])
    assert formulas.explained_variance(returns, returns, mask) == 1
    assert formulas.explained_variance(torch.full((1, 3), 5.0), returns, mask) == pytest.approx(0)
    assert formulas.explained_variance(-returns, returns, mask) == pytest.approx(-3)
    assert formulas.explained_variance(returns, torch.ones(1, 3), mask) == 0


def test_the_kl_controller():
    controller = formulas.KlController(0.1, target=6.0, horizon=100)
    assert controller.after(6.0, 10).coefficient == 0.1
    assert controller.after(6.6, 10).coefficient == pytest.approx(0.1 * 1.01)
    assert controller.after(60.0, 10).coefficient == pytest.approx(0.1 * 1.02)  # the error is clipped at 0.2
    assert controller.after(0.0, 10).coefficient == pytest.approx(0.1 * 0.98)
    assert formulas.KlController(0.1).after(60.0, 10).coefficient == 0.1


@given(st.floats(-5, 100), st.integers(1, 10_000), st.floats(1, 1000))
def test_the_price_of_the_kl_stays_above_zero(kl, answers, horizon):
    assert formulas.KlController(0.1, target=3.0, horizon=horizon).after(kl, answers).coefficient > 0


def test_seeds_differ_by_run_rollout_and_process():
    seeds = {formulas.rollout_seed(a, b, c) for a in range(3) for b in range(-3, 3) for c in range(-3, 3)}
    assert len(seeds) == 3 * 6 * 6
    assert formulas.rollout_seed(1, 2, 3) == formulas.rollout_seed(1, 2, 3)
    assert all(0 <= seed < 2**63 for seed in seeds)


@given(
    st.lists(st.integers(1, 50), min_size=1, max_size=12), st.integers(1, 4), st.integers(1, 3), st.integers(0, 99)
)
def test_steps_hold_each_answer_once_and_siblings_together(prompts, group, whole, seed):
    lengths = [length + at for length in prompts for at in range(group)]
    found = formulas.steps(lengths, whole * group, group, seed)
    assert sorted(row for step in found for row in step) == list(range(len(lengths)))
    for step in found:
        groups = [row // group for row in step]
        assert groups == [number for number in groups[::group] for _ in range(group)]
        longest = [max(lengths[number * group : (number + 1) * group]) for number in groups[::group]]
        assert longest == sorted(longest, reverse=True)


@given(st.lists(st.integers(1, 50), min_size=4, max_size=12), st.integers(0, 99))
def test_steps_that_cannot_hold_whole_groups_hold_single_answers(lengths, seed):
    found = formulas.steps(lengths, 3, 2, seed)
    assert [sorted(step) for step in found] == [sorted(step) for step in formulas.minibatches(len(lengths), 3, seed)]


@given(st.integers(1, 40), st.integers(1, 12), st.integers(0, 5))
def test_minibatches_hold_each_row_once(count, size, seed):
    found = formulas.minibatches(count, size, seed)
    assert sorted(row for batch in found for row in batch) == list(range(count))
    assert all(len(batch) == size for batch in found[:-1])
