"""Rollouts: which prompts are asked in which order, where an answer ends, and what is kept of them."""

import json

import pytest

from alignment import models
from alignment.rl.rollouts import AtRolloutEnds, Prompts, end_of_turn
from alignment.rl.samples import forget_samples_after
from tests.alignment import tiny

pytestmark = pytest.mark.tiny


def test_a_prompts_weight_says_how_often_it_is_asked():
    sampler = Prompts(4, prompts=2, generations=1, repeat=1, seed=0, weights=[3.0, 1.0, 0.0, 2.0])
    for epoch in range(5):
        sampler.set_epoch(epoch)
        asked = list(sampler)
        assert len(asked) == len(sampler) == 6
        assert [asked.count(row) for row in range(4)] == [3, 1, 0, 2]


def test_samples_before_the_checkpoint_stay_whatever_is_in_them(tmp_path):
    path = tmp_path / "samples.jsonl"
    entries = [{"step": step, "completion": f"a\u2028b\u0085{step}"} for step in range(4)]
    lines = [json.dumps(entry, ensure_ascii=False) for entry in entries]
    path.write_text("\n".join([*lines, '{"step": 0, "compl']), encoding="utf-8")
    forget_samples_after(path, 3)
    kept = [json.loads(line) for line in path.read_text(encoding="utf-8").split("\n")[:-1]]
    assert kept == entries[:3]


def test_prompts_come_in_an_order_that_follows_from_seed_and_epoch():
    sampler = Prompts(5, prompts=2, generations=2, repeat=3, seed=1)
    first = list(sampler)
    assert len(first) == len(sampler) == 3 * 2 * 2 * 3
    assert first == list(sampler)
    rolled = [first[at : at + 4] for at in range(0, len(first), 4)]
    assert all(rolled[at] == rolled[at + 1] == rolled[at + 2] for at in range(0, 9, 3))
    assert all(a == b and c == d for a, b, c, d in rolled)
    assert set(first) == set(range(5))
    sampler.set_epoch(1)
    assert list(sampler) != first


def test_checkpoints_wait_for_the_end_of_a_rollout():
    class Control:
        should_save = False

    class State:
        global_step = 0

    callback, saved = AtRolloutEnds(4), []
    for step in range(1, 13):
        control, State.global_step = Control(), step
        control.should_save = step in (2, 3, 8)
        if callback.on_step_end(None, State, control).should_save:
            saved.append(step)
    assert saved == [4, 8]


def test_an_answer_stops_at_the_templates_end_of_turn(tmp_path):
    tokenizer = models.load_tokenizer(str(tiny.build("qwen", tmp_path / "qwen")))
    assert tokenizer.decode([end_of_turn(tokenizer)]) == "<|im_end|>"
    tokenizer = models.load_tokenizer(str(tiny.build("gpt2", tmp_path / "gpt2")))
    assert tokenizer.decode([end_of_turn(tokenizer)]) == "<|endoftext|>"
