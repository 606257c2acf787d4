"""Rows end to end without padding: the same numbers as each by itself."""

import pytest
import torch

from alignment.fast.install import fused_head, leave_out_padding
from alignment.training.trainers import Sft
from tests.alignment import tiny
from tests.alignment.running import built, dying, losses, manifest, train, weights

pytestmark = pytest.mark.tiny

FIELDS = ("log_probs", "entropy", "mean_logits", "is_top1", "label_mask")


@pytest.fixture(scope="module")
def bases(tmp_path_factory):
    return {family: tiny.build(family, tmp_path_factory.mktemp(family)) for family in tiny.FAMILIES}


@pytest.fixture(scope="module")
def demonstrations(tmp_path_factory):
    rows = tiny.demonstrations(14)
    rows += [
        {
            "messages": [
                {"role": "user", "content": f"蕨类植物{number}怎么浇水?"},
                {"role": "assistant", "content": "少量多次。" * (1 + number)},
            ]
        }
        for number in range(4)
    ]
    return tiny.write(tmp_path_factory.mktemp("rows") / "rows.jsonl", rows)


@pytest.fixture(scope="module")
def pairs(tmp_path_factory):
    return tiny.write(tmp_path_factory.mktemp("rows") / "rows.jsonl", tiny.preferences(12))


def fused(base, padding_free):
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(base).double().eval()
    fused_head()(model, outputs=("log_probs", "entropy", "mean_logits", "is_top1"))
    if padding_free:
        leave_out_padding(model)
    return model


@pytest.mark.parametrize("side", ["right", "left"])
@pytest.mark.parametrize("family", tiny.FAMILIES)
def test_without_padding_every_token_gets_the_same_numbers_and_gradients(family, side, bases):
    lengths, width = (7, 12, 1, 9), 12
    mask = torch.tensor([[1] * length + [0] * (width - length) for length in lengths])
    mask = mask if side == "right" else mask.flip(1)
    ids = torch.randint(5, 300, mask.shape, generator=torch.Generator().manual_seed(0)) * mask
    positions = mask.cumsum(1) - 1
    labels = ids.masked_fill((mask == 0) | (positions % 3 == 0), -100)  # no token predicts the first one of a row
    found = []
    for padding_free in (False, True):
        model = fused(bases[family], padding_free)
        seen = []
        model.base_model.register_forward_pre_hook(
            lambda _, __, inputs, seen=seen: seen.append(inputs["input_ids"].shape), with_kwargs=True
        )
        given = {} if padding_free else {"position_ids": positions.clamp(min=0)}
        outputs = model(input_ids=ids, attention_mask=mask, labels=labels, fused_lm_head=True, **given)
        assert seen == [(1, sum(lengths)) if padding_free else ids.shape]
        (outputs.log_probs.sum(1) * torch.arange(1.0, 5.0)).sum().backward()
        norms = {name: parameter.grad.norm() for name, parameter in model.named_parameters()}
        found.append((outputs, norms))
    (padded, norms), (packed, packed_norms) = found
    for name in FIELDS:
        one, other = getattr(padded, name), getattr(packed, name)
        assert one.shape == other.shape == (4, width - 1)
        assert torch.allclose(one.double(), other.double(), atol=1e-5), name
    assert packed.loss.item() == pytest.approx(padded.loss.item(), rel=1e-6)
    for name, norm in norms.items():
        assert packed_norms[name].item() == pytest.approx(norm.item(), rel=1e-5, abs=1e-6), name


def test_other_calls_are_as_before(bases):
    model, plain = fused(bases["llama"], True), fused(bases["llama"], False)
    ids = torch.tensor([[5, 6, 7, 8]])
    assert torch.equal(model(input_ids=ids).logits, plain(input_ids=ids).logits)
    assert model.generate(input_ids=ids, attention_mask=torch.ones_like(ids), max_new_tokens=3).shape[1] > 4


# GPT-2 has dropout, which only DPO and KTO switch off.
@pytest.mark.parametrize(("stage", "family"), [("sft", "llama"), ("dpo", "gpt2"), ("dpo", "qwen")])
def test_a_run_without_padding_is_the_same_run(stage, family, bases, demonstrations, pairs, tmp_path):
    rows = demonstrations if stage == "sft" else pairs
    for padding_free in ("false", "true"):
        train(stage, bases[family], rows, tmp_path / padding_free, padding_free=padding_free, num_train_epochs=1)
    assert losses(tmp_path / "true") == pytest.approx(losses(tmp_path / "false"), rel=1e-4)
    before, after = (manifest(tmp_path / name)["figures"]["eval_after"] for name in ("false", "true"))
    assert after["loss"] == pytest.approx(before["loss"], rel=1e-3)


def packing_trainer(base, rows, folder, **flags):
    return built("sft", base, rows, folder, eval_fraction=0, **flags)[0]


@pytest.mark.parametrize("family", tiny.FAMILIES)
def test_packed_rows_do_not_see_each_other(family, bases, demonstrations, tmp_path):
    alone = packing_trainer(bases[family], demonstrations, tmp_path / "alone")
    packed = packing_trainer(bases[family], demonstrations, tmp_path / "packed", packing="true")
    own = {}
    for row in alone.train_dataset:
        batch = alone.data_collator([row])
        with torch.no_grad():
            outputs = alone.model(**batch, fused_lm_head=True)
        kept = outputs.label_mask[0]
        own[tuple(row["input_ids"])] = outputs.log_probs[0][kept], batch["labels"][0, 1:][kept]
    sizes = []
    for batch in packed.get_train_dataloader():
        with torch.no_grad():
            outputs = packed.model(**batch, fused_lm_head=True)
        starts = (batch["position_ids"][0] == 0).nonzero().flatten().tolist()
        ends = [*starts[1:], batch["input_ids"].shape[1]]
        for start, end in zip(starts, ends, strict=True):
            log_probs, labels = own.pop(tuple(batch["input_ids"][0, start:end].tolist()))
            kept = outputs.label_mask[0, start : end - 1]
            assert torch.equal(batch["labels"][0, start + 1 : end][kept], labels)
            assert torch.allclose(outputs.log_probs[0, start : end - 1][kept], log_probs, atol=1e-5)
        sizes.append(len(starts))
    assert not own  # each row once
    assert max(sizes) > packed.args.per_device_train_batch_size


def test_a_packed_run_learns_and_resumes_to_the_same_end(bases, demonstrations, tmp_path):
    flags = {"packing": "true", "per_device_train_batch_size": 1, "save_steps": 2}
    stopped, whole = tmp_path / "stopped", tmp_path / "whole"
    run = train("sft", bases["qwen"], demonstrations, whole, **flags)
    assert run["figures"]["eval_after"]["loss"] < run["figures"]["eval_before"]["loss"]
    # Packs of 256 tokens, far fewer than rows.
    assert run["figures"]["steps"] < 2 * run["data"]["train"]["rows"]
    with dying(Sft, at=4):
        train("sft", bases["qwen"], demonstrations, stopped, **flags)
    assert train("sft", bases["qwen"], demonstrations, stopped, **flags)["figures"]["resumed_from_step"] == 2
    assert losses(stopped) == losses(whole)
    resumed, through = weights(stopped / "adapter"), weights(whole / "adapter")
    assert all(torch.equal(resumed[name], through[name]) for name in through)
