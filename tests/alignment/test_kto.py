"""The KTO stage on tiny bases."""

import json

import pytest
import torch

from alignment.rows.collating import Mismatched
from alignment.training.balance import balanced
from alignment.training.preflight import loss_at_reference
from alignment.training.trainers import Kto
from data.errors import BadInput, ParleyError
from tests.alignment import tiny
from tests.alignment.running import built, dying, losses, manifest, metrics, train, weights

pytestmark = pytest.mark.tiny


def thumbs(count):
    """One thumb down for every two up, in two languages."""
    rows = []
    for number, row in enumerate(tiny.preferences(count)):
        label = number % 3 > 0
        prompt = row["prompt"] if number % 2 else [{"role": "user", "content": f"蕨类植物{number}怎么浇水?"}]
        answer = row["chosen" if label else "rejected"] if number % 2 else _chinese("少量多次。" if label else "不。")
        rows.append({"prompt": prompt, "completion": answer, "label": label, "id": f"thumb-{number}"})
    return rows


def _chinese(text):
    return [{"role": "assistant", "content": text}]


@pytest.fixture(scope="module")
def rows(tmp_path_factory):
    return tiny.write(tmp_path_factory.mktemp("rows") / "rows.jsonl", thumbs(18))


@pytest.fixture(scope="module")
def bases(tmp_path_factory):
    return {family: tiny.build(family, tmp_path_factory.mktemp(family)) for family in tiny.FAMILIES}


@pytest.mark.parametrize("family", tiny.FAMILIES)
def test_kto_starts_at_its_reference_and_learns(family, bases, rows, tmp_path):
    out = tmp_path / "out"
    run = train("kto", bases[family], rows, out, num_train_epochs=4, eval_fraction=0.3)
    figures = run["figures"]
    assert figures["eval_after"]["loss"] < figures["eval_before"]["loss"]
    assert figures["eval_after"]["rewards/margins"] > 0
    first = metrics(out)[1]
    assert first["kl"] == pytest.approx(0, abs=1e-5)
    # Balanced weights, so that the mean row weighs 1 and its loss at the start is a half.
    labels = [row["label"] for row in thumbs(18)]
    kept = run["data"]["train"]["rows"]
    assert run["desirable_weight"] < 1 < run["undesirable_weight"]
    assert 1 / run["desirable_weight"] + 1 / run["undesirable_weight"] == pytest.approx(2)
    assert kept < len(labels)


def test_the_first_loss_is_a_half(bases, rows, tmp_path):
    flags = {"desirable_weight": 1.0, "undesirable_weight": 1.0, "max_steps": 1, "eval_fraction": 0}
    for loss in ("kto", "apo_zero_unpaired"):
        train("kto", bases["qwen"], rows, tmp_path / loss, loss_type=loss, **flags)
        assert losses(tmp_path / loss)[0] == pytest.approx(0.5, abs=1e-4)


def test_a_continued_adapter_has_itself_as_reference(bases, rows, tmp_path):
    first, second = tmp_path / "first", tmp_path / "second"
    train("kto", bases["llama"], rows, first)
    train("kto", first / "adapter", rows, second, desirable_weight=1, undesirable_weight=1)
    assert losses(second)[0] == pytest.approx(0.5, abs=1e-4)
    assert {path.name for path in (second / "adapter").iterdir()} == {
        "adapter_config.json",
        "adapter_model.safetensors",
    }
    config = json.loads((second / "adapter" / "adapter_config.json").read_text())
    assert config["base_model_name_or_path"] == str(bases["llama"])
    start, end = weights(first / "adapter"), weights(second / "adapter")
    assert start.keys() == end.keys()
    assert any(not torch.equal(start[name], end[name]) for name in start)


@pytest.mark.long
def test_an_interrupted_run_resumes_to_the_same_end(bases, rows, tmp_path):
    stopped, whole = tmp_path / "stopped", tmp_path / "whole"
    train("kto", bases["llama"], rows, whole, save_steps=2)
    with dying(Kto, at=4):
        train("kto", bases["llama"], rows, stopped, save_steps=2)
    assert train("kto", bases["llama"], rows, stopped, save_steps=2)["figures"]["resumed_from_step"] == 2
    assert losses(stopped) == losses(whole)
    resumed, through = weights(stopped / "adapter"), weights(whole / "adapter")
    assert all(torch.equal(resumed[name], through[name]) for name in through)


@pytest.mark.parametrize(
    ("label", "sentence"), [(True, "thumbs up.*or train these as demon"), (False, "thumbs down")]
)
def test_one_label_alone_is_refused(label, sentence, bases, tmp_path):
    rows = tiny.write(tmp_path / "rows.jsonl", [{**row, "label": label} for row in thumbs(8)])
    with pytest.raises(BadInput, match=f"left to train on are {sentence}"):
        train("kto", bases["qwen"], rows, tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("flags", "sentence"),
    [
        ({"per_device_train_batch_size": 1}, "per_device_train_batch_size must be at least 2"),
        ({"per_device_eval_batch_size": 1}, "per_device_eval_batch_size must be at least 2"),
        ({"precompute_ref_log_probs": "true"}, "new in every batch"),
        ({"loss_type": "bco"}, "invalid choice: 'bco'"),
        ({"desirable_weight": 0}, "desirable_weight must be above 0"),
    ],
)
def test_what_kto_cannot_do_is_refused(flags, sentence, bases, rows, tmp_path):
    with pytest.raises(BadInput, match=sentence):
        train("kto", bases["qwen"], rows, tmp_path / "out", **flags)


