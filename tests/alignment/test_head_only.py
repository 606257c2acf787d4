"""The reward stage's recipe for few pairs on tiny bases: fitted, saved, loaded again, and what it refuses."""

import json

import pytest
import torch

import alignment.ppo
import alignment.reward
from alignment import models
from alignment.rewards.head_only import hidden_states
from alignment.rewards.model import HEAD, critic_parts, load_reward_model, load_scorer
from alignment.rows.tokens import control_strings, encode_answer
from alignment.training.stage import OBSERVER
from data.errors import BadInput
from tests.alignment import tiny
from tests.alignment.running import command, manifest, weights

pytestmark = pytest.mark.tiny

PROMPT = [{"role": "user", "content": "How do I water fern 3?"}]
ANSWERS = ["Little and often.", "No.", "Never in water. I am fine.", "你好"]


def train(base, rows, out, **flags):
    flags = {"eval_fraction": 0.25, "head_only": "true", **flags}
    assert alignment.reward.main(command("reward", base, rows, out, **flags)) == 0
    return manifest(out)


@pytest.fixture(scope="module")
def bases(tmp_path_factory):
    return {family: tiny.build(family, tmp_path_factory.mktemp(family)) for family in ("llama", "gpt2", "gemma")}


@pytest.fixture(scope="module")
def trained(bases, tmp_path_factory):
    """A run for every family."""
    rows = tiny.write(tmp_path_factory.mktemp("rows") / "rows.jsonl", tiny.preferences(24))
    runs = {family: tmp_path_factory.mktemp("runs") / family for family in bases}
    for family, out in runs.items():
        train(bases[family], rows, out)
    return runs


def sequences(tokenizer):
    coded = [encode_answer(tokenizer, PROMPT, answer, control_strings(tokenizer)) for answer in ANSWERS]
    return [[*each.prompt, *each.answer] for each in coded]


@pytest.mark.parametrize("family", ["llama", "gpt2", "gemma"])
def test_it_learns_and_is_measured_like_every_reward_model(family, trained):
    figures = manifest(trained[family])["figures"]
    assert figures["held_out"]["accuracy"]["mean"] == 1.0
    assert figures["cross_validated_loss"] < 0.5
    facts = json.loads((trained[family] / "reward" / "reward.json").read_text())
    assert facts["accuracy"] == figures["held_out"]["accuracy"]
    assert facts["std"] > 0
    assert (trained[family] / "rewards.png").exists()
    assert not (trained[family] / "loss.png").exists()


@pytest.mark.parametrize("family", ["llama", "gpt2", "gemma"])
def test_loaded_again_it_scores_as_its_head_does_on_the_plain_base(family, trained, bases):
    loaded = load_reward_model(trained[family] / "reward")
    head = weights(trained[family] / "reward")[HEAD]
    tokenizer = models.load_tokenizer(str(bases[family]))
    base = models.load_model(str(bases[family]), dtype=torch.float32)
    with torch.no_grad():
        plain = [
            float(head[0] @ base.base_model(torch.tensor([ids])).last_hidden_state[0, -1])
            for ids in sequences(tokenizer)
        ]
    assert loaded.score([PROMPT] * len(ANSWERS), ANSWERS) == pytest.approx(plain, abs=1e-4)


def test_hidden_states_come_in_the_order_of_the_conversations(bases):
    scorer = load_scorer(models.locate(str(bases["llama"]))).eval()
    tokenizer = models.load_tokenizer(str(bases["llama"]))
    several = sequences(tokenizer)
    together = hidden_states(scorer, tokenizer.pad_token_id, several)
    for ids, seen in zip(several, together, strict=True):
        assert hidden_states(scorer, tokenizer.pad_token_id, [ids])[0] == pytest.approx(seen, abs=1e-5)


def test_the_order_of_rows_and_the_seed_do_not_matter(trained, bases, tmp_path):
    rows = tiny.write(tmp_path / "rows.jsonl", list(reversed(tiny.preferences(24))))
    train(bases["llama"], rows, tmp_path / "out", seed=7)
    turned, usual = (weights(folder / "reward")[HEAD] for folder in (tmp_path / "out", trained["llama"]))
    torch.testing.assert_close(turned, usual, atol=1e-4, rtol=1e-4)


def test_the_same_command_again_has_nothing_to_do(trained, bases, tmp_path):
    rows = tiny.write(tmp_path / "rows.jsonl", tiny.preferences(24))
    before = train(bases["llama"], rows, tmp_path / "out")
    assert train(bases["llama"], rows, tmp_path / "out") == before


def test_a_critic_starts_from_it(trained, bases, tmp_path):
    state, config, head, _ = critic_parts(trained["llama"] / "reward")
    assert config.r == 4
    assert all(not tensor.any() for name, tensor in state.items() if "lora_B" in name)
    assert head.any()
    prompts = tiny.write(tmp_path / "prompts.jsonl", [{"prompt": row["prompt"]} for row in tiny.preferences(4)])
    flags = {"reward_model": trained["llama"] / "reward", "eval_fraction": 0, "max_steps": 1}
    flags |= {"max_completion_length": 4}
    assert alignment.ppo.main(command("ppo", bases["llama"], prompts, tmp_path / "out", **flags)) == 0


@pytest.mark.long
def test_the_usual_training_continues_from_it(trained, tmp_path):
    rows = tiny.write(tmp_path / "rows.jsonl", tiny.preferences(24))
    found = train(trained["llama"] / "reward", rows, tmp_path / "out", head_only="false", max_steps=1)
    assert found["figures"]["held_out"]["accuracy"]["mean"] == 1.0


def test_it_refuses_an_adapter_a_search_and_a_launcher(trained, bases, tmp_path, monkeypatch):
    rows = tiny.write(tmp_path / "rows.jsonl", tiny.preferences(24))
    words = command("reward", trained["llama"] / "reward", rows, tmp_path / "out", head_only="true")
    with pytest.raises(BadInput, match="fits a head to the base itself"):
        alignment.reward.main(words)
    thumbs = tiny.write(tmp_path / "thumbs.jsonl", [])
    for more, named in (({"heads": 3}, "heads"), ({"thumbs_name": thumbs}, "thumbs_name")):
        with pytest.raises(BadInput, match=f"Leave out {named}"):
            alignment.reward.main(command("reward", bases["llama"], rows, tmp_path / named, head_only="true", **more))
    token = OBSERVER.set(lambda _stage: object())
    try:
        with pytest.raises(BadInput, match="nothing to search"):
            alignment.reward.main(command("reward", bases["llama"], rows, tmp_path / "searched", head_only="true"))
    finally:
        OBSERVER.reset(token)
    monkeypatch.setattr("alignment.rewards.head_only.processes.count", lambda: 2)
    with pytest.raises(BadInput, match="runs in one process"):
        alignment.reward.main(command("reward", bases["llama"], rows, tmp_path / "two", head_only="true"))
