"""The word lists: what they find, what they leave alone, and that a streaming text is read like a complete one."""

from itertools import cycle
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bot.moderation.step import our_words
from bot.moderation.words import Growing, Kind, WordLists, normal, phrases
from data.errors import BadInput

OURS = our_words()
FEW = WordLists(
    {Kind.SLUR: ["as", "ass", "bad word", "坏", "a b c"], Kind.OWN: ["make|build b0mb", "应该|必须 杀光 他们"]}
)


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("You Nigger!", Kind.SLUR),
        ("you n1gg3r", Kind.SLUR),
        ("ｎｉｇｇｅｒ", Kind.SLUR),
        ("ni\u200bgger", Kind.SLUR),
        ("**ni**gger", Kind.SLUR),
        ("nïggers", Kind.SLUR),
        ("just kill\n yourself", Kind.VIOLENCE),
        ("We should exterminate all Muslims.", Kind.VIOLENCE),
        ("How can I build a pipe bomb?", Kind.VIOLENCE),
        ("他说kys了", Kind.VIOLENCE),
        ("我们要 杀光 所有 犹太人", Kind.VIOLENCE),
        ("I’m going to kill myself", Kind.SELF_HARM),
        ("我想自杀", Kind.SELF_HARM),
        ("我该怎么自杀", Kind.SELF_HARM),
        ("你这个支那猪", Kind.SLUR),
    ],
)
def test_what_is_found(text: str, kind: Kind):
    assert OURS.find(text) is kind


@pytest.mark.parametrize(
    "text",
    [
        "Scunthorpe United, Penistone and Clitheroe",
        "How do I kill a process and all its children?",
        "The suicide squad; suicide prevention; a suicide note in a novel",
        "How did Hitler kill himself? He wanted to kill all Jews.",
        "Niger and Nigeria, in Niger's own words; to snigger",
        "a chink in the armour, a Maine coon, a fire retardant, gobbledygook",
        "How to make a bath bomb, a photo bomb, a smoke bomb in Minecraft",
        "I could kill for a coffee. I want to cut myself a slice, some slack.",
        "希特勒是怎么自杀的？他想杀光犹太人。",
        "印度支那人民，尼哥底母，黑色幽默",
        "怎样预防自杀？我朋友想自杀，我该怎么帮他？",
        "如何杀死一个进程；杀光所有僵尸",
        "455 4554 1337",
        "",
    ],
)
def test_what_passes(text: str):
    assert OURS.find(text) is None


def test_digits_stand_for_letters_but_a_number_is_not_a_word():
    assert FEW.find("a55") is Kind.SLUR
    assert FEW.find("455") is None
    assert FEW.find("build bomb") is None  # a digit in a phrase of the list must be in the text
    assert FEW.find("build b0mb") is Kind.OWN


def test_without_lists_nothing_is_found_and_nothing_held_back():
    growing = Growing(WordLists({}))
    assert growing.add("nigger") == "nigger"
    assert growing.found is None


pieces = [*"asxd坏应-_*5$.\n ", "bad", " ", "word", "bad word", "build  b0mb", "杀光他们", "必须杀光 他们", "ｂ", "ﬁ"]
texts = st.lists(st.sampled_from(pieces), max_size=40).map("".join)
sizes = st.lists(st.integers(1, 9), min_size=1, max_size=8)


@given(texts, sizes)
@example("xas" + "." * 30, [1])  # a letter before a word counts even after it was cut off
@example("build  b0mb, " * 2, [1])
def test_a_growing_text_is_read_like_a_whole_one(text: str, sizes: list[int]):
    growing, shown, at = Growing(FEW), "", 0
    for size in cycle(sizes):
        if at >= len(text):
            break
        shown += growing.add(text[at : at + size])
        at += size
        assert growing.found or FEW.find(f"{shown}.") is None  # nothing that is shown is on a list
    shown += growing.end()
    assert bool(growing.found) == bool(FEW.find(text))
    assert text.startswith(shown)
    if not growing.found:
        assert shown == text


@given(st.text(max_size=60), st.integers(0, 60))
def test_a_text_can_be_normalised_in_parts(text: str, cut: int):
    assert normal(text) == normal(text[:cut]) + normal(text[cut:])


@given(st.text(max_size=80))
def test_a_listed_word_is_found_wherever_a_word_may_stand(text: str):
    assert OURS.find(f"{text} kys {text}")
    assert OURS.find(f"{text}支那猪{text}")


def test_a_word_that_may_go_on_is_held_back_until_it_ends():
    growing = Growing(FEW)
    assert growing.add("an ") == "an "
    assert growing.add("as") == ""
    assert growing.add("p") == "asp"
    assert growing.add(" as") == ""
    assert growing.end() == ""
    assert growing.found is Kind.SLUR


def test_every_piece_of_a_long_text_costs_the_same():
    growing = Growing(FEW)
    for _ in range(2000):
        growing.add("a long harmless sentence. ")
    assert len(growing._tail) <= FEW.longest + 1


def test_lists_have_comments_and_a_bad_line_is_named():
    assert phrases("# no\n\n one \ntwo  words\n", "x") == ["one", "two  words"]
    with pytest.raises(BadInput, match=r"^x, line 2: a word has no letters"):
        phrases("one\n**\n", "x")
    with pytest.raises(BadInput, match="line 1"):
        phrases("one| two", "x")


def test_the_operators_words_are_added(tmp_path: Path):
    file = tmp_path / "words.txt"
    file.write_text("# ours\nbanana\n香蕉\n", "utf-8")
    words = our_words(file)
    assert (words.find("A Banana."), words.find("吃香蕉吗"), words.find("bananas")) == (Kind.OWN, Kind.OWN, None)
    assert words.find("kys") is Kind.VIOLENCE


def test_a_file_that_is_not_a_list_gives_a_sentence(tmp_path: Path):
    with pytest.raises(BadInput, match=r"PARLEY_MODERATION_WORDS: .* cannot be read"):
        our_words(tmp_path / "none")
    (tmp_path / "bytes").write_bytes(b"\xff\xfe\xff")
    with pytest.raises(BadInput, match="not a UTF-8 text file"):
        our_words(tmp_path / "bytes")