def test_weights_are_balanced_unless_given():
    assert balanced(30, 10) == (pytest.approx(2 / 3), 2)
    assert balanced(30, 10, desirable=1.0) == (1, 3)
    assert balanced(30, 10, undesirable=1.0) == (pytest.approx(1 / 3), 1)
    assert balanced(30, 10, 1.0, 1.0) == (1, 1)


def test_rows_weights_count_for_the_balance(bases, tmp_path):
    # Two up for one down, but each down is drawn twice as often.
    rows = [{**row, "weight": 1.0 if row["label"] else 2.0} for row in thumbs(18)]
    run = train(
        "kto",
        bases["qwen"],
        tiny.write(tmp_path / "rows.jsonl", rows),
        tmp_path / "out",
        eval_fraction=0,
        max_steps=1,
    )
    assert (run["desirable_weight"], run["undesirable_weight"]) == (1, 1)


def row(prompt, answer, label=True):
    return {"prompt_ids": prompt, "completion_ids": answer, "label": label}


def kl_sequences(batch):
    return [
        [token for token, kept in zip(ids, mask, strict=True) if kept]
        for ids, mask in zip(batch["KL_input_ids"].tolist(), batch["KL_attention_mask"].tolist(), strict=True)
    ]


def test_each_prompt_gets_the_answer_of_another_row_of_its_batch():
    batch = Mismatched(0)([row([1], [10]), row([2], [20, 21]), row([3], [30])])
    assert kl_sequences(batch) == [[1, 30], [2, 10], [3, 20, 21]]
    assert batch["KL_completion_mask"].sum(dim=1).tolist() == [1, 1, 2]


def test_a_row_that_is_drawn_twice_is_not_its_own_mismatch():
    # Copies are neighbours, because they are equally long: a shift by one would pair them with themselves.
    twice = [row([1], [10]), row([1], [10]), row([2], [20]), row([2], [20])]
    assert kl_sequences(Mismatched(0)(twice)) == [[1, 20], [1, 20], [2, 10], [2, 10]]
    alone = Mismatched(0)([row([1], [10])])
    assert kl_sequences(alone) == [[1]]
    assert not alone["KL_completion_mask"].any()
    assert kl_sequences(Mismatched(0)([row([1], [10]), row([1], [11]), row([2], [20])])) == [[1, 20], [1], [2, 11]]


def trainer_of(base, rows, tmp_path, **flags):
    return built("kto", base, rows, tmp_path / "out", eval_fraction=0, **flags)[0]


@pytest.mark.parametrize("padding_free", ["false", "true"])
def test_the_loss_is_the_papers_also_in_a_batch_of_one_label(padding_free, bases, rows, tmp_path):
    trainer = trainer_of(bases["llama"], rows, tmp_path, padding_free=padding_free, undesirable_weight=2.0, beta=0.3)
    torch.manual_seed(0)
    with torch.no_grad():  # a policy that left its reference
        for name, parameter in trainer.model.named_parameters():
            if "lora_B" in name:
                parameter.normal_(std=0.3)
    data = [trainer.train_dataset[index] for index in range(len(trainer.train_dataset))]
    ups, downs = [row for row in data if row["label"]][:4], [row for row in data if not row["label"]][:4]
    for examples in (ups, downs, ups[:2] + downs[:2], ups[:1]):
        batch = trainer.data_collator(examples)
        loss = float(trainer.compute_loss(trainer.model, batch))
        with torch.no_grad():
            ratios, drift = (_ratios(trainer, batch, prefix) for prefix in ("", "KL_"))
        kl = drift.mean().clamp(min=0)
        signs = torch.tensor([1.0 if row["label"] else -1.0 for row in examples])
        weight = torch.where(signs > 0, 1.0, 2.0)
        expected = weight * (1 - torch.sigmoid(0.3 * signs * (ratios - kl)))
        assert loss == pytest.approx(float(expected.mean()), rel=1e-4)


def _ratios(trainer, batch, prefix):
    ids, mask = batch[f"{prefix}input_ids"], batch[f"{prefix}attention_mask"]
    trained = batch[f"{prefix}completion_mask"][:, 1:]

    def logps():
        logits = trainer.model(input_ids=ids, attention_mask=mask).logits[:, :-1].log_softmax(-1)
        return (logits.gather(2, ids[:, 1:, None])[..., 0] * trained).sum(1)

    policy = logps()
    with trainer.model.disable_adapter():
        return policy - logps()


def test_a_wrong_loss_stops_the_stage(bases, rows, tmp_path, monkeypatch):
    trainer = trainer_of(bases["llama"], rows, tmp_path)
    assert loss_at_reference(trainer) == pytest.approx(0.5, abs=1e-5)
    honest = trainer.compute_loss
    monkeypatch.setattr(trainer, "compute_loss", lambda *args: honest(*args) + 0.25)
    with pytest.raises(ParleyError, match=r"KTO loss is 0\.75.* kto must be 0\.5000"):
        loss_at_reference(trainer)


def test_the_trained_tokens_are_the_answers(bases, rows, tmp_path):
    train("kto", bases["qwen"], rows, tmp_path / "out", max_steps=1)
    written = (tmp_path / "out" / "trained_tokens.txt").read_text(encoding="utf-8")
    assert any(f"⟦{text}" in written for text in ("少量多次。", "不。", "Little", "No."))
    assert manifest(tmp_path / "out")["stage"] == "kto"
