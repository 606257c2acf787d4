"""PPO by its command on tiny bases: what it learns, what it saves, and that an interruption changes nothing."""

import json

import pytest
import torch
import yaml
from safetensors.torch import load_file

from alignment import models
from alignment.ppo import main
from alignment.rl import critic
from alignment.rl.first_pass import ROOM, FirstPass
from alignment.rl.settings import settings_class
from alignment.rl.trainer import Ppo
from alignment.training.recipe import read
from data.errors import BadInput
from tests.alignment import tiny
from tests.alignment.rl.bases import telling_bases
from tests.alignment.running import command, dying_after_saving, losses, manifest, metrics, weights

pytestmark = pytest.mark.tiny

QUICK = {
    "max_completion_length": 6,
    "max_steps": 4,
    "per_device_train_batch_size": 4,
    "gradient_accumulation_steps": 1,
    "steps_per_generation": 2,
    "num_iterations": 1,
    "learning_rate": 5e-3,
    "lr_scheduler_type": "constant",
    "warmup_steps": 0,
    "eval_fraction": 0,
    "save_steps": 100,
}
WANTED = 170  # half of the tokens of the tiny tokenizers


def share(prompts, completions, completion_ids, **_):
    """Two for an answer of only wanted tokens, and two for a prompt about ferns, whatever the answer."""
    wanted = [2 * sum(5 < token < WANTED for token in ids) / max(3, len(ids)) for ids in completion_ids]
    return [2 * ("fern" in prompt[0]["content"]) + each for prompt, each in zip(prompts, wanted, strict=True)]


@pytest.fixture(scope="module")
def bases(tmp_path_factory):
    return telling_bases(tmp_path_factory.mktemp("bases"))


@pytest.fixture(scope="module")
def prompts(tmp_path_factory):
    asked = ["How do I water fern 1?", "What is the capital of France?", "hello", "Is fern 2 fine?"] * 3
    rows = [{"prompt": [{"role": "user", "content": text}], "id": str(n)} for n, text in enumerate(asked)]
    return tiny.write(tmp_path_factory.mktemp("rows") / "prompts.jsonl", rows)


def run(base, rows, out, *, reward=share, replay=None, **flags):
    assert main(command("ppo", base, rows, out, **{**QUICK, **flags}), reward=reward, replay=replay) == 0
    return manifest(out)


def rollouts(out):
    return [entry for entry in metrics(out) if "kl" in entry]


@pytest.fixture(scope="module")
def learnt(bases, prompts, tmp_path_factory):
    out = tmp_path_factory.mktemp("learnt") / "out"
    flags = {
        "max_completion_length": 3,
        "per_device_train_batch_size": 32,
        "num_iterations": 2,
        "max_steps": 48,
        "kl_coef": 0.05,
        "kl_target": 3,
        "kl_horizon": 200,
        "learning_rate": 8e-3,
        "missing_eos_penalty": 0,
        "cliprange_value": 5,
        "vf_coef": 0.5,
    }
    run(bases["qwen"], prompts, out, eval_fraction=0.2, **flags)
    return out


@pytest.mark.long
def test_it_learns_what_is_rewarded_within_a_kl_budget(learnt):
    found = rollouts(learnt)
    early, late = ([entry["reward"] for entry in part] for part in (found[:3], found[-3:]))
    assert sum(late) / 3 > sum(early) / 3 + 0.2
    assert max(entry["kl"] for entry in found) < 10
    # Half of the reward depends on the prompt, and the critic finds that out.
    assert found[-1]["explained_variance"] > 0.5 > found[0]["explained_variance"]
    figures = manifest(learnt)["figures"]
    assert figures["eval_before"]["kl"] == pytest.approx(0, abs=1e-5)
    assert figures["eval_after"]["kl"] != 0


@pytest.mark.long
def test_the_first_kl_is_zero_and_the_first_ratio_is_one(learnt):
    first = metrics(learnt)[1]
    assert first["step"] == 1
    assert first["kl"] == 0
    assert first["step_kl"] == 0
    assert first["clip_fraction"] == 0


@pytest.mark.long
def test_what_is_logged_and_kept(learnt):
    for name in ("reward", "kl", "kl_coef", "explained_variance", "length", "ended"):
        assert name in metrics(learnt)[1]
    for name in ("entropy", "clip_fraction", "value_loss", "policy_loss"):
        assert name in metrics(learnt)[2]
    samples = [json.loads(line) for line in (learnt / "samples.jsonl").read_text().splitlines()]
    assert len(samples) == 4 * len(rollouts(learnt))
    assert samples[0]["prompt"][0]["role"] == "user"
    for name in ("samples.jsonl", "curve.png", "metrics.jsonl"):
        assert (learnt / name).stat().st_mode & 0o777 == 0o600
    assert {"adapter", "critic"} <= {path.name for path in learnt.iterdir()}
    assert sorted(path.name for path in (learnt / "adapter").iterdir()) == [
        "adapter_config.json",
        "adapter_model.safetensors",
    ]
    assert not any("critic" in name or "value" in name or "score" in name for name in weights(learnt / "adapter"))
    assert json.loads((learnt / "adapter" / "adapter_config.json").read_text())["task_type"] == "CAUSAL_LM"


