"""The pass that scores a rollout is the one that the first optimizer step trains."""

import pytest
import torch

from alignment.rl.first_pass import FirstPass

pytestmark = pytest.mark.tiny


def test_a_kept_pass_has_the_same_numbers_and_gradients():
    torch.manual_seed(0)
    model, x = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.Tanh(), torch.nn.Linear(8, 1)), torch.randn(3, 4)
    first = FirstPass(model, 10**6)
    with torch.no_grad():
        scored = first.compute(2, lambda: {"log_probs": model(x)})
    assert not scored["log_probs"].requires_grad
    assert first.take(1, 2) is None
    kept = first.take(0, 2)["log_probs"]
    assert torch.equal(kept, scored["log_probs"])
    kept.square().sum().backward()
    found = [parameter.grad.clone() for parameter in model.parameters()]
    model.zero_grad()
    model(x).square().sum().backward()
    assert all(torch.equal(one, other.grad) for one, other in zip(found, model.parameters(), strict=True))
    assert first.take(0, 2) is None  # it can be trained once


def test_passes_are_kept_while_there_is_room():
    """Weights count for nothing: only what the backward pass needs besides."""
    model, x = torch.nn.Linear(256, 256), torch.randn(10, 256)
    first = FirstPass(model, 12_000)
    with torch.no_grad():
        for micro in range(3):
            first.compute(micro, lambda: {"values": model(x.clone())})
    assert first.held == 2 * x.nbytes  # the first one leaves room, the second one does not
    assert [first.take(0, micro) is None for micro in range(3)] == [False, False, True]


def test_without_room_nothing_is_kept():
    model, x = torch.nn.Linear(4, 4), torch.randn(3, 4)
    first = FirstPass(model, 0)
    with torch.no_grad():
        assert not first.compute(0, lambda: {"values": model(x)})["values"].requires_grad
    assert first.take(0, 0) is None
