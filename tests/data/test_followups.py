"""What the next message of a person says about the answer before it."""

import time
from pathlib import Path

import pytest

from data.followups import AGAIN, COMPLAINT, CONTINUED, GOOD, KINDS, STOP, THANKS, signals
from tests.bench.followups import Exchange, measured, open_assistant, ours


def kind(said: str, answer: str = "An answer.", question: str = "What is a black hole?") -> str:
    return signals(question, answer, said)[0].kind


@pytest.mark.parametrize(
    "said", ["thanks!", "Great, thank you", "that worked", "谢谢", "明白了", "Danke!", "not bad at all"]
)
def test_thanks(said: str) -> None:
    assert kind(said) == THANKS


@pytest.mark.parametrize(
    "said",
    [
        "no, shorter",
        "that's wrong",
        "auf Deutsch bitte",
        "不对",
        "that's not right",
        "thanks, but it still crashes",
        "谢谢，但是运行不了",
        "Oh great, another wrong answer. Thanks a lot.",
        "thanks for nothing",
        "太长了",
        "你搞错了",
    ],
)
def test_complaints_also_polite_and_sarcastic_ones(said: str) -> None:
    assert kind(said) == COMPLAINT


@pytest.mark.parametrize(
    "said",
    [
        "no, I meant my brother",
        "He opens the wrong door",
        "Thanks but what if she does not read?",
        'How do I answer "that is wrong, do it again"?',
        "> that's wrong\nwhy did he write this?",
        "Is that wrong?",
        "what does `raise ValueError('wrong')` do",
        "```\n# that's wrong\n```",
        "no problem",
        "I was wrong then. And the next one?",
        "这样不对吗？",
        "他说“不对”，我怎么回？",
        "没错，继续",
        "他走错了门",
    ],
)
def test_what_only_looks_like_a_complaint_or_thanks(said: str) -> None:
    assert kind(said) != COMPLAINT
    assert kind(said) in (CONTINUED, THANKS)


@pytest.mark.parametrize("said", ["no", "shorter please", "No, the blue one", "不是，蓝的", "太长了"])
def test_an_answer_to_a_question_of_the_bot_is_no_complaint(said: str) -> None:
    assert kind(said, "Shall it be shorter, or blue?") == CONTINUED


def test_a_clear_complaint_counts_after_a_question_of_the_bot_too() -> None:
    assert kind("that's wrong", "It is Sydney. Shall I go on?") == COMPLAINT


@pytest.mark.parametrize(
    ("said", "same"),
    [
        ("what's a black hole", True),
        ("I asked: what is a black hole??", True),
        ("What is a white hole?", False),
        ("What is a black hole made of?", False),
        ("what", False),
    ],
)
def test_the_same_question_again(said: str, same: bool) -> None:
    assert (kind(said) == AGAIN) is same


def test_the_same_question_again_in_chinese() -> None:
    assert kind("请问黑洞到底是什么呢？", question="黑洞是什么？") == AGAIN
    assert kind("白洞是什么？", question="黑洞是什么？") == CONTINUED


@pytest.mark.parametrize(
    ("question", "answer", "said", "kind"),
    [
        ("Give me a pancake recipe.", "Pancakes are eaten everywhere.", "where's the recipe?", COMPLAINT),
        ("Give me a pancake recipe.", "The recipe: flour, milk, eggs.", "where's the recipe?", CONTINUED),
        ("What are pancakes?", "Cakes from a pan.", "where's the recipe?", CONTINUED),
        ("When does the zoo open, and what is the price?", "At nine.", "and the price?", COMPLAINT),
        ("When does the zoo open?", "At nine.", "and the price?", CONTINUED),
        ("给我一个煎饼的做法。", "煎饼很好吃。", "做法呢？", COMPLAINT),
        ("法国的首都是哪里？", "巴黎。", "西班牙呢？", CONTINUED),
    ],
)
def test_asking_where_a_part_is_complains_if_it_was_asked_for(
    question: str, answer: str, said: str, kind: str
) -> None:
    assert signals(question, answer, said)[0].kind == kind


@pytest.mark.parametrize(("said", "stops"), [("stop!!", True), ("停", True), ("How do I stop a process?", False)])
def test_a_stop_is_one_only_as_a_whole_message(said: str, stops: bool) -> None:
    assert (kind(said) == STOP) is stops


@pytest.mark.parametrize(
    ("said", "spans"),
    [
        ("Hello. That's wrong!", ["That's wrong"]),
        ('He wrote "no". That is wrong.', ["That is wrong"]),
        ("谢谢，但是运行不了", ["运行不了", "谢谢"]),
        ("  thanks  ", ["thanks"]),
    ],
)
def test_a_signal_names_the_characters_that_say_it(said: str, spans: list[str]) -> None:
    assert [said[each.start : each.end].strip(" ，") for each in signals("q", "a", said)] == spans


def test_thanks_beside_a_complaint_are_worth_little() -> None:
    complaint, thanks = signals("q", "a", "Thanks, but it still crashes")
    assert (complaint.kind, thanks.kind) == (COMPLAINT, THANKS)
    assert thanks.certainty < complaint.certainty


@pytest.mark.parametrize("said", ["", "   ", "🙂", "\u200b", "…", "```", '"', "a" * 9000])
def test_odd_messages_only_go_on(said: str) -> None:
    (found,) = signals("q", "a", said)
    assert found.kind == CONTINUED
    assert 0 <= found.start <= found.end <= len(said)


@pytest.mark.parametrize(
    "said", ['"' * 50_000, "“" * 50_000, "no, " * 20_000, "stop " * 20_000, "```" * 20_000, "谢" * 50_000]
)
def test_a_long_message_takes_no_time(said: str) -> None:
    began = time.process_time()
    signals(said, said, said + "x")
    assert time.process_time() - began < 0.5


def test_the_half_in_view_is_named_rightly() -> None:
    exchanges = ours()
    assert len({each.reply for each in exchanges}) > 200
    first = [each for each in exchanges if not (each.later or each.fresh)]
    assert 0.4 < sum(each.aside for each in first) / len(first) < 0.6
    for found in measured([each for each in exchanges if not each.aside]).values():
        assert min(found.precision, found.recall) > 0.9


def test_a_missing_part_is_named_rightly() -> None:
    fresh = [each for each in ours() if each.fresh]
    assert {each.kind for each in fresh} == {COMPLAINT, CONTINUED}
    found = measured(fresh)[COMPLAINT]
    assert found.precision > 0.9
    assert found.recall > 0.4


def test_a_measure_counts_what_is_wrong() -> None:
    found = measured([Exchange("q", "a", "thanks", THANKS), Exchange("q", "a", "thanks", COMPLAINT)])
    assert (found[THANKS].precision, found[THANKS].recall, found[COMPLAINT].recall) == (0.5, 1, 0)


def test_the_folder_of_open_assistant_may_be_wrong(tmp_path: Path) -> None:
    with pytest.raises(Exception, match="name the folder of open-assistant-100"):
        open_assistant(tmp_path)


def test_every_kind_says_good_or_bad() -> None:
    assert set(GOOD) == set(KINDS)
