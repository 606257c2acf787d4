"""A reward model with several heads, and one that learns from thumbs, on tiny bases: trained, loaded, used by PPO."""

import json
import math
from statistics import fmean, pstdev

import pytest
import torch

import alignment.reward
from alignment import ppo
from alignment.rewards import model as reward_model
from alignment.rewards.model import HEAD, critic_parts, load_reward_model, load_scorer
from alignment.rewards.thumbs import thumb
from alignment.rewards.trainer import Pairs, Reward
from alignment.rl.scoring import ModelScore
from alignment.rl.trainer import Ppo
from alignment.rows.tokens import control_strings
from data.errors import BadInput
from data.rows import Row
from tests.alignment import tiny
from tests.alignment.running import command, dying_after_saving, losses, manifest, metrics, weights

pytestmark = pytest.mark.tiny

PROMPT = [{"role": "user", "content": "How do I water fern 3?"}]
ANSWERS = ["Little and often.", "No.", "Never in water. I am fine.", "你好"]


def train(base, rows, out, **flags):
    flags = {"eval_fraction": 0.25, "num_train_epochs": 4, "save_steps": 0.5, "heads": 3, **flags}
    assert alignment.reward.main(command("reward", base, rows, out, **flags)) == 0
    return manifest(out)


def said(answer):
    return [{"role": "assistant", "content": answer}]


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    return tiny.build("llama", tmp_path_factory.mktemp("base"))


@pytest.fixture(scope="module")
def rows(tmp_path_factory):
    return tiny.write(tmp_path_factory.mktemp("rows") / "rows.jsonl", tiny.preferences(24))


@pytest.fixture(scope="module")
def trained(base, rows, tmp_path_factory):
    out = tmp_path_factory.mktemp("run") / "out"
    train(base, rows, out)
    return out


def test_its_score_is_the_mean_of_its_heads(trained):
    folder = trained / "reward"
    facts = json.loads((folder / "reward.json").read_text())
    assert facts["heads"] == 3
    assert len(facts["head_means"]) == 3
    assert facts["mean"] == pytest.approx(fmean(facts["head_means"]), abs=1e-5)
    assert facts["spread"] > 0
    assert facts["accuracy"]["mean"] == 1.0
    loaded = load_reward_model(folder)
    heads = loaded.score_heads([PROMPT] * len(ANSWERS), ANSWERS)
    assert {len(each) for each in heads} == {3}
    assert loaded.score([PROMPT] * len(ANSWERS), ANSWERS) == [fmean(each) for each in heads]
    assert weights(folder)[HEAD].shape[0] == 3


def test_ppos_reward_is_the_mean_less_the_spread_by_hand(trained):
    loaded = load_reward_model(trained / "reward")
    heads = loaded.score_heads([PROMPT] * len(ANSWERS), ANSWERS)
    means = loaded.facts["head_means"]
    spreads = [pstdev(score - mean for score, mean in zip(each, means, strict=True)) for each in heads]
    wanted = [fmean(each) - 0.7 * apart for each, apart in zip(heads, spreads, strict=True)]
    found = ModelScore(loaded, spread_coef=0.7)([PROMPT] * len(ANSWERS), [said(answer) for answer in ANSWERS])
    assert found == pytest.approx(wanted, abs=1e-9)
    assert found != pytest.approx([fmean(each) for each in heads], abs=1e-3)


def test_the_critic_starts_from_the_mean_of_the_heads(trained):
    saved = weights(trained / "reward")[HEAD]
    _, _, head, _ = critic_parts(trained / "reward")
    torch.testing.assert_close(head, saved.mean(dim=0, keepdim=True))


def test_a_killed_run_ends_as_if_nothing_had_happened(trained, base, rows, tmp_path):
    with dying_after_saving(Reward):
        train(base, rows, tmp_path / "out")
    found = train(base, rows, tmp_path / "out")
    assert found["figures"]["resumed_from_step"] > 0
    assert losses(tmp_path / "out") == pytest.approx(losses(trained), abs=1e-6)
    resumed, whole = weights(tmp_path / "out" / "reward"), weights(trained / "reward")
    assert all(torch.equal(tensor, resumed[name]) for name, tensor in whole.items())


def test_one_head_is_trained_as_before(base, rows, tmp_path):
    """With TRL's batches and TRL's loss, and without a new key in its facts."""
    train(base, rows, tmp_path / "out", heads=None, max_steps=2)
    facts = json.loads((tmp_path / "out" / "reward" / "reward.json").read_text())
    assert not {"heads", "head_means", "spread", "training_thumbs"} & facts.keys()
    row = {"prompt_ids": [5, 6], "chosen_ids": [7], "rejected_ids": [8, 9], "margin": 0.5}
    batch = Pairs(0)([row, row])
    assert set(batch) == {"input_ids", "attention_mask", "margin"}
    assert batch["margin"].tolist() == [0.5, 0.5]
    loaded = load_reward_model(tmp_path / "out" / "reward")
    texts = [said(answer) for answer in ANSWERS]
    plain = loaded.score([PROMPT] * len(ANSWERS), ANSWERS)
    assert ModelScore(loaded, spread_coef=0.5)([PROMPT] * len(ANSWERS), texts) == plain


