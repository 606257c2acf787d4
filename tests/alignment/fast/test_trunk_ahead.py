"""Rows of the next call, computed along with those before them, as KTO's rows are with its mismatched answers."""

import pytest
import torch
from transformers import AutoModelForCausalLM
from trl import KTOTrainer

from alignment.fast.install import share_prefixes
from alignment.fast.trunk import SharingTrunk
from alignment.rows.batching import padded
from tests.alignment import tiny
from tests.alignment.running import train

pytestmark = pytest.mark.tiny

LONG, SHORT = list(range(10, 60)), [5, 6]


def rows(prompt):
    """Rows that answer a prompt, and the same prompt with other answers."""
    return [[*prompt, 70, 71], [*prompt, 72]], [[*prompt, 80], [*prompt, 81, 82, 83]]


def tensors(batch):
    ids, mask = padded(batch, 0)
    return {"input_ids": ids, "attention_mask": mask}


@pytest.fixture
def model(tmp_path):
    return AutoModelForCausalLM.from_pretrained(tiny.build("llama", tmp_path / "base")).double().eval()


@pytest.fixture
def shared(model, monkeypatch):
    """The model's trunk, shared, and the sizes of what it computes."""
    share_prefixes(model, pytest.fail)
    model.base_model._sharing.check()
    sizes = []
    usual = SharingTrunk.together
    monkeypatch.setattr(SharingTrunk, "together", lambda self, *a: sizes.append(a[0].length) or usual(self, *a))
    return model.base_model, sizes


def both(trunk, first, second, grad):
    with torch.set_grad_enabled(grad):
        with trunk._sharing.before(*tensors(second).values()), torch.no_grad():
            one = trunk(**tensors(first)).last_hidden_state
        return one, trunk(**tensors(second)).last_hidden_state


@pytest.mark.parametrize("grad", [True, False])
@pytest.mark.parametrize("prompt", [LONG, SHORT])
def test_the_numbers_and_gradients_are_those_of_two_calls(prompt, grad, model, shared):
    first, second = rows(prompt)
    trunk, sizes = shared
    alone = [trunk._sharing.plain(**tensors(batch)).last_hidden_state for batch in (first, second)]
    answered = tensors(second)["attention_mask"].bool()
    factors = torch.randn(alone[1][answered].shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    (alone[1][answered] * factors).sum().backward()
    wanted = {name: parameter.grad for name, parameter in trunk.named_parameters()}
    model.zero_grad()
    found = both(trunk, first, second, grad)
    for batch, one, other in zip((first, second), alone, found, strict=True):
        kept = tensors(batch)["attention_mask"].bool()
        assert torch.allclose(one[kept], other[kept], rtol=1e-9, atol=1e-9)
    assert not found[0].requires_grad
    assert found[1].requires_grad == grad
    if grad:
        (found[1][answered] * factors).sum().backward()
        for name, parameter in trunk.named_parameters():
            assert (parameter.grad - wanted[name]).norm() < 1e-5 * wanted[name].norm(), name
    # They are computed together, unless the first's backward pass costs more than computing the prompt again.
    shared_once = len(prompt) + 3 + 4
    apart = [len(prompt) + 3, len(prompt) + 4]
    assert sizes == (apart if grad and prompt is SHORT else [shared_once])


def test_what_was_computed_ahead_is_not_given_to_another_call(shared):
    first, second = rows(LONG)
    trunk, sizes = shared
    for other, gradients in (([[*LONG, 99]], False), (second, True)):
        with torch.no_grad(), trunk._sharing.before(*tensors(second).values()):
            trunk(**tensors(first))
        with torch.set_grad_enabled(gradients):
            found = trunk(**tensors(other)).last_hidden_state
        assert found.requires_grad == gradients
        kept = tensors(other)["attention_mask"].bool()
        assert torch.allclose(found[kept], trunk._sharing.plain(**tensors(other)).last_hidden_state[kept], atol=1e-9)
        with torch.no_grad():  # nor, later, to the intended call
            trunk(**tensors(second))
    assert len(sizes) == 6


def test_rows_that_were_announced_and_not_computed_are_forgotten(shared):
    first, second = rows(LONG)
    trunk, sizes = shared
    with pytest.raises(KeyError), torch.no_grad(), trunk._sharing.before(*tensors(second).values()):
        raise KeyError
    with trunk._sharing.before(*tensors(second).values()):
        pass
    with torch.no_grad():
        trunk(**tensors(first))
    assert sizes == [len(LONG) + 3]


def test_rows_beyond_a_window_are_not_joined(model, shared):
    first, second = rows(LONG)
    trunk, sizes = shared
    model.config.sliding_window = len(LONG) + 2  # one of the second is longer
    both(trunk, first, second, grad=False)
    assert sizes == [len(LONG) + 3]


def test_kto_computes_its_rows_with_the_mismatched_ones(tmp_path, monkeypatch):
    """Votes on one question share a step: policy and reference make one pass each, mismatched rows included."""
    passes, steps = [], []
    usual, loss = SharingTrunk.together, KTOTrainer._compute_loss
    monkeypatch.setattr(SharingTrunk, "together", lambda self, *a: passes.append(a[0]) or usual(self, *a))

    def step(self, model, inputs, return_outputs):
        passes.clear()
        found = loss(self, model, inputs, return_outputs)
        prompt = inputs["attention_mask"].bool() & ~inputs["completion_mask"].bool()
        prompts = {tuple(ids[of].tolist()) for ids, of in zip(inputs["input_ids"], prompt, strict=True)}
        steps.append((len(prompts), [len(each.where) for each in passes]))
        return found

    monkeypatch.setattr(KTOTrainer, "_compute_loss", step)
    data = tiny.write(tmp_path / "rows.jsonl", tiny.votes(tiny.preferences(8), repeat=20))
    flags = {"num_train_epochs": 1, "per_device_train_batch_size": 4, "eval_fraction": 0, "max_length": 2048}
    train("kto", tiny.build("llama", tmp_path / "base"), data, tmp_path / "out", **flags)
    assert steps[-4:] == [(2, [8, 8])] * 4
