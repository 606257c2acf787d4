"""The DPO stage on tiny bases."""

import json
import math
import re

import pytest
import torch

from alignment import models
from alignment.evaluation.model import LoadedModel
from alignment.models import load_model
from alignment.training.preflight import DPO_LOSSES, loss_at_reference, zero_ratio_loss
from alignment.training.trainers import Dpo
from data.errors import BadInput, ParleyError
from tests.alignment import tiny
from tests.alignment.running import built, cut_in_two_ways, dying, losses, metrics, train, weights

pytestmark = pytest.mark.tiny


@pytest.fixture(scope="module")
def rows(tmp_path_factory):
    """Sixteen preferences, every fourth of them in Chinese."""
    pairs = tiny.preferences(16)
    for number in range(0, 16, 4):
        pairs[number]["prompt"] = [{"role": "user", "content": f"蕨类植物{number}怎么浇水?"}]
        pairs[number]["chosen"] = [{"role": "assistant", "content": "少量多次。谢谢。"}]
        pairs[number]["rejected"] = [{"role": "assistant", "content": "不。"}]
    return tiny.write(tmp_path_factory.mktemp("rows") / "rows.jsonl", pairs)


@pytest.fixture(scope="module")
def bases(tmp_path_factory):
    return {family: tiny.build(family, tmp_path_factory.mktemp(family)) for family in tiny.FAMILIES}


@pytest.fixture
def untrained(bases, rows, tmp_path):
    """A trainer of a new adapter, before its first step; its losses smooth labels by a tenth."""
    flags = {"precompute_ref_log_probs": "false", "label_smoothing": 0.1}
    return built("dpo", bases["qwen"], rows, tmp_path / "out", **flags)[0]


@pytest.fixture(scope="module")
def tuned(bases, tmp_path_factory):
    """An SFT adapter on the Llama-like base."""
    out = tmp_path_factory.mktemp("sft") / "out"
    demonstrations = tiny.write(out.parent / "rows.jsonl", tiny.demonstrations(8))
    train("sft", bases["llama"], demonstrations, out)
    return out / "adapter"


@pytest.mark.parametrize(
    ("family", "precompute"), [("gpt2", "true"), ("llama", "false"), ("qwen", "true"), ("qwen", "false")]
)
def test_dpo_starts_at_its_reference_and_learns(family, precompute, bases, rows, tmp_path):
    run = train(
        "dpo",
        bases[family],
        rows,
        tmp_path / "out",
        precompute_ref_log_probs=precompute,
        num_train_epochs=4,
        eval_fraction=0.25,
    )
    figures = run["figures"]
    assert losses(tmp_path / "out")[0] == pytest.approx(math.log(2), abs=1e-4)
    assert figures["eval_before"]["loss"] == pytest.approx(math.log(2), abs=1e-4)
    assert figures["eval_after"]["loss"] < figures["eval_before"]["loss"]
    assert figures["eval_after"]["rewards/accuracies"] == 1.0
    assert figures["eval_after"]["rewards/margins"] > 0
    assert 0 <= figures["eval_before"]["preference_accuracy"] <= figures["eval_after"]["preference_accuracy"]


@pytest.mark.parametrize("precompute", ["true", "false"])
def test_a_continued_adapter_has_itself_as_reference_and_applies_to_the_base(
    precompute, bases, tuned, rows, tmp_path
):
    out = tmp_path / "out"
    run = train(
        "dpo",
        tuned,
        rows,
        out,
        precompute_ref_log_probs=precompute,
        beta=0.5,
        eval_fraction=0.25,
        per_device_eval_batch_size=16,  # TRL averages over batches
    )
    assert losses(out)[0] == pytest.approx(math.log(2), abs=1e-4)
    # Only the trained adapter is saved; it names the base, and differs from the one that it started from.
    assert {path.name for path in (out / "adapter").iterdir()} == {"adapter_config.json", "adapter_model.safetensors"}
    config = json.loads((out / "adapter" / "adapter_config.json").read_text())
    assert config["base_model_name_or_path"] == str(bases["llama"])
    start, end = weights(tuned), weights(out / "adapter")
    assert start.keys() == end.keys()
    assert any(not torch.equal(start[name], end[name]) for name in start)
    # The rewards that TRL reports are those of "base + result" against "base + start", with nothing else between.
    last = [entry for entry in metrics(out) if "eval_rewards/margins" in entry][-1]["eval_rewards/margins"]
    assert last == pytest.approx(_margin(bases["llama"], tuned, out / "adapter", rows, run, beta=0.5), abs=2e-4)