@pytest.mark.long
def test_ppo_with_several_heads_resumes_as_if_nothing_had_happened(trained, base, tmp_path):
    prompts = tiny.write(tmp_path / "prompts.jsonl", [{"prompt": row["prompt"]} for row in tiny.preferences(8)])
    flags = {"reward_model": trained / "reward", "eval_fraction": 0, "max_steps": 4, "max_completion_length": 4}
    flags |= {"per_device_train_batch_size": 4, "steps_per_generation": 1, "save_steps": 2, "num_iterations": 1}

    def run(out, **more):
        assert ppo.main(command("ppo", base, prompts, out, **{**flags, **more})) == 0

    run(tmp_path / "whole")
    with dying_after_saving(Ppo):
        run(tmp_path / "out")
    run(tmp_path / "out")
    assert losses(tmp_path / "out") == losses(tmp_path / "whole")
    for part in ("adapter", "critic"):
        whole, resumed = (weights(tmp_path / name / part) for name in ("whole", "out"))
        assert all(torch.equal(tensor, resumed[name]) for name, tensor in whole.items())
    # Doubt costs: the reward is lower, by the heads' spread on the same first answers.
    run(tmp_path / "sure", spread_coef=0, max_steps=1)
    first = [next(entry for entry in metrics(tmp_path / name) if "kl" in entry) for name in ("whole", "sure")]
    assert first[0]["reward"] < first[1]["reward"] - 1e-4
    with pytest.raises(BadInput, match="spread_coef must be at least 0"):
        run(tmp_path / "bad", spread_coef=-1)


def test_another_number_of_heads_is_refused(trained, base, rows, tmp_path, monkeypatch):
    with pytest.raises(BadInput, match=r"has 3 score heads, and heads is 2\. Set heads to 3"):
        train(trained / "reward", rows, tmp_path / "two", heads=2)
    with pytest.raises(BadInput, match="heads must be at least 1"):
        train(base, rows, tmp_path / "none", heads=0)
    found = train(trained / "reward", rows, tmp_path / "three", max_steps=1, learning_rate=1e-9)
    assert found["figures"]["held_out"]["accuracy"]["mean"] == 1.0
    facts = reward_model.read_facts(trained / "reward")
    monkeypatch.setattr(reward_model, "read_facts", lambda _: {**facts, "heads": 1})
    with pytest.raises(BadInput, match="3 score heads, and 1 are asked for"):
        load_reward_model(trained / "reward")


# Thumbs


def thumbs(path):
    return tiny.write(path, tiny.votes(tiny.preferences(16)))


@pytest.mark.long
@pytest.mark.parametrize("heads", [None, 3])
def test_thumbs_divide_what_is_liked_from_what_is_not_at_the_score_zero(heads, base, rows, tmp_path):
    found = train(base, rows, tmp_path / "out", thumbs_name=thumbs(tmp_path / "t.jsonl"), heads=heads)
    assert found["thumbs"]["rows"] == 32
    facts = json.loads((tmp_path / "out" / "reward" / "reward.json").read_text())
    assert facts["training_thumbs"] == 32
    assert facts["training_pairs"] == 18
    loaded = load_reward_model(tmp_path / "out" / "reward")
    assert loaded.score([PROMPT] * 2, ["Little and often.", "No."])[0] > 0
    assert loaded.score([PROMPT] * 2, ["Little and often.", "No."])[1] < 0


def test_a_thumbs_loss_is_that_of_its_score_against_zero(base, rows, tmp_path, monkeypatch):
    def zero(*args, **kwargs):
        scorer = load_scorer(*args, **kwargs)
        torch.nn.init.zeros_(scorer.score.weight)
        return scorer

    monkeypatch.setattr("alignment.rewards.trainer.load_scorer", zero)
    path = thumbs(tmp_path / "t.jsonl")
    train(base, rows, tmp_path / "out", thumbs_name=path, heads=None, max_steps=1)
    assert losses(tmp_path / "out")[0] == pytest.approx(math.log(2), abs=1e-6)


def test_a_side_without_an_answer_scores_zero(trained):
    loaded = load_reward_model(trained / "reward")
    control = control_strings(loaded.tokenizer)
    columns = [
        thumb(loaded.tokenizer, control, Row("labelled", {"prompt": PROMPT, "completion": said(text), "label": up}))
        for text, up in (("Little and often.", True), ("No.", False))
    ]
    batch = Pairs(loaded.tokenizer.pad_token_id)(columns)
    assert batch["absent"].tolist() == [False, True, True, False]
    batch.pop("margin")
    with torch.no_grad():
        found = loaded.model(**batch).logits
    assert found[1].tolist() == found[2].tolist() == [0, 0, 0]
    heads = loaded.score_heads([PROMPT] * 2, ["Little and often.", "No."])
    assert found[0].tolist() == pytest.approx(heads[0], abs=1e-5)
    assert found[3].tolist() == pytest.approx(heads[1], abs=1e-5)


@pytest.mark.long
def test_a_run_goes_on_with_its_own_thumbs_only(base, rows, tmp_path):
    path = thumbs(tmp_path / "t.jsonl")
    flags = {"thumbs_name": path, "save_steps": 0.25}
    with dying_after_saving(Reward):
        train(base, rows, tmp_path / "out", **flags)
    kept = path.read_text()
    path.write_text(kept.replace("fern", "bush"))
    with pytest.raises(BadInput, match="not the file of labelled completions that this run began with"):
        train(base, rows, tmp_path / "out", **flags)
    path.write_text(kept)
    train(base, rows, tmp_path / "out", **flags)
    train(base, rows, tmp_path / "whole", **flags)
    assert losses(tmp_path / "out") == pytest.approx(losses(tmp_path / "whole"), abs=1e-6)