def test_policy_and_critic_are_trained_and_the_trunk_is_not(bases, prompts, tmp_path, monkeypatch):
    seen = []

    class Watched(Exception):
        pass

    def stop(self, *args, **kwargs):
        before = {name: tensor.detach().clone() for name, tensor in self.model.named_parameters()}
        super(Ppo, self).train(*args, **kwargs)
        seen.append((before, dict(self.model.named_parameters())))
        raise Watched

    monkeypatch.setattr(Ppo, "train", stop)
    with pytest.raises(Watched):
        run(bases["gpt2"], prompts, tmp_path / "out", gradient_accumulation_steps=2, steps_per_generation=2)
    before, after = seen[0]
    changed = {name for name, tensor in after.items() if not torch.equal(tensor, before[name])}
    assert changed == {name for name, tensor in after.items() if tensor.requires_grad}
    for part in (".default.", ".critic.", "value_head."):
        assert any(part in name for name in changed)
    assert all("lora_" in name or "value_head." in name for name in changed)


@pytest.mark.long
def test_an_interruption_changes_nothing(bases, prompts, tmp_path):
    flags = {"max_steps": 8, "num_iterations": 2, "save_steps": 3, "kl_target": 0.5, "kl_horizon": 20, "kl_limit": 90}
    flags |= {"watch_name": tiny.write(tmp_path / "pairs.jsonl", tiny.preferences(9)), "watch_rollouts": 1}
    run(bases["qwen"], prompts, tmp_path / "whole", **flags)
    with dying_after_saving(Ppo):
        run(bases["qwen"], prompts, tmp_path / "out", **flags)
    # It is due after 3 steps, and delayed to the rollout's end.
    checkpoint = tmp_path / "out" / "checkpoints" / "checkpoint-4"
    state = load_file(checkpoint / "critic" / "adapter_model.safetensors")
    assert {critic.HEAD, critic.BIAS} <= state.keys()
    assert state[critic.HEAD].abs().max() > 0
    assert json.loads((checkpoint / "ppo.json").read_text())["kl_coef"] != 0.05
    assert (checkpoint / "last_good.safetensors").exists()
    (tmp_path / "pairs.jsonl").write_text((tmp_path / "pairs.jsonl").read_text().replace("fern", "bush"))
    with pytest.raises(BadInput, match=r"pairs.jsonl is not the file of preferences that this run began with"):
        run(bases["qwen"], prompts, tmp_path / "out", **flags)
    tiny.write(tmp_path / "pairs.jsonl", tiny.preferences(9))
    result = run(bases["qwen"], prompts, tmp_path / "out", **flags)
    assert result["figures"]["resumed_from_step"] == 4
    assert losses(tmp_path / "out") == losses(tmp_path / "whole")
    for part in ("adapter", "critic"):
        whole, resumed = (weights(tmp_path / name / part) for name in ("whole", "out"))
        assert all(torch.equal(tensor, resumed[name]) for name, tensor in whole.items())
    for one, other in zip(rollouts(tmp_path / "whole"), rollouts(tmp_path / "out"), strict=True):
        assert all(one[name] == other[name] for name in ("reward", "kl", "kl_coef", "explained_variance"))
    readings = [manifest(tmp_path / name)["figures"]["watch"] for name in ("whole", "out")]
    assert [entry["step"] for entry in readings[0]] == [0, 4, 8]
    assert readings[0] == readings[1]
    samples = [(tmp_path / name / "samples.jsonl").read_text() for name in ("whole", "out")]
    assert samples[0] == samples[1]


@pytest.mark.long
def test_an_adapter_is_continued_from_its_own_reference(learnt, bases, prompts, tmp_path):
    """Its KL is measured from where it starts, and only its continuation is exported."""
    run(learnt / "adapter", prompts, tmp_path / "out", learning_rate=1e-9)
    assert all(entry["kl"] == pytest.approx(0, abs=1e-4) for entry in rollouts(tmp_path / "out"))
    assert rollouts(tmp_path / "out")[0]["kl"] == 0
    before, after = weights(learnt / "adapter"), weights(tmp_path / "out" / "adapter")
    for name, tensor in before.items():
        torch.testing.assert_close(after[name], tensor, atol=1e-6, rtol=0)


