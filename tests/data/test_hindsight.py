"""Whether the answer after a complaint mends it, by rules, in English and Chinese."""

import time
from pathlib import Path

import pytest

from data.hindsight import CHECKED, UNCHECKED, mended
from tests.bench.hindsight import open_assistant, ours

LONG = (
    "A black hole is a region of space in which gravity is so strong that nothing, not even light, can leave it. It "
    "forms when a heavy star collapses at the end of its life. The edge is called the event horizon."
)
LONG_ZH = "黑洞是时空中引力极强的区域，任何东西都无法逃脱，连光也不例外。大质量恒星在生命末期坍缩时会形成黑洞。"


def english(said: str, newer: str, answer: str = LONG, question: str = "What is a black hole?") -> float:
    return mended(question, answer, said, newer)


def chinese(said: str, newer: str, answer: str = LONG_ZH, question: str = "什么是黑洞？") -> float:
    return mended(question, answer, said, newer)


def test_what_is_shorter_must_be_shorter() -> None:
    short = "A region of space that nothing can leave."
    assert english("no, shorter", short) == CHECKED
    assert english("too long", short) == CHECKED
    assert english("too long", LONG.replace("heavy ", "")) == 0
    assert english("more details please", short) == 0
    assert english("more details please", LONG, answer=short) == CHECKED
    assert english("That is longer than the original...", short) == CHECKED
    assert chinese("太长了，简短一点", "连光都逃不出的区域。") == CHECKED
    assert chinese("太长了", f"{LONG_ZH}它的边界叫做事件视界。") == 0
    assert chinese("能不能详细一点？", LONG_ZH, answer="一种天体。") == CHECKED


def test_a_language_must_be_the_one_that_was_asked_for_and_the_questions() -> None:
    question, answer = "Wie ist die Hauptstadt von Australien?", "Canberra is the capital of the country."
    german = "Die Hauptstadt ist Canberra, und das ist nicht Sydney."
    assert mended(question, answer, "auf Deutsch bitte", german) == CHECKED
    assert mended(question, answer, "auf Deutsch bitte", "Canberra is the capital, and it is not Sydney.") == 0
    assert mended(question, answer, "auf Deutsch bitte", f"Auf Deutsch: {german}") == 0
    asked = "What is the capital of the country?"  # nobody who asks in English wants German by that
    assert mended(asked, answer, "auf Deutsch bitte", german) == 0
    assert chinese("请用中文回答", LONG_ZH, answer=LONG) == CHECKED
    assert chinese("请用中文回答", LONG_ZH, answer=LONG, question="What is a black hole in space?") == 0


def test_another_language_is_not_an_answer_where_none_was_asked_for() -> None:
    assert english("that's wrong", "Canberra is the capital of the country.", answer="Sydney is the capital.")
    assert english("too long", "A hole.") == CHECKED  # "a" is a word in Portuguese, too
    assert english("that's wrong", "堪培拉是澳大利亚的首都。", answer="Sydney is the capital.") == 0


@pytest.mark.parametrize("said", ["that's wrong", "incorrect", "hmm that doesn't look right", "check again"])
def test_where_there_is_nothing_to_check_a_pair_has_half_the_weight(said: str) -> None:
    assert english(said, "Oxen.", "Oxes.", "What is the plural of ox?") == UNCHECKED
    assert chinese("不对", "堪培拉。", "悉尼。", "澳大利亚的首都是哪里？") == UNCHECKED


@pytest.mark.parametrize(
    "newer",
    [
        "Sorry, it is Oxen.",
        "I apologize for the confusion. It is Oxen.",
        "You're right, it is Oxen.",
        "You are absolutely right! Oxen.",
        "Here is a shorter version: Oxen.",
        "Sure! Oxen.",
        "Okay, oxen.",
        "My previous answer was wrong. Oxen.",
        "Oxen. Thank you for pointing that out.",
        "Let me try again: oxen.",
        "As I said, oxen.",
        "Oxen. I hope this is better.",
        "Oxen. Is that better?",
        "Which ox do you mean?",
        "I'm sorry, but I can't help with that.",
        "oxes",
        "  ",
        "no " * 40,
    ],
)
def test_an_answer_that_speaks_of_the_complaint_refuses_asks_or_says_the_same_does_not_mend(newer: str) -> None:
    assert english("that's wrong", newer, "Oxes.", "What is the plural of ox?") == 0


