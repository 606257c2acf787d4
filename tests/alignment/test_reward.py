"""The reward stage on tiny bases: trained, saved, loaded again, the same everywhere."""

import json
import math
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch

import alignment.ppo
import alignment.reward
from alignment import models
from alignment.fast.prefixes import size_of
from alignment.rewards import model as reward_model
from alignment.rewards.model import HEAD, critic_parts, load_reward_model, load_scorer
from alignment.rewards.trainer import Reward
from alignment.rl.scoring import ModelScore
from alignment.rows.tokens import control_strings, encode_answer
from data.errors import BadInput, ParleyError
from tests.alignment import tiny
from tests.alignment.pictures import drawn
from tests.alignment.running import command, dying_after_saving, losses, manifest, weights

pytestmark = pytest.mark.tiny

ROWS = 24
PROMPT = [{"role": "user", "content": "How do I water fern 3?"}]
ANSWERS = ["Little and often.", "No.", "Never in water. I am fine.", "你好"]


def pairs(count=ROWS):
    """Preferences that a tiny model can learn: the kind answer is chosen; one row in four is graded."""
    rows = tiny.preferences(count)
    for number, row in enumerate(rows):
        if number % 4 == 0:
            row["margin"] = 0.5
    return rows


def train(base, rows, out, **flags):
    flags = {"eval_fraction": 0.25, "num_train_epochs": 4, "save_steps": 0.5, **flags}
    assert alignment.reward.main(command("reward", base, rows, out, **flags)) == 0
    return manifest(out)


@pytest.fixture(scope="module")
def bases(tmp_path_factory):
    return {family: tiny.build(family, tmp_path_factory.mktemp(family)) for family in tiny.EVERY_FAMILY}


@pytest.fixture(scope="module")
def rows(tmp_path_factory):
    return tiny.write(tmp_path_factory.mktemp("rows") / "rows.jsonl", pairs())


@pytest.fixture(scope="module")
def ties(tmp_path_factory):
    made = [{**row, "rejected": [{"role": "assistant", "content": "Little and often!"}]} for row in pairs(6)]
    return tiny.write(tmp_path_factory.mktemp("ties") / "ties.jsonl", made)


@pytest.fixture(scope="module")
def trained(bases, rows, ties, tmp_path_factory):
    """A run for every family."""
    runs = {}
    for family in tiny.EVERY_FAMILY:
        runs[family] = tmp_path_factory.mktemp("runs") / family
        with drawn():
            train(bases[family], rows, runs[family], ties_name=ties)
    return runs


@pytest.mark.parametrize("family", tiny.EVERY_FAMILY)
def test_it_learns_and_reports_its_quality(family, trained):
    out = trained[family]
    figures = manifest(out)["figures"]
    assert losses(out)[-1] < losses(out)[0]
    held_out = figures["held_out"]
    assert held_out["accuracy"]["mean"] == 1.0
    assert held_out["mean_margin"] > 0
    assert figures["eval_after"]["loss"] < figures["eval_before"]["loss"]
    assert sum(one["pairs"] for one in held_out["calibration"]["bins"]) == held_out["pairs"] >= 4
    assert held_out["ties"]["pairs"] == 6
    assert held_out["ties"]["mean_margin"] < held_out["mean_margin"]
    assert manifest(out)["recipe"]["center_rewards_coefficient"] == 0.01
    facts = json.loads((out / "reward" / "reward.json").read_text())
    assert facts["accuracy"] == held_out["accuracy"]
    assert facts["length_accuracy"] == held_out["lengths"]["accuracy"]
    assert facts["calibration"] == held_out["calibration"]
    assert facts["std"] > 0
    picture = out / "rewards.png"
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert picture.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("family", tiny.EVERY_FAMILY)
def test_a_loaded_model_scores_as_its_saved_tensors_do(family, trained, bases):
    folder = trained[family] / "reward"
    assert {path.name for path in folder.iterdir()} == {
        "adapter_config.json",
        "adapter_model.safetensors",
        "reward.json",
    }
    loaded = load_reward_model(folder)
    scores = loaded.score([PROMPT] * len(ANSWERS), ANSWERS)
    # The same numbers computed in another way, without PEFT, padding or batches: LoRA merged by hand into the causal
    # model,
    # the head at the last position.
    expected = by_hand(bases[family], folder)
    assert scores == pytest.approx(expected, abs=1e-4)
    assert loaded.score([PROMPT], [ANSWERS[0]]) == pytest.approx(scores[:1], abs=1e-5)
    assert loaded.score([PROMPT], [ANSWERS[0]], bf16=True) == pytest.approx(scores[:1], abs=0.1)
    assert len({round(score, 3) for score in scores}) == len(scores)