def test_the_kl_limit_ends_training_with_the_last_good_policy(bases, prompts, tmp_path, capsys):
    flags = {"learning_rate": 0.05, "kl_limit": 0.5, "max_steps": 20, "kl_coef": 0}
    result = run(bases["qwen"], prompts, tmp_path / "out", **flags)
    assert "kl_limit is 0.5" in result["figures"]["stopped"]
    assert "Training ended" in capsys.readouterr().out
    assert result["figures"]["steps"] < 20
    kept = weights(tmp_path / "out" / "adapter")
    # Only the first rollout was within the limit: the policy is the base.
    assert len(rollouts(tmp_path / "out")) == 2
    assert all(tensor.abs().max() == 0 for name, tensor in kept.items() if "lora_B" in name)


@pytest.mark.long
def test_how_a_step_is_cut_into_batches_does_not_matter(bases, prompts, tmp_path):
    def replay(asked, number):
        generator = torch.Generator().manual_seed(number)
        return [torch.randint(5, 300, (3 + row % 4,), generator=generator).tolist() for row in range(len(asked))]

    for name, batch, steps in (("one", 8, 1), ("four", 2, 4)):
        flags = {"per_device_train_batch_size": batch, "gradient_accumulation_steps": steps}
        flags |= {"steps_per_generation": 2 * steps, "num_iterations": 2}
        run(bases["gpt2"], prompts, tmp_path / name, replay=replay, **flags)
    assert losses(tmp_path / "one") == pytest.approx(losses(tmp_path / "four"), abs=1e-5)
    for part in ("adapter", "critic"):
        one, four = (weights(tmp_path / name / part) for name in ("one", "four"))
        for name, tensor in one.items():
            torch.testing.assert_close(four[name], tensor, atol=2e-4, rtol=1e-3)


@pytest.mark.long
def test_the_first_step_trains_the_pass_that_scored_the_rollout(bases, prompts, tmp_path, monkeypatch):
    """With the same losses and weights as if it were computed again."""
    seen = []
    usual = FirstPass.take
    monkeypatch.setattr(FirstPass, "take", lambda *asked: seen.append(usual(*asked)) or seen[-1])
    for name, room in (("kept", ROOM), ("again", 0)):
        monkeypatch.setattr("alignment.rl.trainer.ROOM", room)
        flags = {"gradient_accumulation_steps": 2, "steps_per_generation": 4, "num_iterations": 2, "max_steps": 8}
        run(bases["qwen"], prompts, tmp_path / name, **flags)
    used = [found is not None for found in seen]
    assert used == [True] * 2 + [False] * 6 + [True] * 2 + [False] * 6 + [False] * 16
    assert losses(tmp_path / "kept") == pytest.approx(losses(tmp_path / "again"), abs=1e-6)
    for part in ("adapter", "critic"):
        kept, again = (weights(tmp_path / name / part) for name in ("kept", "again"))
        for name, tensor in kept.items():
            torch.testing.assert_close(again[name], tensor, atol=1e-6, rtol=1e-6)


def test_answers_to_one_prompt_are_trained_together(bases, prompts, tmp_path, monkeypatch):
    """So that their prompt is computed once."""
    made = []
    usual = Ppo._roll_out
    monkeypatch.setattr(Ppo, "_roll_out", lambda self, asked: made.append(usual(self, asked)) or made[-1])
    run(bases["qwen"], prompts, tmp_path / "out", num_generations=2, num_iterations=2, max_steps=8)
    assert len(made) == 2
    for rollout in made:
        assert len(rollout.steps) == 4
        for rows in rollout.steps:
            asked = [rollout.prompts[row] for row in rows]
            assert asked[::2] == asked[1::2]


@pytest.mark.parametrize("algorithm", ["rloo", "grpo"])
def test_the_other_algorithms_by_the_same_command(algorithm, bases, prompts, tmp_path):
    result = run(bases["qwen"], prompts, tmp_path / "out", algorithm=algorithm, max_steps=2, eval_fraction=0.2)
    assert result["result"] == "adapter"
    assert any("reward" in entry for entry in metrics(tmp_path / "out") if "loss" in entry)
    assert result["figures"]["eval_before"]["reward"] > 0
    assert any(
        tensor.abs().max() > 0 for name, tensor in weights(tmp_path / "out" / "adapter").items() if "_B" in name
    )