@pytest.mark.parametrize(
    "newer",
    [
        "抱歉，是堪培拉。",
        "对不起，我说错了，是堪培拉。",
        "您说得对，是堪培拉。",
        "你说的没错，是堪培拉。",
        "好的，堪培拉。",
        "这是更正后的回答：堪培拉。",
        "我之前的回答有误，应该是堪培拉。",
        "谢谢指正！堪培拉。",
        "让我重新回答：堪培拉。",
        "堪培拉。希望这次对了。",
        "您想问什么？",
        "很抱歉，我无法回答这个问题。",
        "悉尼！",
        "悉尼悉尼" * 20,
    ],
)
def test_the_same_in_chinese(newer: str) -> None:
    assert chinese("不对", newer, "悉尼。", "澳大利亚的首都是哪里？") == 0


@pytest.mark.parametrize(
    ("question", "answer", "said", "newer"),
    [
        ("Tell me about Rust.", "An oxide of iron.", "I meant the programming language", "Rust is a language."),
        ("What is the capital of Australia?", "Sydney.", "Nope. It's Canberra.", "Canberra."),
        ("Which year did the war end?", "1946.", "Actually it ended in 1945.", "1945."),
        ("Fix my code.", "print(x)", "that's wrong, I get a TypeError", "print(str(x))"),
        ("What is 17 * 23?", "401.", "check again, 17*23 is 391", "391."),
        ("How do I quit?", "Press q.", "that's wrong: `:q` works", "Type :q."),
        ("苹果怎么样？", "苹果富含维生素。", "我说的是苹果公司", "一家公司。"),
        ("澳大利亚的首都是哪里？", "悉尼。", "错了，是堪培拉", "堪培拉。"),
        ("战争哪一年结束？", "1946年。", "不对，1945年", "1945年。"),
    ],
)
def test_a_complaint_that_tells_more_than_the_question_makes_no_pair(
    question: str, answer: str, said: str, newer: str
) -> None:
    assert mended(question, answer, said, newer) == 0


@pytest.mark.parametrize(
    ("question", "answer", "said", "newer"),
    [
        ("List three rivers.", "The Rhine.", "I said three", "Rhine, Nile, Amazon."),
        ("Recommend a film without violence.", "Fight Club.", "wtf, I told you no violence", "Paddington."),
        ("Write a poem.", "Here is an essay.", "I asked for a poem, not an essay", "Snow on the sill."),
        ("写一首关于雪的诗。", "一篇散文。", "我要的是诗", "窗前一夜雪。"),
    ],
)
def test_a_complaint_may_repeat_what_was_asked(question: str, answer: str, said: str, newer: str) -> None:
    assert mended(question, answer, said, newer) == UNCHECKED


@pytest.mark.parametrize("said", ["thanks", "and then?", "What is a black hole?", "stop", "nope", "one word please"])
def test_only_a_complaint_that_is_likely_one_makes_a_pair(said: str) -> None:
    assert english(said, "A region that nothing can leave.") == 0


@pytest.mark.parametrize("text", ["a" * 50_000, "谢" * 50_000, "no, " * 20_000, '"' * 50_000, "sorry " * 10_000])
def test_long_texts_take_no_time(text: str) -> None:
    began = time.process_time()
    mended(text, text, f"that's wrong {text}", text + "x")
    mended("What is it?", "It is this.", "that's wrong", text[:19_000])
    assert time.process_time() - began < 2


def test_most_pairs_of_the_half_in_view_are_right() -> None:
    talks = ours()
    assert {talk.language for talk in talks} == {"en", "zh", "de"}
    assert 0.3 < sum(talk.better for talk in talks) / len(talks) < 0.7
    pairs = [talk for talk in talks if not talk.aside and talk.share]
    assert sum(talk.better for talk in pairs) / len(pairs) > 0.8


def test_the_folder_of_open_assistant_may_be_wrong(tmp_path: Path) -> None:
    with pytest.raises(Exception, match="name the folder of open-assistant-100"):
        open_assistant(tmp_path)
