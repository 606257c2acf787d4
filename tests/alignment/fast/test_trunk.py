"""Shared beginnings of a batch computed once: the same numbers and gradients as row by row, for every family."""

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoModelForSequenceClassification, LlamaConfig, MixtralConfig
from transformers.models.qwen2.modeling_qwen2 import Qwen2DecoderLayer
from trl import DPOTrainer

from alignment.fast.install import fused_head, share_prefixes
from alignment.fast.prefixes import lay_out
from alignment.fast.tree_attention import TreeAttention, looks
from alignment.fast.trunk import SharingTrunk, visible
from tests.alignment import tiny
from tests.alignment.running import losses, train, weights

pytestmark = pytest.mark.tiny

FIELDS = ("log_probs", "entropy", "mean_logits", "is_top1", "label_mask")
PROMPT = list(range(10, 60))
BATCHES = {
    "pairs": [[*PROMPT, 70, 71, 72], [5, 6, 7, 8, 9, 10], [*PROMPT, 70, 74], [5, 6, 7, 8, 9, 10, 11, 12]],
    "groups": [[*PROMPT[:20], number, *range(100, 100 + number % 5)] for number in range(60, 68)],
    "alike": [[*PROMPT, 70]] * 2 + [PROMPT[:3], PROMPT],
    "nothing shared": [list(range(start, start + 7)) for start in (5, 25, 45)],
    "one row": [[*PROMPT, 70, 71]],
    "within a window": [[5, 6, 7, 8, 9, 10, 20, 21], [5, 6, 7, 8, 9, 10, 22], [5, 6, 7, 8, 30, 31, 32], [40, 41]],
}
WINDOW = 16  # of tiny Gemma; longer rows are computed one by one, which this file does not test


def fits(family, batch):
    return family != "gemma" or max(map(len, BATCHES[batch])) < WINDOW - 2


@pytest.fixture(scope="module")
def bases(tmp_path_factory):
    return {family: tiny.build(family, tmp_path_factory.mktemp(family)) for family in tiny.EVERY_FAMILY}


def laid_out(rows, side):
    width = max(map(len, rows)) + 2
    ids = torch.zeros(len(rows), width, dtype=torch.long)
    mask = torch.zeros_like(ids)
    for number, row in enumerate(rows):
        at = slice(0, len(row)) if side == "right" else slice(width - len(row), width)
        ids[number, at], mask[number, at] = torch.tensor(row), 1
    positions = mask.cumsum(1) - 1
    # No token predicts the first one of a row.
    return ids, mask, positions, ids.masked_fill((mask == 0) | (positions % 3 == 0), -100)


def results(base, batch, side, attention, dtype, *, shared):
    model = AutoModelForCausalLM.from_pretrained(base, attn_implementation=attention).to(dtype).eval()
    fused_head()(model, outputs=FIELDS[:-1])
    messages, seen = [], []
    if shared:
        share_prefixes(model, messages.append)
        plain = model.base_model._sharing.plain
        model.base_model._sharing.plain = lambda **inputs: seen.append(inputs["input_ids"].numel()) or plain(**inputs)
    ids, mask, positions, labels = laid_out(batch, side)
    given = {} if shared else {"position_ids": positions.clamp(min=0)}
    outputs = model(input_ids=ids, attention_mask=mask, labels=labels, fused_lm_head=True, **given)
    counts = torch.arange(1.0, 1 + len(batch))
    (outputs.log_probs.sum(1) * counts).sum().backward()
    assert messages == []
    return outputs, {name: parameter.grad for name, parameter in model.named_parameters()}, seen


# Gemma 2 has eager attention only; and eager attention gives no numbers for left padding, which is not our doing.
CASES = [
    (family, attention, side, batch)
    for family in tiny.EVERY_FAMILY
    for attention, side in (("sdpa", "right"), ("sdpa", "left"), ("eager", "right"))
    for batch in BATCHES
    if fits(family, batch) and (family, attention) != ("gemma", "sdpa")
]