def _margin(base, start, end, path, run, *, beta):
    from alignment.rows.prepare import split
    from data.rows import read_rows

    _, held_out = split(read_rows(path), 0.25)
    assert len(held_out) == run["data"]["held_out"]["rows"]
    tokenizer = models.load_tokenizer(str(base))
    prompts = [row.data["prompt"] for row in held_out]
    ratios = []
    for side in ("chosen", "rejected"):
        answers = [row.data[side][0]["content"] for row in held_out]
        after, before = (
            LoadedModel(load_model(str(base), adapter), tokenizer).logprobs(prompts, answers)
            for adapter in (end, start)
        )
        ratios.append([a[0] - b[0] for a, b in zip(after, before, strict=True)])
    return beta * sum(c - r for c, r in zip(*ratios, strict=True)) / len(held_out)


LOG2 = math.log(2)
EXO = -LOG2 - (math.log(0.9) + math.log(0.1)) / 2
STARTS = {
    "sigmoid": LOG2,
    "hinge": 1.0,
    "ipo": 25.0,
    "exo_pair": EXO,
    "nca_pair": 2 * LOG2,
    "robust": LOG2,
    "bco_pair": 2 * LOG2,
    "sppo_hard": 50.0,
    "aot": LOG2,
    "aot_unpaired": LOG2,
    "apo_zero": 1.0,
    "apo_down": 1.0,
    "discopop": (LOG2 + 1) / 2,
    "sigmoid_norm": LOG2,
    "sft": None,
}


def test_every_loss_of_trl_is_known():
    import inspect

    from trl import DPOTrainer

    branches = set(re.findall(r'loss_type == "(\w+)"', inspect.getsource(DPOTrainer._compute_loss)))
    assert branches == set(STARTS) == set(DPO_LOSSES)


def test_each_loss_starts_where_it_must(untrained, subtests):
    mixed = (["sigmoid", "hinge"], [0.5, 2.0], LOG2 / 2 + 2)
    for names, weighed, expected in [*(([loss], [1.0], start) for loss, start in STARTS.items()), mixed]:
        untrained.loss_types, untrained.loss_weights = names, weighed
        first = loss_at_reference(untrained)
        with subtests.test("+".join(names)):
            known = zero_ratio_loss(names, weighed, 0.1, 0.1)
            if expected is None:
                assert math.isfinite(first)
                assert known is None
            else:
                assert first == pytest.approx(expected, rel=1e-4)
                assert known == pytest.approx(expected)


def test_losses_are_named_and_weighed_by_flags(bases, rows, tmp_path):
    flags = {"loss_type": ["sigmoid", "hinge"], "loss_weights": [0.5, 2.0], "max_steps": 1, "eval_fraction": 0}
    train("dpo", bases["qwen"], rows, tmp_path / "out", **flags)
    assert losses(tmp_path / "out")[0] == pytest.approx(LOG2 / 2 + 2, rel=1e-4)


@pytest.mark.parametrize(
    ("flags", "sentence"),
    [
        ({"loss_type": "sigmod"}, r"'sigmod' is not a DPO loss.*mean 'sigmoid'\?"),
        ({"loss_type": "robust"}, "robust with label_smoothing 0 is the plain sigmoid loss"),
        (
            {"loss_type": "robust", "label_smoothing": 0.5},
            r"label_smoothing must be at least 0 and below 0\.5, not 0\.5",
        ),
        ({"loss_type": "exo_pair"}, "exo_pair takes the logarithm of label_smoothing"),
    ],
)
def test_a_loss_with_impossible_settings_is_refused(flags, sentence, bases, rows, tmp_path):
    with pytest.raises(BadInput, match=sentence):
        train("dpo", bases["qwen"], rows, tmp_path / "out", **flags)