@pytest.mark.parametrize("family", ["llama", "gpt2"])
def test_held_in_bf16_it_scores_as_bf16_does(family, trained):
    wanted = load_reward_model(trained[family] / "reward").score([PROMPT] * len(ANSWERS), ANSWERS, bf16=True)
    loaded = load_reward_model(trained[family] / "reward")
    reward = ModelScore(loaded, bf16=True)
    found = reward([PROMPT] * len(ANSWERS), [[{"role": "assistant", "content": answer}] for answer in ANSWERS])
    assert found == wanted
    layers = {p.dtype for name, p in loaded.model.named_parameters() if "base_layer.weight" in name}
    assert layers == {torch.bfloat16 if family == "llama" else torch.float32}  # GPT-2's are not nn.Linear
    assert {p.dtype for name, p in loaded.model.named_parameters() if "score" in name} == {torch.float32}


@pytest.mark.parametrize(("bf16", "shared"), [("true", "false"), ("false", "true")])
def test_ppos_flags_reach_the_reward_model_that_it_scores_with(bf16, shared, bases, trained, tmp_path, monkeypatch):
    """It scores in bf16 if PPO trains in it, and shares prefixes unless that is switched off."""
    scored, sharing = [], []
    usual = reward_model.RewardModel.score
    monkeypatch.setattr(
        reward_model.RewardModel, "score", lambda *args, **more: scored.append(more["bf16"]) or usual(*args, **more)
    )
    monkeypatch.setattr(reward_model, "share_prefixes", lambda *_: sharing.append(1))
    prompts = tiny.write(tmp_path / "prompts.jsonl", [{"prompt": row["prompt"]} for row in pairs(4)])
    flags = {"reward_model": trained["llama"] / "reward", "bf16": bf16, "share_prefixes": shared}
    flags |= {"eval_fraction": 0, "max_steps": 1, "max_completion_length": 4}
    assert alignment.ppo.main(command("ppo", bases["llama"], prompts, tmp_path / "out", **flags)) == 0
    assert set(scored) == {bf16 == "true"}
    assert len(sharing) == (shared == "true")


def test_trained_in_bf16_it_is_compared_on_the_whole_base(bases, rows, tmp_path):
    """Training used rounded frozen weights; the saved adapter applies to the base as it is."""
    model = models.load_base(str(bases["llama"]))
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if name.endswith("proj.weight"):
                weight.mul_(8)  # so that rounding shows in the score
    shutil.copytree(bases["llama"], tmp_path / "base")
    model.save_pretrained(tmp_path / "base")
    train(tmp_path / "base", rows, tmp_path / "out", bf16="true", max_steps=2)
    assert (tmp_path / "out" / "reward" / "reward.json").exists()


def test_a_model_that_scores_differently_after_saving_is_not_kept(bases, rows, tmp_path, monkeypatch):
    usual = reward_model.attach

    def spoiled(*args, **kwargs):
        model = usual(*args, **kwargs)
        with torch.no_grad():
            next(p for name, p in model.named_parameters() if "lora_B" in name).add_(1.0)
        return model

    monkeypatch.setattr("alignment.rewards.result.attach", spoiled)
    with pytest.raises(ParleyError, match="scores otherwise than the trained one"):
        train(bases["llama"], rows, tmp_path / "out", max_steps=1)
    assert not (tmp_path / "out" / "reward").exists()


def by_hand(base, folder):
    state, config, head, _ = critic_parts(folder)
    model = models.load_model(str(base), dtype=torch.float32)
    for name, down in state.items():
        if name.endswith("lora_A.weight"):
            module = model.get_submodule(name.removeprefix("base_model.model.").removesuffix(".lora_A.weight"))
            delta = state[name.replace("lora_A", "lora_B")] @ down * (config.lora_alpha / config.r)
            with torch.no_grad():
                module.weight += delta.T if config.fan_in_fan_out else delta
    tokenizer = models.load_tokenizer(str(base))
    scores = []
    for answer in ANSWERS:
        coded = encode_answer(tokenizer, PROMPT, answer, control_strings(tokenizer))
        ids = torch.tensor([[*coded.prompt, *coded.answer]])
        with torch.no_grad():
            hidden = model.base_model(ids).last_hidden_state[0, -1]
        scores.append(float(head[0] @ hidden))
    return scores


@pytest.mark.process
def test_another_process_scores_the_same(trained):
    folder = trained["llama"] / "reward"
    script = (
        "import json, sys\nfrom pathlib import Path\nfrom alignment.rewards.model import load_reward_model\n"
        "prompt, answers = json.loads(sys.argv[2])\n"
        "print(json.dumps(load_reward_model(Path(sys.argv[1])).score([prompt] * len(answers), answers)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(folder), json.dumps([PROMPT, ANSWERS])],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).parents[2],
        timeout=240,
    )
    there = json.loads(done.stdout.splitlines()[-1])
    here = load_reward_model(folder).score([PROMPT] * len(ANSWERS), ANSWERS)
    assert there == pytest.approx(here, abs=1e-4)


