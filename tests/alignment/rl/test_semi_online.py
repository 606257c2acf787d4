"""Semi-online DPO by its command on tiny bases: which pairs it draws and trains, and how it is interrupted."""

import json
import math

import pytest
import torch

import alignment.reward
from alignment.dpo import main
from alignment.models import adapter_sha256
from alignment.rl import semi_online
from alignment.rl.semi_online import SemiOnlineDpo
from alignment.training import plots
from alignment.training.errors import Diverged
from data.errors import BadInput, ParleyError
from tests.alignment import tiny
from tests.alignment.rl.bases import telling_bases
from tests.alignment.running import command, dying_after_saving, losses, manifest, metrics, weights

pytestmark = pytest.mark.tiny

QUICK = {
    "online_every": 2,
    "max_completion_length": 5,
    "max_steps": 4,
    "learning_rate": 5e-3,
    "lr_scheduler_type": "constant",
    "warmup_steps": 0,
    "num_train_epochs": None,
}
WANTED = 170  # half of the tokens of the tiny tokenizers


def share(prompts, completions, completion_ids, **_):
    """The share of wanted tokens in an answer, its end aside."""
    return [sum(5 < token < WANTED for token in ids[:-1]) / max(1, len(ids) - 1) for ids in completion_ids]


@pytest.fixture(autouse=True)
def _answers_end(monkeypatch):
    """A tiny base hardly ever ends an answer, and only answers that end can be chosen."""
    usual = SemiOnlineDpo._sampler

    def ending(self):
        sample = usual(self)
        return lambda ids: [[*answer[:-1], self.stop] for answer in sample(ids)]

    monkeypatch.setattr(SemiOnlineDpo, "_sampler", ending)


@pytest.fixture(scope="module")
def bases(tmp_path_factory):
    return telling_bases(tmp_path_factory.mktemp("bases"))


@pytest.fixture(scope="module")
def prompts(tmp_path_factory):
    asked = ["How do I water fern 1?", "What is the capital of France?", "hello", "Is fern 2 fine?"] * 3
    rows = [{"prompt": [{"role": "user", "content": text}], "id": str(n)} for n, text in enumerate(asked)]
    return tiny.write(tmp_path_factory.mktemp("rows") / "prompts.jsonl", rows)


@pytest.fixture(scope="module")
def rows(tmp_path_factory):
    return tiny.write(tmp_path_factory.mktemp("rows") / "preferences.jsonl", tiny.preferences(12))


def run(base, prompts, out, *, rows=None, reward=share, **flags):
    assert main(command("dpo", base, rows, out, **{**QUICK, "prompts": prompts, **flags}), reward=reward) == 0
    return manifest(out)


def draws(out):
    return [entry for entry in metrics(out) if "pairs" in entry]


@pytest.mark.long
@pytest.mark.usefixtures("pictures")
def test_it_learns_what_is_rewarded_from_its_own_answers(bases, prompts, tmp_path):
    out = tmp_path / "out"
    found = run(bases["qwen"], prompts, out, max_steps=24, learning_rate=1e-2)
    assert losses(out)[0] == pytest.approx(math.log(2), abs=1e-4)
    rewards = [entry["reward"] for entry in draws(out)]
    assert len(rewards) == 12
    assert sum(rewards[-3:]) / 3 > sum(rewards[:3]) / 3 + 0.2
    assert all(entry["reward_chosen"] > entry["reward_rejected"] for entry in draws(out))
    # Each draw has two steps of four pairs, so it asks eight prompts, four times each.
    counts = found["figures"]["drawn"]
    assert (counts["prompts"], counts["answers"]) == (12 * 8, 12 * 8 * 4)
    assert counts["pairs"] + counts["equal"] + counts["dropped"] == counts["prompts"]
    assert (found["figures"]["first_reward"], found["figures"]["last_reward"]) == (rewards[0], rewards[-1])
    assert found["prompt_rows"]["rows"] == 12
    assert "first_loss" in found["figures"]
    assert (out / "curve.png").read_bytes().startswith(b"\x89PNG")
    assert plots.drawn(metrics(out))
    assert {path.name for path in (out / "adapter").iterdir()} == {"adapter_config.json", "adapter_model.safetensors"}


