"""Lines are broken between words, whatever pieces the text comes in."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from bot.terminal.wrapping import Wrapper

TEXTS = st.text(alphabet="ab cd\n，。你好 (x)!\t👍", max_size=120)


def wrapped(pieces: list[str], width: int) -> str:
    wrapper = Wrapper(lambda: width)
    return "".join([*map(wrapper.add, pieces), wrapper.flush()])


@pytest.mark.parametrize(
    ("text", "width", "lines"),
    [
        ("one two three", 8, ["one two", "three"]),
        ("one two", 7, ["one two"]),
        ("abcdefghij k", 4, ["abcd", "efgh", "ij k"]),
        ("see abcdefghij", 4, ["see", "abcd", "efgh", "ij"]),
        ("你好世界", 5, ["你好", "世界"]),
        ("你好，世界", 5, ["你", "好，", "世界"]),  # no line begins with a comma
        ("  - an item", 8, ["  - an", "item"]),
        ("a\n\nb", 9, ["a", "", "b"]),
    ],
)
def test_lines_end_between_words(text: str, width: int, lines: list[str]) -> None:
    assert wrapped([text], width).split("\n") == lines


@given(TEXTS, st.lists(st.integers(0, 120), max_size=8), st.integers(4, 30))
def test_pieces_do_not_matter_and_nothing_is_lost(text: str, cuts: list[int], width: int) -> None:
    places = [0, *sorted(cut for cut in cuts if cut < len(text)), len(text)]
    pieces = [text[begin:end] for begin, end in itertools.pairwise(places)]
    whole = wrapped([text], width)
    assert wrapped(pieces, width) == whole
    assert "".join(whole.split()) == "".join(text.split())


@given(st.lists(st.text("abc", min_size=1, max_size=6), max_size=30), st.integers(6, 20))
def test_no_word_that_fits_is_broken_and_no_line_is_too_long(words: list[str], width: int) -> None:
    lines = wrapped([" ".join(words)], width).split("\n")
    assert [word for line in lines for word in line.split()] == words
    assert all(cell_len(line) <= width for line in lines)


def test_the_word_that_grows_is_known_before_it_ends() -> None:
    wrapper = Wrapper(lambda: 8)
    assert wrapper.add("one two thr") == "one two"
    assert wrapper.rest() == "\nthr"
    assert wrapper.add("ee ") == "\nthree"
