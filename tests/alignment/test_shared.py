"""A batch computed once where its rows are alike: the same numbers and gradients as row by row, for every family."""

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoModelForSequenceClassification
from trl.trainer.utils import add_fused_lm_head

import alignment.trainers  # noqa: F401  # scores the labelled positions only
from alignment.shared import share_prefixes
from alignment.tree_attention import TreeAttention
from tests.alignment import tiny
from tests.alignment.running import losses, train, weights

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
WINDOW = 16  # of tiny Gemma; longer rows are computed one by one, which is no matter of this file


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
    # The first token of a row is predicted by none.
    return ids, mask, positions, ids.masked_fill((mask == 0) | (positions % 3 == 0), -100)


def results(base, batch, side, attention, dtype, *, shared):
    model = AutoModelForCausalLM.from_pretrained(base, attn_implementation=attention).to(dtype).eval()
    add_fused_lm_head(model, outputs=FIELDS[:-1])
    said, seen = [], []
    if shared:
        share_prefixes(model, said.append)
        plain = model.base_model._shared.plain
        model.base_model._shared.plain = lambda **inputs: seen.append(inputs["input_ids"].numel()) or plain(**inputs)
    ids, mask, positions, labels = laid_out(batch, side)
    given = {} if shared else {"position_ids": positions.clamp(min=0)}
    outputs = model(input_ids=ids, attention_mask=mask, labels=labels, fused_lm_head=True, **given)
    counts = torch.arange(1.0, 1 + len(batch))
    (outputs.log_probs.sum(1) * counts).sum().backward()
    assert said == []
    norms = {name: parameter.grad.norm().item() for name, parameter in model.named_parameters()}
    return outputs, norms, seen


# Gemma 2 has no other attention than eager; and eager attention makes no number of left padding, which is not ours.
@pytest.mark.parametrize("family", tiny.EVERY_FAMILY)
@pytest.mark.parametrize(("attention", "side"), [("sdpa", "right"), ("sdpa", "left"), ("eager", "right")])
@pytest.mark.parametrize("batch", BATCHES)
def test_every_token_gets_the_same_numbers_and_gradients(batch, side, attention, family, bases):
    if not fits(family, batch) or (family == "gemma" and attention == "sdpa"):
        pytest.skip("computed row by row")
    rows = BATCHES[batch]
    plain, norms, _ = results(bases[family], rows, side, attention, torch.float64, shared=False)
    shared, shared_norms, seen = results(bases[family], rows, side, attention, torch.float64, shared=True)
    assert seen[-1] <= sum(map(len, rows)) if attention == "sdpa" else seen
    for name in FIELDS:
        one, other = getattr(plain, name), getattr(shared, name)
        assert one.shape == other.shape
        # TRL's head hands its sums on in float32.
        assert torch.allclose(one.double(), other.double(), atol=1e-5, rtol=1e-6), name
    for name, norm in norms.items():
        assert shared_norms[name] == pytest.approx(norm, rel=1e-5, abs=1e-9), name


def hidden(model, batch, side, **more):
    ids, mask, positions, _ = laid_out(batch, side)
    found = model.base_model(input_ids=ids, attention_mask=mask, use_cache=False, **more).last_hidden_state
    return found, found[mask.bool()], positions


@pytest.mark.parametrize("family", tiny.EVERY_FAMILY)
@pytest.mark.parametrize("kind", [AutoModelForCausalLM, AutoModelForSequenceClassification])
def test_in_float64_the_trunk_is_the_same_to_the_last_digits(kind, family, bases):
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
            model.base_model.forward = model.base_model._shared.plain
            del model.base_model._shared


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
    model.base_model._shared.checked = True
    torch.manual_seed(0)
    _, first, _ = hidden(model, BATCHES["pairs"], "right")
    _, second, _ = hidden(model, BATCHES["pairs"], "right")
    assert first.isfinite().all()
    assert not torch.equal(first, second)


def test_a_model_that_cannot_be_packed_says_so_and_computes_row_by_row(bases):
    model = AutoModelForCausalLM.from_pretrained(bases["llama"]).eval()
    usual = model.base_model.forward

    def careless(**inputs):  # positions that it makes up itself are wrong for packed rows
        inputs.pop("position_ids", None)
        return usual(**inputs)

    model.base_model.forward = careless
    said = []
    share_prefixes(model, said.append)
    _, found, _ = hidden(model, BATCHES["pairs"], "right")
    ids, mask, _, _ = laid_out(BATCHES["pairs"], "right")
    wanted = usual(input_ids=ids, attention_mask=mask, use_cache=False).last_hidden_state[mask.bool()]
    assert torch.allclose(found, wanted, atol=1e-6)
    assert len(said) == 1
    assert "cannot be packed" in said[0]


def test_generation_and_cached_calls_are_left_alone(bases):
    plain = AutoModelForCausalLM.from_pretrained(bases["llama"]).eval()
    model = AutoModelForCausalLM.from_pretrained(bases["llama"]).eval()
    share_prefixes(model, pytest.fail)
    ids = torch.tensor([[5, 6, 7, 8], [5, 6, 7, 9]])
    said = [
        m.generate(input_ids=ids, attention_mask=torch.ones_like(ids), max_new_tokens=5, do_sample=False)
        for m in (plain, model)
    ]
    assert torch.equal(*said)


@pytest.mark.parametrize("stage", ["sft", "dpo", "reward", "kto"])
def test_a_run_that_shares_is_the_same_run(stage, bases, tmp_path):
    rows = tiny.demonstrations(12) if stage == "sft" else tiny.preferences(12)
    if stage == "kto":
        rows = [
            {"prompt": row["prompt"], "completion": row[side], "label": side == "chosen"}
            for row in rows
            for side in ("chosen", "rejected")
        ]
    path = tiny.write(tmp_path / "rows.jsonl", rows)
    for shared in ("false", "true"):
        train(stage, bases["qwen"], path, tmp_path / shared, share_prefixes=shared, num_train_epochs=1)
    assert losses(tmp_path / "true") == pytest.approx(losses(tmp_path / "false"), rel=1e-4)
    folder = "reward" if stage == "reward" else "adapter"
    alone, together = weights(tmp_path / "false" / folder), weights(tmp_path / "true" / folder)
    for name, tensor in alone.items():
        assert torch.allclose(together[name], tensor, atol=2e-3), name
