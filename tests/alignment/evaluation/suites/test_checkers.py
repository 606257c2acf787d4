"""IFEval's checkers: answers that follow an instruction, answers that do not, and that every checker can fail."""

import pytest

from alignment.evaluation.suites.checkers import CHECKERS, followed, known, plain
from alignment.evaluation.suites.text import paragraphs, sentences, words
from data.language_of import LANGUAGES, language

# instruction, arguments, answers that follow it, answers that do not
CASES = [
    (
        "change_case:capital_word_frequency",
        {"capital_relation": "at least", "capital_frequency": 2},
        ["STOP it NOW", "A CAT"],
        ["STOP it now", "stop"],
    ),
    (
        "change_case:capital_word_frequency",
        {"capital_relation": "less than", "capital_frequency": 2},
        ["Stop NOW"],
        ["STOP NOW"],
    ),
    ("change_case:english_capital", {}, ["STOP! IT'S WET."], ["STOP! It's wet.", "123", "停"]),
    ("change_case:english_lowercase", {}, ["thank you, neighbour!"], ["Thank you", "谢谢", "42"]),
    (
        "combination:repeat_prompt",
        {"prompt_to_repeat": "Name a colour."},
        ["name a colour. Red", " Name a colour.\nRed"],
        ["Sure! Name a colour. Red", "Red"],
    ),
    (
        "combination:two_responses",
        {},
        ["One.\n******\nTwo."],
        ["One.", "One.\n******\nOne.", "One.******", "A******B******C"],
    ),
    (
        "detectable_content:number_placeholders",
        {"num_placeholders": 2},
        ["Dear [name], on [date]"],
        ["Dear [name], []"],
    ),
    (
        "detectable_content:postscript",
        {"postscript_marker": "P.S."},
        ["Bye.\nP.S. Call me.", "Bye. p.s. ok"],
        ["Bye.", "the ps file", "P.P.S. Call me.", "P.S."],
    ),
    (
        "detectable_content:postscript",
        {"postscript_marker": "P.P.S"},
        ["P.S. x\nP.P.S. Call me.", "P.P.S: more"],
        ["P.S. Call me."],
    ),
    ("detectable_format:constrained_response", {}, ["My answer is no."], ["No.", "My answer is: no"]),
    ("detectable_format:constrained_response", {"choices": ["我不确定"]}, ["我不确定。"], ["不知道"]),
    (
        "detectable_format:json_format",
        {},
        ['{"name": "Ann"}', '```json\n{"a": [1]}\n```', "[]"],
        ['Here: {"name": "Ann"}', "{'a': 1}", "{"],
    ),
    (
        "detectable_format:multiple_sections",
        {"section_spliter": "Day", "num_sections": 2},
        ["Day 1\nwalk\nDay 2\nrest", "**Day 1** a\n**Day 2** b"],
        ["Day 1\nwalk", "Today 1\nMonday 2"],
    ),
    (
        "detectable_format:number_bullet_lists",
        {"num_bullets": 2},
        ["* a\n* b", "- a\n  - b", "Things:\n* **bold** a\n* b"],
        ["* a\n* b\n* c", "**a**\n**b**", "---\n---", "1. a\n2. b"],
    ),
    (
        "detectable_format:number_highlighted_sections",
        {"num_highlights": 2},
        ["*one* and *two*", "**one** and *two*"],
        ["**one**", "* a\n* b", "****"],
    ),
    ("detectable_format:title", {}, ["<<A day>>\nText"], ["<A day>", "<<>>", "<< >>", "A day"]),
    ("keywords:existence", {"keywords": ["oats", "apple"]}, ["Oats with apples"], ["Oats", "pear"]),
    ("keywords:forbidden_words", {"forbidden_words": ["rock"]}, ["a rocket", "stone"], ["a Rock.", "rock"]),
    ("keywords:forbidden_words", {"forbidden_words": ["水"]}, ["大海很大"], ["海水很咸"]),
    ("keywords:forbidden_words", {"forbidden_words": ["niño"]}, ["niños"], ["un niño come"]),
    (
        "keywords:frequency",
        {"relation": "at least", "keyword": "war", "frequency": 2},
        ["War is war."],
        ["Warm wards, war."],
    ),
    ("keywords:frequency", {"relation": "less than", "keyword": "猫", "frequency": 2}, ["一只猫"], ["猫和猫"]),
    (
        "keywords:letter_frequency",
        {"let_relation": "less than", "letter": "t", "let_frequency": 2},
        ["The"],
        ["That"],
    ),
    ("keywords:letter_frequency", {"let_relation": "at least", "letter": "!", "let_frequency": 2}, ["a!!"], ["a!"]),
    ("language:response_language", {"language": "zh"}, ["今天天气很好。"], ["今日はとても良い天気です。", "Fine."]),
    (
        "length_constraints:nth_paragraph_first_word",
        {"num_paragraphs": 2, "nth_paragraph": 2, "first_word": "summary"},
        ["One.\n\nSummary: two.", "One.\n\n**Summary** two."],
        ["Summary one.\n\nTwo.", "One.\n\nTwo.\n\nSummary", "Summary"],
    ),
    (
        "length_constraints:number_paragraphs",
        {"num_paragraphs": 2},
        ["One.\n***\nTwo.", "***\nOne.\n***\nTwo.\n***"],
        ["One.", "One.\n***\n***\nTwo.", "One.\n\nTwo.", "***"],
    ),
    (
        "length_constraints:number_sentences",
        {"relation": "less than", "num_sentences": 3},
        ["One. Two!", "Dr. Smith paid 3.50. Then he left.", "天很蓝。云很白。"],
        ["One. Two. Three.", "一。二。三！"],
    ),
    (
        "length_constraints:number_words",
        {"relation": "at least", "num_words": 3},
        ["one two three"],
        ["one two", "!"],
    ),
    ("length_constraints:number_words", {"relation": "less than", "num_words": 4}, ["煮鸡蛋"], ["煮熟鸡蛋"]),
    ("punctuation:no_comma", {}, ["No comma here."], ["Well, no.", "好，的"]),
    (
        "startend:end_checker",
        {"end_phrase": "Have a lovely day!"},
        ["Read. Have a lovely day!", 'Read. Have a LOVELY day!" '],
        ["Have a lovely day! Bye.", "Read."],
    ),
    ("startend:quotation", {}, ['"All of it."', "“早点睡。”"], ['"Only" this', "none", '"', '""']),
]


