"""What a person kept of an answer."""

import hypothesis.strategies as some
from hypothesis import given

from alignment.rows.edits import SHORTEST_KEPT, kept_tokens

_END = 99


def test_the_passages_that_both_have_are_kept_and_the_word_between_is_changed() -> None:
    before, after = [1, 2, 3, 4, 5], [6, 7, 8, 9, _END]
    mine, theirs = kept_tokens([*before, 50, 51, *after], [*before, 60, *after])
    assert mine == [True] * 5 + [False] * 2 + [True] * 5
    assert theirs == [True] * 5 + [False] + [True] * 5


def test_an_answer_that_was_cut_has_a_changed_end() -> None:
    mine, theirs = kept_tokens([1, 2, 3, 4, _END], [1, 2, 3, 4, 5, 6, 7, _END])
    assert mine == [True] * 4 + [False]
    assert theirs == [True] * 4 + [False] * 4


def test_a_few_tokens_in_common_are_a_coincidence() -> None:
    short = list(range(SHORTEST_KEPT - 1))
    assert kept_tokens([*short, 20, _END], [30, *short, 40, 41, _END]) == ([False] * 5, [False] * 7)


@given(some.lists(some.integers(0, 3), max_size=30), some.lists(some.integers(0, 3), max_size=30))
def test_both_keep_the_same_tokens(one: list[int], other: list[int]) -> None:
    mine, theirs = kept_tokens(one, other)
    assert [token for token, kept in zip(one, mine, strict=True) if kept] == [
        token for token, kept in zip(other, theirs, strict=True) if kept
    ]