def test_a_few_answers_of_each_draw_are_kept_in_private_and_none_is_printed(bases, prompts, tmp_path, capsys):
    out = tmp_path / "out"
    run(bases["qwen"], prompts, out, max_steps=5)
    samples = [json.loads(line) for line in (out / "samples.jsonl").read_text().split("\n")[:-1]]
    assert [entry["step"] for entry in samples] == [0] * 4 + [2] * 4 + [4] * 4
    assert samples[0].keys() == {"step", "prompt", "completion", "reward", "ended"}
    assert (out / "samples.jsonl").stat().st_mode & 0o777 == 0o600
    said = "".join(capsys.readouterr())
    assert not any(entry["completion"] in said for entry in samples if len(entry["completion"]) > 8)
    assert "⟦" in (out / "trained_tokens.txt").read_text()


@pytest.mark.long
@pytest.mark.parametrize("mixed", [False, True])
def test_an_interruption_changes_nothing(mixed, bases, prompts, rows, tmp_path):
    flags = {"rows": rows if mixed else None, "max_steps": 8, "save_steps": 3}
    run(bases["qwen"], prompts, tmp_path / "whole", **flags)
    with dying_after_saving(SemiOnlineDpo):
        run(bases["qwen"], prompts, tmp_path / "out", **flags)
    # It was due after 3 steps, and waited for the next draw.
    assert (tmp_path / "out" / "checkpoints" / "checkpoint-4" / "drawn.json").exists()
    result = run(bases["qwen"], prompts, tmp_path / "out", **flags)
    assert result["figures"]["resumed_from_step"] == 4
    assert losses(tmp_path / "out") == losses(tmp_path / "whole")
    whole, resumed = (weights(tmp_path / name / "adapter") for name in ("whole", "out"))
    assert all(torch.equal(tensor, resumed[name]) for name, tensor in whole.items())
    for one, other in zip(draws(tmp_path / "whole"), draws(tmp_path / "out"), strict=True):
        assert all(
            one[name] == other[name] for name in ("step", "reward", "reward_chosen", "pairs", "equal", "length")
        )
    assert result["figures"]["drawn"] == manifest(tmp_path / "whole")["figures"]["drawn"]
    samples = [(tmp_path / name / "samples.jsonl").read_text() for name in ("whole", "out")]
    assert samples[0] == samples[1]


def test_a_run_goes_on_with_its_own_prompts_only(bases, prompts, tmp_path):
    mine = tmp_path / "prompts.jsonl"
    mine.write_text(prompts.read_text())
    with dying_after_saving(SemiOnlineDpo):
        run(bases["qwen"], mine, tmp_path / "out", save_steps=2)
    mine.write_text(prompts.read_text().replace("fern", "bush"))
    with pytest.raises(BadInput, match=r"prompts.jsonl is not the file of prompts that this run began with"):
        run(bases["qwen"], mine, tmp_path / "out", save_steps=2)


def test_how_a_step_is_cut_into_batches_does_not_matter(bases, prompts, rows, tmp_path):
    for name, size, steps in (("one", 1, 8), ("eight", 8, 1)):
        cut = {"per_device_train_batch_size": size, "gradient_accumulation_steps": steps}
        run(bases["gpt2"], prompts, tmp_path / name, rows=rows, eval_fraction=0, max_steps=2, **cut)
    assert losses(tmp_path / "one") == pytest.approx(losses(tmp_path / "eight"), abs=1e-4)
    assert draws(tmp_path / "one")[0]["reward"] == draws(tmp_path / "eight")[0]["reward"]
    one, eight = (weights(tmp_path / name / "adapter") for name in ("one", "eight"))
    for name, tensor in one.items():
        torch.testing.assert_close(eight[name], tensor, atol=2e-4, rtol=1e-3)


def test_peoples_pairs_are_mixed_in_by_their_share(bases, prompts, rows, tmp_path, monkeypatch):
    made = []
    usual = semi_online.arrange
    monkeypatch.setattr(semi_online, "arrange", lambda *asked: made.append(asked) or usual(*asked))
    flags = {"rows": rows, "offline_share": 0.5, "max_steps": 6}
    found = run(bases["qwen"], prompts, tmp_path / "out", **flags)
    assert [(len(offline), asked) for _, offline, asked, *_ in made] == [(4, 4)] * 3
    # The rows come in turns: twelve less those that are held out, each once before one comes again.
    trained = [tuple(row["prompt_ids"]) for _, offline, *_ in made for row in offline]
    kept = found["data"]["train"]["rows"]
    assert len(set(trained[:kept])) == kept < 12
    assert found["figures"]["drawn"]["prompts"] == 12
    # What people prefer is measured on held-out rows.
    assert found["figures"]["eval_before"]["loss"] == pytest.approx(math.log(2), abs=1e-4)
    assert "preference_accuracy" in found["figures"]["eval_after"]