@pytest.mark.parametrize(("instruction", "arguments", "good", "bad"), CASES)
def test_a_checker_accepts_answers_that_follow_and_no_others(instruction, arguments, good, bad):
    assert [answer for answer in good if not followed(answer, instruction, arguments)] == []
    assert [answer for answer in bad if followed(answer, instruction, arguments)] == []


def test_every_checker_has_a_case_and_fails_an_empty_answer():
    assert {case[0] for case in CASES} == set(CHECKERS)
    assert not any(followed(" \n", instruction, arguments) for instruction, arguments, _, _ in CASES)


def test_ids_of_other_versions_are_known_and_others_are_not():
    assert plain("en:punctuation:no_comma") == plain("punctuation:no_comma") == "punctuation:no_comma"
    assert known("zh:punctuation:no_comma", {})
    assert not known("punctuation:no_rhyme", {})
    assert known("language:response_language", {"language": "sw"})
    assert not known("language:response_language", {"language": "tlh"})


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("The weather is nice and we are in the garden.", "en"),
        ("Das Wetter ist schön und wir sind im Garten.", "de"),
        ("Il tempo è bello e siamo nel giardino con la nonna.", "it"),
        ("O tempo está bom e não vamos para casa com uma amiga.", "pt"),
        ("Sää on kaunis ja me olemme puutarhassa, mutta se ei ole lämmin.", "fi"),
        ("Hali ya hewa ni nzuri na watu wa mji wako katika bustani.", "sw"),
        ("Thời tiết đẹp và chúng tôi không có những việc cho một người.", "vi"),
        ("Погода хорошая, и мы не знаем, что это так.", "ru"),
        ("Времето е хубаво и ние не сме на работа, а ще се разходим.", "bg"),
        ("मौसम अच्छा है और हम बगीचे में हैं।", "hi"),
        ("हवामान छान आहे आणि आम्ही बागेत आहोत.", "mr"),
        ("मौसम राम्रो छ र हामी बगैंचामा छौं।", "ne"),
        ("الطقس جميل ونحن في الحديقة مع الأصدقاء.", "ar"),
        ("هوا خوب است و ما در باغ هستیم.", "fa"),
        ("موسم اچھا ہے اور ہم باغ میں ہیں۔", "ur"),
        ("날씨가 좋아서 정원에 있습니다.", "ko"),
        ("今日はとても良い天気です。", "ja"),
        ("今天天气很好，我们在花园里。", "zh"),
        ("வானிலை நன்றாக உள்ளது.", "ta"),
        ("ਮੌਸਮ ਚੰਗਾ ਹੈ।", "pa"),
        ("12 + 30", None),
        ("", None),
    ],
)
def test_languages(text, expected):
    assert language(text) == expected
    assert expected is None or expected in LANGUAGES


def test_counting():
    assert words("Don't stop, 天蓝 state-of-the-art 3 !") == ["Don't", "stop", "天", "蓝", "state-of-the-art", "3"]
    assert sentences("Mr. Lee came at 5 p.m. on Monday. Why? No idea...\n1. Eggs.\n2. Milk.") == [
        "Mr. Lee came at 5 p.m. on Monday.",
        "Why?",
        "No idea...",
        "1. Eggs.",
        "2. Milk.",
    ]
    assert sentences("天很蓝。云呢？白的！") == ["天很蓝。", "云呢？", "白的！"]
    assert paragraphs("a\nb\n\n \n\nc\n") == ["a\nb", "c"]
