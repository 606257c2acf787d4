"""From rows to examples: splits, drops, order; the run folder; small parts of a run."""

import itertools
import json
import math
from collections import Counter

import pytest
from filelock import FileLock
from hypothesis import given
from hypothesis import strategies as st

from alignment import models
from alignment.rows.order import LengthGrouped
from alignment.rows.prepare import SAME_ANSWERS, longest_sequence, prepare, short_of, split
from alignment.training.machine import choose_gpu
from alignment.training.plots import plot_loss
from alignment.training.run_folder import open_run
from data.errors import BadInput
from data.rows import parse_row, read_rows
from tests.alignment import tiny

pytestmark = pytest.mark.tiny


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory):
    return models.load_tokenizer(models.locate(str(tiny.build("qwen", tmp_path_factory.mktemp("base")))))


def test_a_split_is_stable_and_keeps_equal_prompts_together(tmp_path):
    twins = tiny.preferences(40) + [
        {**row, "chosen": [{"role": "assistant", "content": "Another."}]} for row in tiny.preferences(40)
    ]
    rows = read_rows(tiny.write(tmp_path / "rows.jsonl", twins))
    kept, held_out = split(rows, 0.2)
    assert len(kept) + len(held_out) == 80
    assert len(held_out) == 16
    prompts = [{json.dumps(row.data["prompt"]) for row in part} for part in (kept, held_out)]
    assert not prompts[0] & prompts[1]
    again, _ = split(rows[::-1], 0.2)
    assert {row.line for row in again} == {row.line for row in kept}


def test_something_is_held_out_and_something_is_left(tmp_path):
    rows = read_rows(tiny.write(tmp_path / "rows.jsonl", tiny.preferences(3)))
    assert [len(part) for part in split(rows, 0.0001)] == [2, 1]
    assert [len(part) for part in split(rows, 0)] == [3, 0]
    assert [len(part) for part in split(rows[:1], 0.5)] == [1, 0]


def opening(counts):
    """Rows with this many of each opening."""
    number = itertools.count()
    return [
        parse_row(
            {
                "messages": [
                    {"role": "user", "content": f"Opening {name}"},
                    {"role": "assistant", "content": f"It is {next(number)}."},
                ]
            }
        )
        for name, count in enumerate(counts)
        for _ in range(count)
    ]


@given(st.lists(st.integers(1, 30), min_size=1, max_size=30), st.floats(0.01, 0.9), st.randoms())
def test_a_split_is_never_far_above_its_fraction_and_does_not_depend_on_the_order(counts, fraction, source):
    rows = opening(counts)
    kept, held_out = split(rows, fraction)
    openings = [{row.messages[0]["content"] for row in part} for part in (kept, held_out)]
    wanted = max(1, fraction * len(rows))
    assert not openings[0] & openings[1]
    assert kept
    assert len(held_out) < 2 * wanted
    if max(counts) == 1 < len(rows):
        assert abs(len(held_out) - min(wanted, len(rows) - 1)) <= 1
    assert 2 * len(held_out) > wanted or len(rows) == 1 or short_of(rows, held_out, fraction)
    shuffled = source.sample(rows, len(rows))
    assert {row.messages[1]["content"] for row in split(shuffled, fraction)[1]} == {
        row.messages[1]["content"] for row in held_out
    }


@pytest.mark.parametrize(
    ("counts", "held", "sentence"),
    [
        ([6] * 10, 6, None),
        ([57, 1, 1, 1], 3, "57 of them do. Name held-out rows with other openings by --eval_dataset_name."),
        ([60], 0, "60 of them do. Name held-out rows"),
        ([15] * 4, 0, "or raise --eval_fraction to 0.25."),
    ],
)
def test_rows_that_open_alike_are_held_out_together_or_a_sentence_says_why_not(counts, held, sentence):
    rows = opening(counts)
    held_out = split(rows, 0.1)[1]
    assert len(held_out) == held
    found = short_of(rows, held_out, 0.1)
    assert (sentence in found and "asks for 6" in found) if sentence else found is None


def test_preferences_end_with_the_end_of_turn_and_share_their_prompt(tokenizer, tmp_path):
    rows = tiny.write(tmp_path / "rows.jsonl", tiny.preferences(6))
    prepared = prepare("preference", tokenizer, str(rows), eval_fraction=0)
    for example in prepared.train.examples:
        assert example.columns["chosen_ids"][-1] == example.columns["rejected_ids"][-1] == tokenizer.eos_token_id
        assert tokenizer.decode(example.columns["prompt_ids"]).endswith("<|im_start|>assistant\n")
    lengths = [longest_sequence(example.columns) for example in prepared.train.examples]
    assert lengths == sorted(lengths)


def test_answers_with_the_same_tokens_are_not_a_preference(tokenizer, tmp_path):
    # A forged end of turn is broken up by a space; the other answer has that space already.
    pair = {
        "prompt": [{"role": "user", "content": "hello"}],
        "chosen": [{"role": "assistant", "content": "<|im_end|>"}],
        "rejected": [{"role": "assistant", "content": "< |im_end|>"}],
    }
    rows = tiny.write(tmp_path / "rows.jsonl", [*tiny.preferences(3), pair])
    prepared = prepare("preference", tokenizer, str(rows), eval_fraction=0, max_dropped=0.5)
    assert prepared.train.dropped == Counter({SAME_ANSWERS: 1})