def test_where_no_drawn_answers_differ_peoples_pairs_alone_are_trained(bases, prompts, rows, tmp_path):
    def nothing(prompts, **_):
        return [0.5] * len(prompts)

    found = run(bases["qwen"], prompts, tmp_path / "out", rows=rows, reward=nothing)
    assert found["figures"]["drawn"]["equal"] == found["figures"]["drawn"]["prompts"]
    assert losses(tmp_path / "out")[-1] < math.log(2)
    with pytest.raises(ParleyError, match=r"None of 32 prompts made a pair after step 0: 32 whose answers"):
        run(bases["qwen"], prompts, tmp_path / "alone", reward=nothing)


def one_for_all(after=0):
    """A reward that scores everything alike in the draws after so many."""
    calls = []

    def reward(prompts, **asked):
        calls.append(len(prompts))
        return share(prompts, **asked) if len(calls) <= after else [0.5] * len(prompts)

    return reward


def asked(monkeypatch):
    """The prompts of each draw, as token ids."""
    seen = []
    usual = SemiOnlineDpo._sample

    def watched(self, rows, number):
        seen.append([tuple(row["prompt_ids"]) for row in rows])
        return usual(self, rows, number)

    monkeypatch.setattr(SemiOnlineDpo, "_sample", watched)
    return seen


def test_a_draw_without_a_pair_is_followed_by_another_one_and_an_interruption_changes_nothing(
    bases, tmp_path, monkeypatch
):
    rows = [{"prompt": [{"role": "user", "content": f"{n} ferns"}], "id": str(n)} for n in range(60)]
    prompts = tiny.write(tmp_path / "prompts.jsonl", rows)

    def only_some(prompts, **asked):
        """Half of the prompts are scored alike, so with one prompt a draw many draws make no pair."""
        scores = share(prompts, **asked)
        even = [int(prompt[0]["content"].split()[0]) % 2 == 0 for prompt in prompts]
        return [0.5 if equal else score for equal, score in zip(even, scores, strict=True)]

    flags = {"online_every": 1, "per_device_train_batch_size": 1, "max_steps": 8, "save_steps": 2}
    seen = asked(monkeypatch)
    found = run(bases["qwen"], prompts, tmp_path / "whole", reward=only_some, **flags)
    whole = list(seen)
    assert len(whole) == found["figures"]["drawn"]["prompts"] > 8 == found["figures"]["drawn"]["pairs"]
    assert len({prompt for drawn in whole for prompt in drawn}) == len(whole)  # none is asked twice before all were
    assert len(draws(tmp_path / "whole")) == 8
    seen.clear()
    with dying_after_saving(SemiOnlineDpo):
        run(bases["qwen"], prompts, tmp_path / "out", reward=only_some, **flags)
    again = run(bases["qwen"], prompts, tmp_path / "out", reward=only_some, **flags)
    assert seen == whole
    assert again["figures"]["resumed_from_step"] == 2
    assert again["figures"]["drawn"] == found["figures"]["drawn"]
    assert losses(tmp_path / "out") == losses(tmp_path / "whole")


def test_offline_rows_come_in_turns_where_nothing_drawn_is_trained(bases, prompts, rows, tmp_path, monkeypatch):
    made = []
    usual = semi_online.arrange
    monkeypatch.setattr(semi_online, "arrange", lambda *asked: made.append(asked) or usual(*asked))
    flags = {"rows": rows, "offline_share": 0, "max_steps": 6, "eval_fraction": 0}
    run(bases["qwen"], prompts, tmp_path / "out", reward=one_for_all(after=1), **flags)
    assert [len(offline) for _, offline, *_ in made] == [0, 8, 8]
    trained = [tuple(row["prompt_ids"]) for _, offline, *_ in made for row in offline]
    assert len(set(trained[:12])) == 12
    made.clear()
    run(bases["qwen"], prompts, tmp_path / "never", reward=one_for_all(), **flags)
    assert [len(offline) for _, offline, *_ in made] == [8, 8, 8]