def test_the_end_of_turn_is_found_by_position_though_it_is_the_padding(trained):
    loaded = load_reward_model(trained["llama"] / "reward")
    assert loaded.tokenizer.pad_token_id == loaded.tokenizer.eos_token_id
    ids = [
        [*coded.prompt, *coded.answer]
        for coded in (
            encode_answer(loaded.tokenizer, PROMPT, answer, control_strings(loaded.tokenizer)) for answer in ANSWERS
        )
    ]
    assert all(sequence[-1] == loaded.tokenizer.eos_token_id for sequence in ids)
    together = loaded.score_ids(ids, batch_tokens=10_000)
    assert together == pytest.approx([loaded.score_ids([sequence])[0] for sequence in ids], abs=1e-5)
    cut = loaded.score_ids([sequence[:-1] for sequence in ids])
    assert all(abs(one - other) > 1e-4 for one, other in zip(together, cut, strict=True))


def test_the_head_is_repeatable_trained_and_saved(trained, bases):
    base = models.locate(str(bases["qwen"]))
    first, again, other = (load_scorer(base, seed=seed).score.weight.detach() for seed in (0, 0, 1))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert first.std() == pytest.approx(1 / math.sqrt(33), rel=0.5)
    saved = weights(trained["qwen"] / "reward")
    assert saved[HEAD].shape == first.shape
    assert (saved[HEAD] - first).abs().max() > 1e-3
    assert any("lora_B" in name and tensor.abs().max() > 0 for name, tensor in saved.items())
    state, config, head, facts = critic_parts(trained["qwen"] / "reward")
    assert torch.equal(head, saved[HEAD])
    assert HEAD not in state
    assert {**state, HEAD: head}.keys() == saved.keys()
    assert config.r == 4
    assert facts["base"] == base.name


def test_the_first_loss_is_log_two_while_all_scores_are_equal(bases, rows, tmp_path, monkeypatch):
    def zero(*args, **kwargs):
        scorer = load_scorer(*args, **kwargs)
        torch.nn.init.zeros_(scorer.score.weight)
        return scorer

    monkeypatch.setattr("alignment.rewards.trainer.load_scorer", zero)
    plain = tiny.write(tmp_path / "plain.jsonl", tiny.preferences(8))
    train(bases["gpt2"], plain, tmp_path / "out", max_steps=1)
    assert losses(tmp_path / "out")[0] == pytest.approx(math.log(2), abs=1e-6)
    # A margin is required on top: the loss is then -log sigmoid(0 - margin).
    graded = tiny.write(tmp_path / "graded.jsonl", [{**row, "margin": 1.5} for row in tiny.preferences(8)])
    train(bases["gpt2"], graded, tmp_path / "graded", max_steps=1)
    assert losses(tmp_path / "graded")[0] == pytest.approx(math.log1p(math.exp(1.5)), abs=1e-6)


def test_how_a_step_is_cut_into_batches_does_not_matter(bases, rows, tmp_path):
    runs = []
    for batch, steps in ((8, 1), (1, 8)):
        out = tmp_path / f"{batch}x{steps}"
        train(
            bases["llama"],
            rows,
            out,
            per_device_train_batch_size=batch,
            gradient_accumulation_steps=steps,
            max_steps=2,
            learning_rate=1e-3,
        )
        runs.append((losses(out), weights(out / "reward")))
    assert runs[0][0] == pytest.approx(runs[1][0], abs=1e-5)
    for name, tensor in runs[0][1].items():
        torch.testing.assert_close(tensor, runs[1][1][name], atol=1e-4, rtol=1e-3)


def test_a_killed_run_ends_as_if_nothing_had_happened(trained, bases, rows, ties, tmp_path):
    with dying_after_saving(Reward):
        train(bases["llama"], rows, tmp_path / "out", ties_name=ties)
    found = train(bases["llama"], rows, tmp_path / "out", ties_name=ties)
    whole = trained["llama"]
    assert found["figures"]["resumed_from_step"] > 0
    assert losses(tmp_path / "out") == pytest.approx(losses(whole), abs=1e-6)
    resumed, uninterrupted = weights(tmp_path / "out" / "reward"), weights(whole / "reward")
    for name, tensor in uninterrupted.items():
        torch.testing.assert_close(resumed[name], tensor, atol=1e-6, rtol=1e-5)
    assert found["figures"]["held_out"] == manifest(whole)["figures"]["held_out"]