@pytest.mark.parametrize(("family", "attention", "side", "batch"), CASES)
def test_every_token_gets_the_same_numbers_and_gradients(family, attention, side, batch, bases):
    rows = BATCHES[batch]
    plain, gradients, _ = results(bases[family], rows, side, attention, torch.float64, shared=False)
    shared, shared_gradients, seen = results(bases[family], rows, side, attention, torch.float64, shared=True)
    if attention == "sdpa":
        assert seen[-1] == len({tuple(row[: at + 1]) for row in rows for at in range(len(row))})
    for name in FIELDS:
        one, other = getattr(plain, name), getattr(shared, name)
        assert one.shape == other.shape
        # TRL's head passes on its sums in float32.
        assert torch.allclose(one.double(), other.double(), atol=1e-5, rtol=1e-6), name
    for name, gradient in gradients.items():
        apart = (shared_gradients[name] - gradient).norm() / gradient.norm().clamp(min=1e-6)
        assert apart < 1e-5, name


def hidden(model, batch, side, **more):
    ids, mask, positions, _ = laid_out(batch, side)
    found = model.base_model(input_ids=ids, attention_mask=mask, use_cache=False, **more).last_hidden_state
    return found, found[mask.bool()], positions


@pytest.mark.parametrize("family", tiny.EVERY_FAMILY)
@pytest.mark.parametrize("kind", [AutoModelForCausalLM, AutoModelForSequenceClassification])
def test_in_float64_the_trunk_is_the_same_to_the_last_digits(kind, family, bases, monkeypatch):
    # Eager attention computes its weights in float32 whatever the input: rows of other lengths round differently.
    usual = torch.nn.functional.softmax
    monkeypatch.setattr(torch.nn.functional, "softmax", lambda x, dim, **_: usual(x, dim))
    model = kind.from_pretrained(bases[family]).double().eval()
    for name, batch in BATCHES.items():
        for side in ("right", "left") if family != "gemma" else ("right",):
            if not fits(family, name):
                continue
            _, _, positions, _ = laid_out(batch, side)
            _, alone, _ = hidden(model, batch, side, position_ids=positions.clamp(min=0))
            share_prefixes(model, pytest.fail)
            _, together, _ = hidden(model, batch, side)
            assert torch.allclose(alone, together, rtol=1e-9, atol=1e-9)
            model.base_model.forward = model.base_model._sharing.plain
            del model.base_model._sharing


def test_a_cpu_computes_no_mask(bases, monkeypatch):
    calls = []
    usual = TreeAttention.apply
    monkeypatch.setattr(TreeAttention, "apply", lambda *args: calls.append(args[-1]) or usual(*args))
    model = AutoModelForCausalLM.from_pretrained(bases["llama"])
    share_prefixes(model, pytest.fail)
    hidden(model, BATCHES["pairs"], "right")
    assert calls


def test_attention_with_dropout_is_masked_and_not_left_out(bases, monkeypatch):
    model = AutoModelForCausalLM.from_pretrained(bases["llama"], attention_dropout=0.5).train()
    share_prefixes(model, pytest.fail)
    monkeypatch.setattr(TreeAttention, "apply", lambda *_: pytest.fail("dropout was left out"))
    model.base_model._sharing.checked = True
    torch.manual_seed(0)
    _, first, _ = hidden(model, BATCHES["pairs"], "right")
    _, second, _ = hidden(model, BATCHES["pairs"], "right")
    assert first.isfinite().all()
    assert not torch.equal(first, second)


def refused(model):
    messages = []
    share_prefixes(model, messages.append)
    ids, mask, _, _ = laid_out(BATCHES["pairs"], "right")
    model.base_model(input_ids=ids[:1], attention_mask=mask[:1], use_cache=False)  # one row has nothing to share
    found = model.base_model(input_ids=ids, attention_mask=mask, use_cache=False).last_hidden_state[mask.bool()]
    return found, messages


