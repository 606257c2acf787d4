"""Thinking, control tokens and invented turns are left out of answers, however they are divided into pieces."""

from itertools import product

import pytest

from bot.engine.thinking import Habits, Kind, Thinking
from bot.engine.turns import Turns

FIVE = "It is 5."
# A model's whole text, and its answer; every PLAN is a thought.
THOUGHTS = {
    "<think>\nPLAN\n</think>\n\nIt is 5.": FIVE,
    "<think></think>\n\nIt is 5.": FIVE,
    "  \n<thinking>PLAN</thinking>It is 5.": FIVE,
    "<THINK>PLAN</THINK>It is 5.": FIVE,
    "<think>PLAN</think>\n<think>PLAN</think>\nIt is 5.": FIVE,
    "<think>a `</think>` PLAN\n</think>\nIt is 5.": FIVE,
    "<think>PLAN: `5`</think>\nIt is 5.": FIVE,
    "<think>PLAN</think><answer>It is 5.</answer>": FIVE,
    "<thinking>PLAN<reflection>PLAN</reflection>PLAN</thinking><output>It is 5.</output>": FIVE,
    "<think>PLAN": "",
    "PLAN\n</think>\n\nIt is 5.": FIVE,
    "PLAN five.</think>It is 5.": FIVE,
    "PLAN：五。\n</think>\n\n答案是5。": "答案是5。",
    "</think>\n\nIt is 5.": FIVE,
    "<|channel|>analysis<|message|>PLAN<|end|><|start|>assistant<|channel|>final<|message|>It is 5.": FIVE,
    "<|channel|>analysis<|message|>PLAN<|end|><|start|>assistant<|channel|>commentary<|message|>PLAN<|end|>"
    "<|start|>assistant<|channel|>final<|message|>It is 5.": FIVE,
    "<|channel|>final<|message|>It is 5.": FIVE,
    "analysisThe user PLANassistantfinalIt is 5.": FIVE,
    "assistantanalysisPLANassistantfinalIt is 5.": FIVE,
    "analysis The user PLAN assistantfinalIt is 5.": FIVE,
    "Here is my thought process: PLAN Here is my response: It is 5.": FIVE,
    "<analysis>PLAN</analysis>It is 5.": FIVE,
    "<antThinking>PLAN</antThinking>It is 5.": FIVE,
    "<cot>PLAN</cot>\nIt is 5.": FIVE,
    "<|thought|>PLAN<|/thought|>It is 5.": FIVE,
    "<|think|>PLAN<|end|><|begin|>assistant<|content|>It is 5.": FIVE,
    "<|im_start|>think\nPLAN\n<|im_start|>answer\nIt is 5.": FIVE,
    "<|im_start|>assistant/think\nPLAN<|im_end|>\n<|im_start|>assistant\nIt is 5.": FIVE,
    "[THINK]PLAN[/THINK]It is 5.": FIVE,
    "[Thinking]\nPLAN\n[/Thinking]\nIt is 5.": FIVE,
    "[REASONING]PLAN[/REASONING]It is 5.": FIVE,
    "Here's my thought process:\nPLAN\nHere's my response:\nIt is 5.": FIVE,
    "/think\nPLAN<|im_end|>\n<|im_start|>assistant\nIt is 5.": FIVE,
    "think\nPLAN\nanswer\nIt is 5.": FIVE,
    "<|begin|>assistant<|think|>PLAN<|end|><|begin|>assistant<|content|>It is 5.": FIVE,
    "<|assistant|><think>PLAN</think>It is 5.": FIVE,
    "<longcat_think>PLAN</longcat_think>It is 5.": FIVE,
    "<seed:think>PLAN</seed:think>It is 5.": FIVE,
    "<|channel>thought\nPLAN<channel|>It is 5.": FIVE,
    "<unused94>thought\nPLAN<unused95>It is 5.": FIVE,
    "◁think▷PLAN◁/think▷It is 5.": FIVE,
    "<|START_THINKING|>PLAN<|END_THINKING|><|START_RESPONSE|>It is 5.<|END_RESPONSE|>": FIVE,
    "Let me see.\n<think>\nPLAN\n</think>\nIt is 5.": "Let me see.\nIt is 5.",
    "<think>PLAN</think>The tag <think> opens, </think> ends.": "The tag <think> opens, </think> ends.",
}
ANSWERS = [
    "<|im_start|>assistant\nIt is 5.<|im_end|>\n<|im_start|>assistant\nMore.",
    "Use <think> to think and </think> to stop.",
    "Use `<think>` and `</think>`.\nOr so.",
    "See:\n```\n<think>\nhm\n</think>\n```\nDone.",
    "Close it with </think> and go on.",
    "What about </think>?",
    "A sentence. The tag <think> opens.\n\nThen more.",
    "analysis of it is fine",
    "analysisX only",
    "[Thinking] Hm, a cat.",
    "think\nabout it",
    "/think about it",
    "[1] and [a link](x)",
    "a < b <b>bold</b> [x] 1 << 2",
    "",
]
SIZES = (1, 2, 3, 5, 7, 1000)