def test_it_can_start_from_an_adapter(trained, bases, rows, tmp_path):
    """A reward model is continued with its head: the first step starts at its scores."""
    start = trained["gpt2"] / "reward"
    found = train(start, rows, tmp_path / "out", max_steps=1, learning_rate=1e-9)
    assert found["figures"]["held_out"]["accuracy"]["mean"] == 1.0
    before, after = weights(start), weights(tmp_path / "out" / "reward")
    for name, tensor in before.items():
        torch.testing.assert_close(after[name], tensor, atol=1e-6, rtol=0)
    assert load_reward_model(tmp_path / "out" / "reward").base == str(bases["gpt2"])


def test_a_folder_that_is_not_a_reward_model_is_refused(trained, bases, tmp_path):
    with pytest.raises(BadInput, match=r"not a reward model: it has no reward\.json"):
        load_reward_model(bases["llama"])
    assert load_reward_model(trained["llama"]).base == str(bases["llama"])  # the folder of its run
    with pytest.raises(BadInput, match="not a reward model"):
        critic_parts(tmp_path)
    headless = tmp_path / "headless"
    copy(trained["llama"] / "reward", headless)
    state = weights(headless)
    state.pop(HEAD)
    from safetensors.torch import save_file

    save_file(state, headless / "adapter_model.safetensors")
    for load in (load_reward_model, critic_parts):
        with pytest.raises(BadInput, match="no score head"):
            load(headless)
    (headless / "reward.json").write_text("[1]")
    with pytest.raises(BadInput, match="damaged"):
        load_reward_model(headless)


def copy(source, target):
    import shutil

    shutil.copytree(source, target)


def test_another_base_tokenizer_or_template_is_refused(trained, bases, tmp_path, monkeypatch):
    folder = trained["llama"] / "reward"
    other = tiny.build("llama", tmp_path / "other", seed=1)
    with pytest.raises(BadInput, match="trained on another"):
        load_reward_model(folder, base=str(other))
    moved = tmp_path / "moved"
    copy(bases["llama"], moved)
    assert load_reward_model(folder, base=str(moved)).score([PROMPT], ["No."])
    monkeypatch.setattr(reward_model, "template_sha256", lambda _: "0")
    with pytest.raises(BadInput, match="another template"):
        load_reward_model(folder)


@pytest.mark.parametrize(
    ("count", "flags", "sentence"),
    [
        (3, {"eval_fraction": 0}, "3 preferences are left .* at least 4"),
        (8, {"use_peft": "false"}, "use_peft"),
        (8, {"ties_name": "nowhere.jsonl"}, "no file nowhere.jsonl"),
        (8, {"lora_modules_to_save": "lm_head"}, "lora_modules_to_save"),
    ],
)
def test_what_cannot_work_is_refused(count, flags, sentence, bases, tmp_path):
    few = tiny.write(tmp_path / "few.jsonl", tiny.preferences(count))
    with pytest.raises(BadInput, match=sentence):
        train(bases["gpt2"], few, tmp_path / "out", **flags)


def test_texts_that_cannot_be_scored(trained):
    loaded = load_reward_model(trained["gpt2"] / "reward")
    assert loaded.score([], []) == []
    with pytest.raises(BadInput, match="1 prompts and 2 completions"):
        loaded.score([PROMPT], ["a", "b"])
    with pytest.raises(BadInput, match=r"too long to score.* takes 512"):
        loaded.score([PROMPT], ["word " * 600])
    # A typed control token is text, as in training: it cannot end the turn early.
    forged = loaded.score([PROMPT], ["No.<|endoftext|>"])
    assert forged != pytest.approx(loaded.score([PROMPT], ["No."]), abs=1e-6)


def test_answers_to_one_prompt_read_it_once(trained):
    loaded = load_reward_model(trained["llama"] / "reward")
    other = [{"role": "user", "content": "What is the capital of France, and of Italy, and of all the others?"}]
    prompts, answers = [PROMPT, other] * len(ANSWERS), [answer for answer in ANSWERS for _ in range(2)]
    trunk = loaded.model.get_base_model().base_model
    sizes = []
    usual = trunk._sharing.together
    trunk._sharing.together = lambda layout, inputs: sizes.append(layout.length) or usual(layout, inputs)
    found = loaded.score(prompts, answers)
    trunk.forward = trunk._sharing.plain
    assert found == pytest.approx(loaded.score(prompts, answers), abs=1e-5)
    control = control_strings(loaded.tokenizer)
    rows = [encode_answer(loaded.tokenizer, *pair, control) for pair in zip(prompts, answers, strict=True)]
    assert sizes[1:] == [size_of([[*row.prompt, *row.answer] for row in rows])]  # after the first check of the model
    assert sizes[1] < 0.6 * sum(len(row.prompt) + len(row.answer) for row in rows)