def test_a_model_that_cannot_be_packed_says_so_and_computes_row_by_row(bases):
    model = AutoModelForCausalLM.from_pretrained(bases["llama"]).eval()
    usual = model.base_model.forward

    def careless(**inputs):  # its own positions are wrong for rows that are computed together
        inputs.pop("position_ids", None)
        return usual(**inputs)

    model.base_model.forward = careless
    found, messages = refused(model)
    ids, mask, _, _ = laid_out(BATCHES["pairs"], "right")
    wanted = usual(input_ids=ids, attention_mask=mask, use_cache=False).last_hidden_state[mask.bool()]
    assert torch.allclose(found, wanted, atol=1e-6)
    assert len(messages) == 1
    assert "hidden states differ" in messages[0]


def test_an_attention_without_masks_and_layers_of_another_kind_are_refused_beforehand(bases):
    model = AutoModelForCausalLM.from_pretrained(bases["llama"]).eval()
    model.config._attn_implementation = "flash_attention_2"
    messages = []
    share_prefixes(model, messages.append)
    assert "flash_attention_2 takes no mask" in messages[0]
    assert "_sharing" not in vars(model.base_model)
    model = AutoModelForCausalLM.from_pretrained(bases["llama"]).eval()
    model.config.layer_types = ["linear_attention", "full_attention"]
    share_prefixes(model, messages.append)
    assert "layers of another kind (linear_attention)" in messages[1]


def test_rows_longer_than_a_window_are_computed_one_by_one(bases):
    model = AutoModelForCausalLM.from_config(
        LlamaConfig(vocab_size=128, hidden_size=32, intermediate_size=64, num_hidden_layers=1, num_attention_heads=2)
    )
    model.config.attention_chunk_size = 20
    share_prefixes(model, pytest.fail)
    seen = []
    plain = model.base_model._sharing.plain
    model.base_model._sharing.checked = True
    model.base_model._sharing.plain = lambda **inputs: seen.append(len(inputs["input_ids"])) or plain(**inputs)
    hidden(model, BATCHES["within a window"], "right")
    hidden(model, BATCHES["pairs"], "right")
    assert seen == [1, 4]


def test_experts_keep_their_routers_loss():
    model = AutoModelForCausalLM.from_config(
        MixtralConfig(
            vocab_size=128,
            hidden_size=32,
            intermediate_size=64,
            num_hidden_layers=2,
            num_attention_heads=2,
            num_key_value_heads=1,
            num_local_experts=4,
            output_router_logits=True,
        )
    ).eval()
    ids, mask, _, labels = laid_out(BATCHES["pairs"], "right")
    wanted = model(input_ids=ids, attention_mask=mask, labels=labels).loss
    share_prefixes(model, pytest.fail)
    assert torch.allclose(model(input_ids=ids, attention_mask=mask, labels=labels).loss, wanted)


def test_in_bf16_it_is_as_exact_as_torch():
    draw = torch.Generator().manual_seed(0)
    layout = lay_out([[*PROMPT, 70, 71, 72], [*PROMPT, 80]], None, 0)
    inputs = [4 * torch.randn(1, heads, layout.length, 64, generator=draw) for heads in (6, 2, 2)]
    low = [tensor.bfloat16() for tensor in inputs]
    seen = visible(layout)
    attend = torch.nn.functional.scaled_dot_product_attention
    exact = attend(*(tensor.double() for tensor in low), attn_mask=seen, enable_gqa=True)
    errors = [
        (found.double() - exact).norm() / exact.norm()
        for found in (
            TreeAttention.apply(*low, 64**-0.5, looks(layout)),
            attend(*low, attn_mask=seen, enable_gqa=True),
        )
    ]
    assert errors[0] < 1.5 * errors[1] < 0.01


def test_a_mask_for_all_pairs_is_used_only_where_it_saves_something(bases):
    model = AutoModelForCausalLM.from_pretrained(bases["llama"], attn_implementation="eager").eval()
    share_prefixes(model, pytest.fail)
    seen = []
    plain = model.base_model._sharing.plain
    model.base_model._sharing.checked = True
    model.base_model._sharing.plain = lambda **inputs: seen.append(inputs["attention_mask"].dim()) or plain(**inputs)
    hidden(model, [list(range(start, start + 30)) for start in (5, 45)], "right")
    hidden(model, [[*PROMPT, 70], [*PROMPT, 71]], "right")
    assert seen == [2, 4]