def test_losses_that_depend_on_the_rows_have_no_fixed_start():
    assert zero_ratio_loss(["sigmoid", "sft"], [1, 1], 0.1) is None


def test_full_fine_tuning_takes_its_reference_from_disk(bases, rows, tmp_path):
    run = train(
        "dpo", bases["gpt2"], rows, tmp_path / "out", use_peft="false", learning_rate=1e-3, num_train_epochs=3
    )
    assert losses(tmp_path / "out")[0] == pytest.approx(math.log(2), abs=1e-4)
    assert run["figures"]["eval_after"]["loss"] < math.log(2)
    assert run["result"] == "model"
    models.load_model(str(tmp_path / "out" / "model"))


@pytest.mark.long
def test_how_a_batch_is_cut_changes_nothing(bases, rows, tmp_path):
    one, eight = cut_in_two_ways("dpo", bases["llama"], rows, tmp_path)
    assert losses(one) == pytest.approx(losses(eight), abs=1e-4)


@pytest.mark.long
def test_an_interrupted_run_keeps_its_reference(bases, tuned, rows, tmp_path):
    stopped, whole = tmp_path / "stopped", tmp_path / "whole"
    train("dpo", tuned, rows, whole, save_steps=2)
    with dying(Dpo, at=6):
        train("dpo", tuned, rows, stopped, save_steps=2)
    assert train("dpo", tuned, rows, stopped, save_steps=2)["figures"]["resumed_from_step"] == 4
    assert losses(stopped) == losses(whole)
    resumed, through = weights(stopped / "adapter"), weights(whole / "adapter")
    assert all(torch.equal(resumed[name], through[name]) for name in through)


def trainer_of(bases, rows, tmp_path, adapter=None):
    return built("dpo", adapter or bases["llama"], rows, tmp_path / "out", precompute_ref_log_probs="false")[0]


def test_a_wrong_reference_stops_the_stage(bases, tuned, rows, tmp_path):
    trainer = trainer_of(bases, rows, tmp_path, tuned)
    assert loss_at_reference(trainer) == pytest.approx(math.log(2), abs=1e-5)
    frozen = [p for name, p in trainer.model.named_parameters() if ".ref." in name]
    assert frozen
    assert not any(parameter.requires_grad for parameter in frozen)
    with torch.no_grad():
        for parameter in frozen:
            parameter.add_(0.1)
    with pytest.raises(ParleyError, match="does not start from its reference: a token's log-probability differs"):
        loss_at_reference(trainer)


def test_a_wrong_loss_stops_the_stage(bases, rows, tmp_path, monkeypatch):
    trainer = trainer_of(bases, rows, tmp_path)
    honest = trainer.compute_loss
    monkeypatch.setattr(trainer, "compute_loss", lambda *args: honest(*args) + 0.35)
    with pytest.raises(ParleyError, match=r"DPO loss is 1\.04.* must be 0\.6931"):
        loss_at_reference(trainer)


def test_scoring_only_trained_positions_changes_no_number(bases, rows, tmp_path):
    from trl.trainer.utils import add_fused_lm_head

    trainer = trainer_of(bases, rows, tmp_path)
    batch = trainer.data_collator([trainer.train_dataset[index] for index in range(3)])
    inputs = {
        "input_ids": batch["input_ids"],
        "attention_mask": batch["attention_mask"],
        "labels": batch["input_ids"].masked_fill(batch["completion_mask"] == 0, -100),
        "fused_lm_head": True,
    }
    ours = trainer.model(**inputs)
    fields = ("log_probs", "entropy", "mean_logits", "is_top1")
    add_fused_lm_head(trainer.model.get_base_model(), outputs=fields)
    theirs = trainer.model(**inputs)
    for name in fields:
        assert torch.allclose(getattr(ours, name).float(), getattr(theirs, name).float(), atol=1e-5), name