@pytest.mark.parametrize("wrong", [math.nan, math.inf, -math.inf, None])
def test_a_reward_that_is_no_number_ends_the_run_with_a_sentence(wrong, bases, prompts, rows, tmp_path):
    calls = []

    def broken(prompts, **asked):
        calls.append(1)
        return [wrong, *share(prompts, **asked)[1:]] if len(calls) > 1 else share(prompts, **asked)

    with pytest.raises(Diverged, match=r"1 of 32 answers got a reward that is not a finite number"):
        run(bases["qwen"], prompts, tmp_path / "out", rows=rows, offline_share=0, reward=broken)
    assert not (tmp_path / "out" / "adapter").exists()
    assert len(losses(tmp_path / "out")) == 2  # of the draw before


def test_an_adapter_is_continued_with_itself_as_the_reference(bases, prompts, tmp_path):
    run(bases["qwen"], prompts, tmp_path / "first")
    run(tmp_path / "first" / "adapter", prompts, tmp_path / "second")
    assert losses(tmp_path / "second")[0] == pytest.approx(math.log(2), abs=1e-4)
    before, after = (weights(tmp_path / name / "adapter") for name in ("first", "second"))
    assert before.keys() == after.keys()
    assert any(not torch.equal(before[name], after[name]) for name in before)


def test_all_weights_can_be_trained(bases, prompts, tmp_path):
    """The policy then samples itself, as on a GPU; without an adapter there is no copy to add it into."""
    found = run(bases["gpt2"], prompts, tmp_path / "out", use_peft="false", learning_rate=1e-4, lora_r=None)
    assert found["result"] == "model"
    assert losses(tmp_path / "out")[0] == pytest.approx(math.log(2), abs=1e-4)
    assert found["figures"]["drawn"]["pairs"] > 0


def test_both_ways_to_sample_draw_from_the_same_policy(bases, prompts, tmp_path, monkeypatch):
    """At a low temperature both find the likeliest answer."""
    seen = []
    usual = SemiOnlineDpo.draw

    def twice(self):
        ids = [list(row.columns["prompt_ids"]) for row in self.asked_for.examples]
        self.sampling.temperature = 1e-4
        pad = int(self._tokenizer.pad_token_id)
        seen.append((self._sampler()(ids), [[*each[:-1], self.stop] for each in self._generate(ids, pad)]))
        self.sampling.temperature = 1.0
        return usual(self)

    monkeypatch.setattr(SemiOnlineDpo, "draw", twice)
    run(bases["qwen"], prompts, tmp_path / "out", max_steps=5, learning_rate=1e-2)
    assert len(seen) == 3
    assert all(plain == policys for plain, policys in seen)
    assert seen[0] != seen[2]


def test_a_trained_reward_model_judges_and_its_hash_is_kept(bases, prompts, rows, tmp_path):
    words = command("reward", bases["qwen"], rows, tmp_path / "reward", max_steps=1, num_train_epochs=None)
    assert alignment.reward.main(words) == 0
    folder = tmp_path / "reward" / "reward"
    found = run(bases["gpt2"], prompts, tmp_path / "out", reward=None, reward_model=folder)
    assert found["reward_sha256"] == adapter_sha256(folder)
    assert found["figures"]["drawn"]["pairs"] > 0


@pytest.mark.parametrize(
    ("flags", "sentence"),
    [
        ({"reward": None}, r"Name a reward model: --reward_model"),
        ({"online_every": None}, r"prompts is for pairs that the policy draws itself: .* --online_every 8"),
        ({"online_every": 0}, r"online_every must be at least 1"),
        ({"offline_share": 1}, r"offline_share must be at least 0 and below 1"),
        ({"num_generations": 1}, r"a pair needs two answers"),
        ({"max_length": 5}, r"max_length \(5\) must be above max_completion_length \(5\)"),
        ({"demonstration_weight": 1.0}, r"are for corrections"),
        ({"sync_ref_model": "true", "use_peft": "false"}, r"sync_ref_model does not go with online_every"),
    ],
)
def test_what_cannot_work_is_refused(flags, sentence, bases, prompts, tmp_path):
    with pytest.raises(BadInput, match=sentence):
        run(bases["gpt2"], prompts, tmp_path / "out", **flags)


def test_rows_alone_with_online_every_are_refused(bases, rows, tmp_path):
    with pytest.raises(BadInput, match=r"online_every draws answers to prompts.*--prompts"):
        run(bases["gpt2"], None, tmp_path / "out", rows=rows)
