"""Demonstrations of several answers: every assistant turn is trained, whatever becomes of it in the history."""

import pytest

from alignment import templates
from alignment.rows.prepare import NOTHING_TO_TRAIN, demonstration, encode_rows, prepare
from alignment.rows.tokens import control_strings, encode_turns, prompt_ids
from data.rows import parse_row
from tests.alignment import own_templates, tiny

pytestmark = pytest.mark.tiny

TALK = [
    {"role": "system", "content": "You are kind."},
    {"role": "user", "content": "hello"},
    {"role": "assistant", "content": "I am fine"},
    {"role": "user", "content": "And the fern?"},
    {"role": "assistant", "content": "Little and often."},
    {"role": "user", "content": "thank you"},
    {"role": "assistant", "content": "yes"},
]
ANSWERS = ["I am fine<|im_end|>", "Little and often.<|im_end|>", "yes<|im_end|>"]


def made_for(template):
    names = {"bos_token": "<s>", "eos_token": "<|im_end|>", "pad_token": "<|im_end|>"}
    made = tiny.tokenizer(names, own_templates.EXTRA_TOKENS, template=template)
    made.chat_template = templates.compose(made, "the base").text
    return made


@pytest.fixture(scope="module")
def qwen3():
    return made_for(own_templates.QWEN3)


def rows(*talks, **extra):
    return [parse_row({"messages": talk, **extra}, line=at) for at, talk in enumerate(talks, 1)]


def encoded(tokenizer, given, max_length=None):
    return encode_rows(demonstration, tokenizer, control_strings(tokenizer), given, max_length)


def trained(tokenizer, example):
    return tokenizer.decode([label for label in example.columns["labels"] if label != -100])


def test_a_template_that_forgets_thoughts_trains_every_answer_as_it_is_generated(qwen3):
    found = encoded(qwen3, rows(TALK, weight=2.0, id="talk-7"))
    assert (found.rows, len(found), found.weights) == (1, 3, [2.0, 2.0, 2.0])
    assert {(example.row.id, example.line) for example in found.examples} == {("talk-7", 1)}
    assert [trained(qwen3, example) for example in found.examples] == ANSWERS
    for at, example in zip((2, 4, 6), found.examples, strict=True):
        ids, labels = example.columns["input_ids"], example.columns["labels"]
        prompt = ids[: labels.index(next(label for label in labels if label != -100))]
        assert prompt == prompt_ids(qwen3, TALK[:at], control_strings(qwen3))  # what an engine is given
    assert found.facts() == {"rows": 1, "tokens": found.tokens, "dropped": {}, "examples": 3}


@pytest.mark.parametrize("style", ["chatml", "smollm3"])
def test_other_templates_keep_a_conversation_in_one_example(style):
    tokenizer = made_for(own_templates.STYLES[style])
    found = encoded(tokenizer, rows(TALK))
    assert (found.rows, len(found)) == (1, 1)
    assert "examples" not in found.facts()
    assert trained(tokenizer, found.examples[0]) == "".join(ANSWERS)


def test_a_single_answer_is_one_example(qwen3):
    assert len(encoded(qwen3, rows(TALK[:3]))) == 1


def test_turns_of_weight_0_are_not_trained(qwen3):
    talk = [*TALK[:2], {**TALK[2], "weight": 0}, *TALK[3:]]
    assert [trained(qwen3, example) for example in encoded(qwen3, rows(talk)).examples] == ANSWERS[1:]


def test_a_conversation_that_is_too_long_is_one_row_that_is_dropped(qwen3):
    longest = max(len(example.columns["input_ids"]) for example in encoded(qwen3, rows(TALK)).examples)
    found = encoded(qwen3, rows(TALK), longest - 1)
    assert (found.rows, len(found), sum(found.dropped.values())) == (0, 0, 1)
    assert len(encoded(qwen3, rows(TALK), longest)) == 3


def test_turns_that_cannot_be_rendered_as_they_were_generated_are_left_out(qwen3):
    thought = {**TALK[2], "reasoning_content": "They greet me."}  # the prompt says that nothing was thought
    assert len(encode_turns(qwen3, [*TALK[:2], thought, *TALK[3:5]], control_strings(qwen3))) == 1
    assert encoded(qwen3, rows([*TALK[:2], thought])).dropped == {NOTHING_TO_TRAIN: 1}


def test_a_file_counts_its_rows_and_says_how_many_examples_they_make(qwen3, tmp_path):
    talks = [[{"role": "user", "content": f"Opening {at}"}, *TALK[2:]] for at in range(10)]
    path = tiny.write(tmp_path / "rows.jsonl", [{"messages": talk} for talk in talks])
    prepared = prepare("demonstration", qwen3, str(path), eval_fraction=0.2)
    assert (prepared.train.rows, len(prepared.train)) == (8, 24)
    assert (prepared.held_out.rows, len(prepared.held_out)) == (2, 6)