def test_looking_at_a_model_leaves_it_as_it_was(bases):
    model = AutoModelForCausalLM.from_pretrained(bases["llama"]).train()
    model.base_model.embed_tokens.eval()
    before = {name: module.training for name, module in model.named_modules()}
    share_prefixes(model, pytest.fail)
    hidden(model, BATCHES["pairs"], "right")
    assert {name: module.training for name, module in model.named_modules()} == before


def test_noise_that_depends_on_a_sequence_s_length_is_not_shared(bases, tmp_path, monkeypatch):
    asked = []
    monkeypatch.setattr("alignment.fast.install.share_prefixes", lambda *_: asked.append(1))
    rows = tiny.write(tmp_path / "rows.jsonl", tiny.demonstrations(6))
    for name, flags in (("plain", {}), ("noisy", {"neftune_noise_alpha": 5})):
        train("sft", bases["llama"], rows, tmp_path / name, num_train_epochs=1, **flags)
        assert len(asked) == 1


def test_generation_and_cached_calls_are_left_alone(bases):
    plain = AutoModelForCausalLM.from_pretrained(bases["llama"]).eval()
    model = AutoModelForCausalLM.from_pretrained(bases["llama"]).eval()
    share_prefixes(model, pytest.fail)
    ids = torch.tensor([[5, 6, 7, 8], [5, 6, 7, 9]])
    messages = [
        m.generate(input_ids=ids, attention_mask=torch.ones_like(ids), max_new_tokens=5, do_sample=False)
        for m in (plain, model)
    ]
    assert torch.equal(*messages)


@pytest.mark.parametrize("stage", ["sft", "dpo", "reward", "kto"])
def test_a_run_that_shares_is_the_same_run(stage, bases, tmp_path, monkeypatch):
    rows = tiny.demonstrations(12) if stage == "sft" else tiny.preferences(12)
    path = tiny.write(tmp_path / "rows.jsonl", tiny.votes(rows) if stage == "kto" else rows)
    tokens = {"false": 0, "true": 0}
    usual = Qwen2DecoderLayer.forward

    def counting(self, hidden_states, *args, **kwargs):
        tokens[now] += hidden_states.shape[:2].numel()
        return usual(self, hidden_states, *args, **kwargs)

    monkeypatch.setattr(Qwen2DecoderLayer, "forward", counting)
    for now in tokens:
        train(stage, bases["qwen"], path, tmp_path / now, share_prefixes=now, num_train_epochs=1)
    assert tokens["true"] < 0.95 * tokens["false"]
    assert losses(tmp_path / "true") == pytest.approx(losses(tmp_path / "false"), rel=1e-4)
    folder = "reward" if stage == "reward" else "adapter"
    alone, together = weights(tmp_path / "false" / folder), weights(tmp_path / "true" / folder)
    for name, tensor in alone.items():
        assert torch.allclose(together[name], tensor, atol=2e-3), name


def test_the_references_pass_shares_too(bases, tmp_path, monkeypatch):
    calls, before_training = [], []
    usual = SharingTrunk.together
    monkeypatch.setattr(SharingTrunk, "together", lambda *args: calls.append(1) or usual(*args))
    monkeypatch.setattr(DPOTrainer, "_precompute_ref_logps", counting_reference(calls, before_training))
    rows = tiny.write(tmp_path / "rows.jsonl", tiny.preferences(12))
    train("dpo", bases["qwen"], rows, tmp_path / "out", num_train_epochs=1)
    assert before_training
    assert all(before_training)


def counting_reference(calls, found):
    """TRL's pass of the reference; `found` gets how many sequences' batches were shared in it."""
    usual = DPOTrainer._precompute_ref_logps

    def counted(self, *args):
        began = len(calls)
        try:
            return usual(self, *args)
        finally:
            found.append(len(calls) - began)

    return counted