@pytest.mark.parametrize("algorithm", ["rloo", "grpo"])
def test_the_other_algorithms_can_train_all_weights(algorithm, bases, prompts, tmp_path, monkeypatch):
    """TRL loads the reference again, by the name in the model's configuration, which an alias is not."""
    monkeypatch.setattr("alignment.models.locate", lambda *_, **__: models.Base("an-alias", str(bases["qwen"])))
    flags = {"algorithm": algorithm, "max_steps": 1, "use_peft": "false", "lora_r": None, "learning_rate": 1e-4}
    result = run("an-alias", prompts, tmp_path / "out", **flags)
    assert result["result"] == "model"
    assert '"an-alias"' in (tmp_path / "out" / "manifest.json").read_text()


def test_weights_reach_the_rollouts(bases, tmp_path):
    rows = [{"prompt": [{"role": "user", "content": f"number {n}"}], "weight": 0.25 if n else 3} for n in range(5)]
    seen = []

    def counted(prompts, completions, **_):
        seen.extend(prompt[0]["content"] for prompt in prompts)
        return [0.0] * len(prompts)

    for algorithm in ("ppo", "grpo"):
        seen.clear()
        flags = {"algorithm": algorithm, "max_steps": 4}
        run(bases["qwen"], tiny.write(tmp_path / "p.jsonl", rows), tmp_path / algorithm, reward=counted, **flags)
        assert seen.count("number 0") > len(seen) / 2


@pytest.mark.parametrize("algorithm", ["ppo", "rloo", "grpo"])
def test_the_recipe_and_vllms_settings_resolve(algorithm, monkeypatch):
    """vLLM itself is not installed here and was never run."""
    monkeypatch.setattr("importlib.util.find_spec", lambda *_: object())
    flags = ["--algorithm", algorithm, "--use_vllm", "true", "--vllm_mode", "colocate", "--dataset_name", "x"]
    flags += ["--output_dir", "out", "--vllm_gpu_memory_utilization", "0.3", "--use_cpu", "true"]
    recipe = read("ppo", flags, settings_class(flags), {"bf16": False, "activation_checkpointing": False})
    args = recipe.training
    assert (args.use_vllm, args.vllm_mode, args.vllm_gpu_memory_utilization) == (True, "colocate", 0.3)
    assert args.generation_batch_size == 16
    assert args.num_generations == (1 if algorithm == "ppo" else 4)


@pytest.mark.parametrize(
    ("flags", "sentence"),
    [
        ({"reward": None}, "Name a reward model"),
        ({"use_peft": "false"}, "use_peft"),
        ({"algorithm": "ppp"}, "no algorithm 'ppp'.*ppo"),
        ({"algorithm": "rloo", "kl_coef": 0.1}, "--kl_coef is for PPO only"),
        ({"beta": 0.1}, "--beta would do nothing in PPO"),
        ({"steps_per_generation": 3, "gradient_accumulation_steps": 2}, "multiple of"),
        ({"activation_checkpointing": "true"}, "activation_checkpointing does not work"),
        ({"log_completions": "true"}, "log_completions"),
        ({"max_completion_length": 600}, "takes 512"),
        ({"kl_target": -1}, "kl_target"),
        ({"sync_ref_model": "true"}, "sync_ref_model would do nothing"),
        ({"use_vllm": "true"}, "needs the package vllm, which is not installed"),
        ({"report_to": "trackio"}, "report_to trackio needs the package trackio, which is not installed"),
        ({"load_in_4bit": "true"}, "needs the package bitsandbytes"),
        ({"optim": "paged_adamw_8bit"}, "needs the package bitsandbytes"),
        ({"attn_implementation": "flash_attention_2"}, "needs the package flash_attn"),
        (
            {"lora_target_modules": "c_atn"},
            r"no linear layer 'c_atn' .*; it has .*c_attn.* Did you mean 'c_attn'",
        ),
        ({"lora_r": 0}, "lora_r must be at least 1, not 0"),
        ({"use_dora": "true"}, "use_dora cannot be set"),
        ({"shuffle_dataset": "false"}, "shuffle_dataset cannot be set"),
    ],
)
def test_what_cannot_work_is_refused(flags, sentence, bases, prompts, tmp_path):
    with pytest.raises(BadInput, match=sentence):
        run(bases["gpt2"], prompts, tmp_path / "out", **flags)


def test_settings_are_searched_by_the_reward(bases, prompts, tmp_path):
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text("search: {learning_rate: {low: 1.0e-3, high: 1.0e-2, log: true}}\n")
    flags = {**QUICK, "max_steps": 2, "learning_rate": None, "num_train_epochs": None}
    words = command("ppo", bases["qwen"], prompts, tmp_path / "out", **flags)
    assert main([*words, "--config", str(recipe), "--search", "2"], reward=share) == 0
    (best,) = (tmp_path / "out" / "trials").iterdir()
    found = yaml.safe_load((tmp_path / "out" / "best.yaml").read_text())["learning_rate"]
    assert found == pytest.approx(manifest(best)["recipe"]["learning_rate"])
