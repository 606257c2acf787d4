"""Log-probabilities on a CPU: TRL's results and gradients, with a frozen head."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from trl.kernels import ChunkedLogProbFunction

from alignment.fast import head
from alignment.fast.head import LogProbs

pytestmark = pytest.mark.tiny

ALL = ("entropy", "log_sum_sq_probs", "mean_logits", "is_top1")


def computed(function, tokens, *, vocabulary=50, bias=False, temperature=0.7, scale=1.0, softcap=None, outputs=ALL):
    draw = torch.Generator().manual_seed(tokens)
    # In eighths, so that every product is exact and logits can tie: the first of equal ones is the argmax.
    made = (torch.randn(n, 6, generator=draw, dtype=torch.float64) for n in (tokens, vocabulary))
    hidden, weight = ((8 * each).round() / 8 for each in made)
    weight[7] = weight[31] = 3 * weight[7]
    hidden.requires_grad_()
    given_bias = torch.linspace(-8, 8, vocabulary).round().double() if bias else None
    if bias:
        given_bias[7] = given_bias[31]
    targets = torch.randint(0, vocabulary, (tokens,), generator=draw)
    targets[: tokens // 3], targets[tokens // 3 : tokens // 2] = 7, 31
    found = function.apply(hidden, weight, given_bias, targets, temperature, 16, softcap, scale, outputs)
    factors = torch.linspace(-1, 2, tokens, dtype=torch.float64)
    loss = (found[0] * factors).sum()
    if "entropy" in outputs:
        loss = loss + (found[1] * factors.flip(0)).sum()
    loss.backward()
    return found, hidden.grad


@pytest.fixture
def small(monkeypatch):
    monkeypatch.setattr(head, "STRIPE", 100)
    monkeypatch.setattr(head, "ROWS", 5)


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("kept", [2**28, 0])
@pytest.mark.parametrize("outputs", [ALL, (), ("is_top1",), ("entropy", "mean_logits")])
@pytest.mark.parametrize(("bias", "scale"), [(False, 1.0), (True, 0.5)])
@pytest.mark.parametrize("tokens", [1, 5, 12])
def test_it_matches_trls(tokens, bias, scale, outputs, kept, monkeypatch):
    monkeypatch.setattr(head, "KEPT", kept)
    wanted, gradient = computed(ChunkedLogProbFunction, tokens, bias=bias, scale=scale, outputs=outputs)
    found, own = computed(LogProbs, tokens, bias=bias, scale=scale, outputs=outputs)
    for one, other in zip(found, wanted, strict=True):
        assert (one is None) == (other is None)
        if one is not None and one.dtype == torch.bool:
            assert torch.equal(one, other)
        elif one is not None:
            assert torch.allclose(one, other.double(), atol=1e-5)  # TRL sums up in float32
    assert torch.allclose(own, gradient, atol=1e-5)


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 9), st.integers(32, 70), st.sampled_from([0.5, 1.0, 2.0]))
def test_it_matches_the_softmax(tokens, vocabulary, temperature):
    (found, *_), _ = computed(LogProbs, tokens, vocabulary=vocabulary, temperature=temperature, outputs=())
    draw = torch.Generator().manual_seed(tokens)
    made = (torch.randn(n, 6, generator=draw, dtype=torch.float64) for n in (tokens, vocabulary))
    hidden, weight = ((8 * each).round() / 8 for each in made)
    weight[7] = weight[31] = 3 * weight[7]
    targets = torch.randint(0, vocabulary, (tokens,), generator=draw)
    targets[: tokens // 3], targets[tokens // 3 : tokens // 2] = 7, 31
    wanted = (hidden @ weight.t() / temperature).log_softmax(dim=1).gather(1, targets[:, None])[:, 0]
    assert torch.allclose(found, wanted, atol=1e-9)


def test_a_trained_head_a_capped_one_and_no_tokens_are_left_to_trl(monkeypatch):
    asked = []
    monkeypatch.setattr(head, "ChunkedLogProbFunction", type("Trl", (), {"apply": lambda *args: asked.append(args)}))
    hidden, weight, targets = torch.randn(3, 6), torch.randn(50, 6), torch.zeros(3, dtype=torch.long)
    LogProbs.apply(hidden, weight.clone().requires_grad_(), None, targets, 1.0, 16, None, 1.0, ALL)
    LogProbs.apply(hidden, weight, torch.zeros(50, requires_grad=True), targets, 1.0, 16, None, 1.0, ALL)
    LogProbs.apply(hidden, weight, None, targets, 1.0, 16, 30.0, 1.0, ALL)
    LogProbs.apply(hidden[:0], weight, None, targets[:0], 1.0, 16, None, 1.0, ALL)
    assert len(asked) == 4


def test_in_bf16_its_gradient_is_no_further_from_exact_than_trls():
    draw = torch.Generator().manual_seed(0)
    hidden, weight = torch.randn(40, 64, generator=draw), torch.randn(9000, 64, generator=draw)
    targets = torch.randint(0, 9000, (40,), generator=draw)

    def gradient(function, *, rounded):
        x = hidden.clone().requires_grad_()
        with torch.autocast("cpu", torch.bfloat16, enabled=rounded):
            found = function.apply(x, weight, None, targets, 1.0, 4096, None, 1.0, ())
        (found[0] * torch.linspace(-1, 1, 40)).sum().backward()
        return x.grad

    exact = gradient(ChunkedLogProbFunction, rounded=False)
    own, theirs = (gradient(f, rounded=True) - exact for f in (LogProbs, ChunkedLogProbFunction))
    assert own.norm() < 1.2 * theirs.norm() < 0.02 * exact.norm()
