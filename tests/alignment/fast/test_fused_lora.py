"""A layer with its adapter computed at once: PEFT's numbers and gradients, and PEFT itself if it is not plain."""

import copy

import pytest
import torch
from peft import LoraConfig, get_peft_model
from torch import nn
from transformers.pytorch_utils import Conv1D

from alignment.fast.fused_lora import FusedGate, FusedLora, round_frozen
from alignment.fast.install import fuse

pytestmark = pytest.mark.tiny


class Block(nn.Module):
    """Two layers with the same input, and one after them."""

    def __init__(self, kind):
        super().__init__()
        make = {
            "linear": nn.Linear,
            "no bias": lambda i, o: nn.Linear(i, o, bias=False),
            "conv": lambda i, o: Conv1D(o, i),
        }
        self.one, self.two, self.out = make[kind](12, 20), make[kind](12, 20), make[kind](20, 12)

    def forward(self, x):
        return self.out(torch.tanh(self.one(x)) * self.two(x))


def adapted(kind="linear", **more):
    torch.manual_seed(0)
    config = LoraConfig(
        r=4, lora_alpha=6, target_modules=["one", "two", "out"], fan_in_fan_out=kind == "conv", **more
    )
    model = get_peft_model(Block(kind), config)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "lora_" in name or "bias" in name:
                parameter.copy_(torch.randn_like(parameter))
            elif "base_layer" in name:  # like a base published in bf16
                parameter.copy_(parameter.bfloat16())
    return model


def computed(model, x, *, rounded=False):
    model.zero_grad()
    x = x.clone().requires_grad_()
    with torch.autocast("cpu", torch.bfloat16, enabled=rounded):
        y = model(x)
    (y.float() * torch.linspace(-1, 1, y.numel()).view_as(y)).sum().backward()
    return [y.detach().clone(), x.grad, *(p.grad.clone() for p in model.parameters() if p.grad is not None)]


def each_apart(ones, others):
    assert len(ones) == len(others)
    return [float((one - other).norm() / other.norm()) for one, other in zip(ones, others, strict=True)]


def apart(ones, others):
    return max(each_apart(ones, others))


@pytest.fixture
def calls(monkeypatch):
    found = []
    usual = FusedLora.apply
    monkeypatch.setattr(FusedLora, "apply", lambda *args: found.append(args[4] is not None) or usual(*args))
    return found


@pytest.mark.parametrize("kind", ["linear", "no bias", "conv"])
def test_numbers_and_gradients_are_pefts(kind, calls):
    model = adapted(kind).double()
    x = torch.randn(2, 5, 12, dtype=torch.float64)
    wanted = computed(model, x)
    assert fuse(model) == 3
    found = computed(model, x)
    assert calls == [True] * 3
    assert apart(found, wanted) < 1e-12


def test_frozen_weights_are_held_in_the_dtype_of_the_product():
    model = adapted()
    with torch.no_grad():  # bf16 cannot hold these exactly
        model.base_model.model.out.base_layer.weight.mul_(1.001)
    untouched = copy.deepcopy(model)
    x = torch.randn(2, 5, 12)
    fuse(model)
    fuse(untouched)
    round_frozen(model, torch.bfloat16)
    layers = [getattr(model.base_model.model, name) for name in ("one", "two", "out")]
    assert [layer.base_layer.weight.dtype for layer in layers] == [torch.bfloat16] * 3
    assert {p.dtype for p in model.parameters() if p.requires_grad} == {torch.float32}
    # Autocast rounds them in each pass anyway, so its numbers stay the same.
    for one, other in zip(computed(model, x, rounded=True), computed(untouched, x, rounded=True), strict=True):
        assert torch.equal(one, other)
    # Without autocast the rounded base computes in float32.
    with torch.no_grad():
        for layer in layers:
            layer.base_layer.weight.data = layer.base_layer.weight.float()
    wanted = computed(model, x)
    round_frozen(model, torch.bfloat16)
    assert apart(computed(model, x), wanted) < 1e-6


class Gated(nn.Module):
    """A block as transformers' Llama, Qwen, Mistral and Gemma have it."""

    def __init__(self, act):
        super().__init__()
        self.gate_proj, self.up_proj = nn.Linear(12, 20), nn.Linear(12, 20)
        self.down_proj, self.act_fn = nn.Linear(20, 12), act

    def forward(self, x):
        return self.down_proj(self.act_fn(self.gate_proj(x)) * self.up_proj(x))


def gated(act=None, targets=("gate_proj", "up_proj", "down_proj"), **more):
    torch.manual_seed(0)
    block = nn.Sequential(Gated(act or nn.SiLU()), nn.Tanh(), Gated(act or nn.SiLU()))
    model = get_peft_model(block, LoraConfig(r=4, lora_alpha=6, target_modules=list(targets), **more))
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "lora_" in name:
                parameter.copy_(0.3 * torch.randn_like(parameter))
    return model


@pytest.fixture
def gates(monkeypatch):
    found = []
    usual = FusedGate.apply
    monkeypatch.setattr(FusedGate, "apply", lambda *args: found.append(args[2]) or usual(*args))
    return found


@pytest.mark.parametrize("act", [nn.SiLU(), nn.GELU(approximate="tanh"), nn.Identity()])
def test_a_gated_block_is_pefts_in_numbers_and_gradients(act, gates):
    model = gated(act).double()
    x = torch.randn(2, 5, 12, dtype=torch.float64)
    wanted = computed(model, x)
    fuse(model)
    assert apart(computed(model, x), wanted) < 1e-12
    assert len(gates) == 2