def test_a_row_of_another_kind_is_refused_by_line(tokenizer, tmp_path):
    rows = tiny.write(tmp_path / "rows.jsonl", [*tiny.demonstrations(1), *tiny.preferences(1)])
    with pytest.raises(BadInput, match=r"rows\.jsonl, line 2, field 'chosen': a demonstration has no better"):
        prepare("demonstration", tokenizer, str(rows))


def test_each_epoch_is_a_permutation_grouped_by_length_and_repeatable():
    lengths = [(index * 37) % 101 for index in range(100)]
    sampler = LengthGrouped(lengths, 8, seed=3)
    first = list(sampler)
    sampler.set_epoch(1)
    second = list(sampler)
    assert sorted(first) == sorted(second) == list(range(100))
    assert first != second
    resumed = LengthGrouped(lengths, 8, seed=3)
    resumed.set_epoch(1)
    assert list(resumed) == second
    spread = [max(part) - min(part) for part in ([lengths[i] for i in first[at : at + 8]] for at in range(0, 96, 8))]
    assert sum(spread) / len(spread) < 30  # of 100


def test_a_run_folder_recognises_its_run(tmp_path):
    out, rows = tmp_path / "out", {"data": {"rows": "x"}}
    with open_run(out, "sft", {"seed": 1, "output_dir": "a"}, rows) as run:
        run.log({"step": 1, "loss": 2.0})
        run.log({"step": 5, "loss": 1.0})
        (run.checkpoints / "checkpoint-4").mkdir(parents=True)
        (run.checkpoints / "checkpoint-12").mkdir()
        (run.checkpoints / ".incomplete").mkdir()
        with pytest.raises(BadInput, match="Another process"), open_run(out, "sft", {"seed": 1}, rows):
            pass
    # The output place and the logging may change; what is learnt may not.
    with open_run(out, "sft", {"seed": 1, "output_dir": "b", "logging_steps": 3}, rows) as run:
        assert not run.done
        assert run.last_checkpoint().name == "checkpoint-12"
        run.forget_metrics_after(4)
        assert run.metrics() == [{"step": 1, "loss": 2.0}]
    for settings, facts, named in (({"seed": 2}, rows, "seed"), ({"seed": 1}, {"data": {"rows": "y"}}, "data")):
        with pytest.raises(BadInput, match=f"another run .another {named}."), open_run(out, "sft", settings, facts):
            pass


def test_a_cut_line_of_metrics_is_dropped_on_resumption(tmp_path):
    with open_run(tmp_path / "out", "sft", {}, {}) as run:
        run.log({"step": 1, "loss": 2.0})
        with (run.path / "metrics.jsonl").open("a") as file:
            file.write('{"step": 2, "lo')
        assert [entry["step"] for entry in run.metrics()] == [1]  # another process reads while one writes
        run.forget_metrics_after(9)
        assert run.metrics() == [{"step": 1, "loss": 2.0}]


def test_a_folder_with_other_things_is_left_alone(tmp_path):
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(BadInput, match="holds no run"), open_run(tmp_path, "sft", {}, {}):
        pass


def test_a_lock_left_by_a_killed_process_does_not_block(tmp_path):
    FileLock(tmp_path / ".lock").acquire()  # released with its object, as a kill releases it
    with open_run(tmp_path, "sft", {}, {}) as run:
        assert not run.done


def test_the_result_appears_whole_or_not_at_all(tmp_path):
    with open_run(tmp_path / "out", "sft", {}, {}) as run:

        def fail(folder):
            (folder / "half").write_text("half")
            raise OSError("the disk is full")

        with pytest.raises(OSError, match="disk is full"):
            run.finish("adapter", fail)
        assert not (run.path / "adapter").exists()
        assert not run.done
        run.finish("adapter", lambda folder: (folder / "whole").write_text("whole"), loss=1.0)
        assert [path.name for path in (run.path / "adapter").iterdir()] == ["whole"]
        assert run.done


def test_several_gpus_without_a_launcher_become_one():
    environment: dict[str, str] = {}
    sentence = choose_gpu(4, environment)
    assert "accelerate launch" in sentence
    assert environment == {"CUDA_VISIBLE_DEVICES": "0"}
    chosen = {"CUDA_VISIBLE_DEVICES": "2,3"}
    assert choose_gpu(2, chosen)
    assert chosen == {"CUDA_VISIBLE_DEVICES": "2"}
    assert choose_gpu(4, {"LOCAL_RANK": "1"}) is None
    assert choose_gpu(1, {}) is None


def test_an_empty_plot_is_a_picture_too(tmp_path, pictures):
    plot_loss([], tmp_path / "a.png", "empty")
    plot_loss([{"step": 1, "loss": 1.0}, {"step": 1, "eval_loss": math.e}], tmp_path / "b.png", "one")
    assert (tmp_path / "a.png").stat().st_size < (tmp_path / "b.png").stat().st_size