def divided(text, size, habits):
    """What is answer and what is thought of a text that comes in pieces of this size."""
    thinking, said, thought = Thinking(habits), "", ""
    pieces = [piece for at in range(0, len(text), size) for piece in thinking.feed(text[at : at + size])]
    for kind, piece in [*pieces, *thinking.end(cut=False)]:
        if kind is Kind.SAID:
            said += piece
        elif kind is Kind.THOUGHT:
            thought += piece
        else:
            said, thought = "", thought + said
    return said, thought


@pytest.mark.parametrize(("text", "answer"), [*THOUGHTS.items(), *((text, text) for text in ANSWERS)])
def test_an_answer_is_told_from_its_thoughts(text, answer):
    for size, unknown in product(SIZES, [False, True]):  # in one test: a test costs ten times what this does
        said, thought = divided(text, size, Habits(unknown=unknown))
        assert said.strip() == answer, (size, unknown)
        assert text.count("PLAN") == thought.count("PLAN"), (size, unknown)


@pytest.mark.parametrize("size", SIZES)
def test_nothing_of_a_thought_is_said_before_its_closing_tag_alone(size):
    habits = Habits(unknown=True)
    for _ in range(2):  # the second answer is known to begin inside a thought
        thinking, text = Thinking(habits), "PLAN\n</think>\n\nIt is 5."
        pieces = [piece for at in range(0, len(text), size) for piece in thinking.feed(text[at : at + size])]
        assert all(kind is not Kind.TAKEN_BACK for kind, _ in pieces)
        assert "PLAN" not in "".join(piece for kind, piece in pieces if kind is Kind.SAID)
        assert habits == Habits(inside=True)
        thinking.end(cut=False)


def test_only_the_first_answer_of_an_ordinary_model_waits_for_its_end():
    habits = Habits(unknown=True)
    first, second = Thinking(habits), Thinking(habits)
    assert first.feed("It is 5.") == []
    assert first.end(cut=False) == [(Kind.SAID, "It is 5.")]
    second = Thinking(habits)
    assert second.feed("It is 5.") == [(Kind.SAID, "It is 5.")]


def test_a_thought_that_is_cut_off_is_no_answer():
    for text in ("<think>PLAN", "<|channel|>analysis<|message|>PLAN", "Hm.\n<think>\nPLAN"):
        thinking = Thinking(Habits())
        pieces = [*thinking.feed(text), *thinking.end(cut=True)]
        assert "PLAN" not in "".join(piece for kind, piece in pieces if kind is Kind.SAID)


ENDED = {
    "It is 5.<|im_end|>": FIVE,
    "It is 5.<|im_end|>\n<|im_start|>user\nand 3?": FIVE,
    "It is 5.<|eot_id|>": FIVE,
    "It is 5.<end_of_turn>\n": FIVE,
    "It is 5.</s>": FIVE,
    "It is 5.<｜end▁of▁sentence｜>": FIVE,
    "It is 5. [/INST]": FIVE,
    "It is 5.<|endoftext|>Q: what": FIVE,
    "<|im_start|>assistant\nIt is 5.<|im_end|>": FIVE,
    "<|start_header_id|>assistant<|end_header_id|>\n\nIt is 5.": FIVE,
    "<|begin|>It is 5.": FIVE,
    "<|answer|>It is 5.<|im_end|>": FIVE,
    "<|im_end|>It is 5.": "",
    "<|user|>\nand 3?": "",
    "It is 5.\nuser: and 3 + 4?\nassistant: 7": FIVE,
    "It is 5.\nUser: and 3 + 4?\nAssistant: 7": FIVE,
    "It is 5.\n\n### Human: and": FIVE,
    "```\nx\n<|im_end|>": "```\nx",
}
WHOLE = [
    "User: hi\nAssistant: hello\nUser: bye",
    "Here is a dialogue:\n\nUser: hi\nBot: hello\nUser: bye",
    "Settings:\nHost: localhost\nUser: root\nPassword: x",
    "Here is one:\n```\nfoo\nUser: x\n```",
    "The token <|im_end|> ends a turn.",
    "The token `<|im_end|>` ends a turn.",
    "```\n<|im_start|>user\nhi<|im_end|>\n```\nThat is it.",
    "Use <s>old</s> for strike. More.",
    'He said "[INST]" twice',
    "a < b, c[1] <b>x</b> [link](x)\n\nusual things\nhumble",
]


@pytest.mark.parametrize(("text", "answer"), [*ENDED.items(), *((text, text) for text in WHOLE)])
def test_an_answer_ends_where_its_turn_ends(text, answer):
    for size in SIZES:
        turns = Turns()
        said = "".join(turns.feed(text[at : at + size]) for at in range(0, len(text), size)) + turns.end()
        assert said.rstrip() == answer, size


@pytest.mark.parametrize("size", SIZES)
def test_a_stop_string_ends_an_answer_even_if_the_server_ignores_it(size):
    turns, text = Turns(["\n\nQ:", "###"]), "It is 5.\n\nQ: why? ###"
    said = "".join(turns.feed(text[at : at + size]) for at in range(0, len(text), size)) + turns.end()
    assert (said, turns.over) == (FIVE, True)