@pytest.mark.parametrize("make", [adapted, gated])
def test_in_bf16_it_is_as_exact_as_peft(make, calls, gates):
    model = make()
    x = torch.randn(200, 12)
    exact = computed(copy.deepcopy(model).double(), x.double())
    usual = each_apart(computed(model, x, rounded=True), exact)
    fuse(model)
    calls.clear()  # the calls that examined the blocks
    fused = each_apart(computed(model, x, rounded=True), exact)
    assert sum(fused) < 1.2 * sum(usual) < 0.5
    assert (len(calls), len(gates)) == ((3, 0) if make is adapted else (0, 2))


def test_a_gated_block_keeps_no_product():
    """The third layer's input, (tokens, 20), is computed again; only the block's input and both halves are kept."""

    def kept(model):
        sizes = {}
        with torch.autograd.graph.saved_tensors_hooks(
            lambda t: sizes.setdefault(t.untyped_storage().data_ptr(), t), lambda t: t
        ):
            model(torch.randn(30, 12).requires_grad_())
        return sum(t.shape == (30, 20) for t in sizes.values())

    model = gated()
    before = kept(model)
    fuse(model)
    assert (before, kept(model)) == (8, 4)


class Sparse(Gated):
    """A block of the same parts that computes something else, as Gemma 3n's do."""

    def forward(self, x):
        return self.down_proj(self.act_fn(torch.relu(self.gate_proj(x) - 0.1)) * self.up_proj(x))


def test_a_block_that_computes_something_else_is_left_to_its_layers(gates):
    torch.manual_seed(0)
    targets = ["gate_proj", "up_proj", "down_proj"]
    model = get_peft_model(nn.Sequential(Sparse(nn.SiLU())), LoraConfig(r=4, target_modules=targets))
    x = torch.randn(4, 12)
    wanted = computed(model, x)
    fuse(model)
    assert apart(computed(model, x), wanted) < 1e-5
    assert not gates


@pytest.mark.parametrize("part", ["gate_proj", "up_proj", "down_proj"])
def test_a_block_with_a_layer_that_is_not_plain_any_more_is_left_to_its_layers(part, gates):
    model = gated()
    x = torch.randn(4, 12)
    fuse(model)
    with torch.no_grad():
        wanted = model(x)
        gates.clear()
        getattr(model.base_model.model[0], part).merge()
        assert torch.allclose(model(x), wanted, atol=1e-4)
    assert len(gates) == 1  # the other one


def test_a_block_is_recognised_whether_or_not_there_is_dropout(gates):
    model = gated(lora_dropout=0.5).train()
    fuse(model)
    assert all(module.training for module in model.modules())
    with torch.no_grad():
        model(torch.randn(4, 12))
        assert not gates  # PEFT computes dropout
        model.eval()(torch.randn(4, 12))
    assert len(gates) == 2


def test_a_block_with_a_layer_that_has_no_adapter_is_left_to_its_layers(gates):
    model = gated(targets=("gate_proj", "down_proj"))
    x = torch.randn(4, 12)
    wanted = computed(model, x)
    fuse(model)
    assert apart(computed(model, x), wanted) < 1e-5
    assert not gates


def test_without_an_adapter_it_is_the_base(calls):
    model = adapted()
    x = torch.randn(3, 12)
    fuse(model)
    with torch.no_grad(), model.disable_adapter():
        found = model(x)
        wanted = model.base_model.model.out.base_layer(
            torch.tanh(model.base_model.model.one.base_layer(x)) * model.base_model.model.two.base_layer(x)
        )
    assert torch.allclose(found, wanted, atol=1e-6)
    assert calls == [False] * 3


def test_an_input_that_changes_in_place_is_rounded_again():
    model = adapted()
    fuse(model)
    x = torch.randn(3, 12)
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        first = model(x)
        x.neg_()
        again = model(x)
        assert torch.equal(again, model(x.clone()))
    assert not torch.equal(first, again)


@pytest.mark.parametrize(
    "make",
    [
        lambda: adapted(lora_dropout=0.5).train(),
        lambda: adapted(use_dora=True),
        lambda: adapted(lora_bias=True),
    ],
)
def test_what_is_not_plain_is_left_to_peft(make, calls):
    model, plain = make(), make()
    fuse(model)
    x = torch.randn(3, 12)
    torch.manual_seed(1)
    found = computed(model, x)
    torch.manual_seed(1)
    assert apart(found, computed(plain, x)) < 1e-6
    assert not calls


def test_weights_held_in_bf16_still_work_with_pefts_own_forward():
    model = adapted(lora_dropout=0.5).eval()
    fuse(model)
    x = torch.randn(3, 12)
    wanted = computed(adapted(lora_dropout=0.5).eval(), x)
    computed(model, x, rounded=True)
    assert model.base_model.model.one.base_layer.weight.dtype == torch.bfloat16
    model.train()
    model(x)  # with dropout, PEFT computes
    assert model.base_model.model.one.base_layer.weight.dtype == torch.float32
    assert apart(computed(model.eval(), x), wanted) < 1e-6
    with torch.inference_mode():
        assert torch.isfinite(model(x)).all()


def test_the_result_may_be_changed_in_place():
    model = adapted()
    fuse(model)
    y = model.base_model.model.one(torch.randn(3, 12, requires_grad=True))
    y.mul_(2).sum().backward()


def test_two_adapters_at_once_and_merged_ones_are_left_to_peft(calls):
    model = adapted()
    model.add_adapter("more", LoraConfig(r=2, target_modules=["one", "two", "out"]))
    fuse(model)
    x = torch.randn(3, 12)
    wanted = model(x)
    model.base_model.set_adapter(["default", "more"])
    calls.clear()
    assert torch.allclose(model(x), wanted, atol=1e-5)  # the second adapter is new and adds nothing
    model.base_model.set_adapter("default")
    model.merge_adapter()
    assert torch.allclose(model(x), wanted, atol=1e-4)
    assert not calls
