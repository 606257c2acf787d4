"""Rows whose weights follow from the release that gave their answers."""

import pytest

from alignment.rounds.row_lists import OLDER, Joined, fresh_more_often
from data.rows import Row


def rows(*releases: int | None) -> list[Row]:
    return [
        Row("preference", {}, {"weight": 0.8, **({} if number is None else {"release": number})})
        for number in releases
    ]


def weights(found: object) -> list[float]:
    return [row.extra["weight"] for row in found]  # type: ignore[attr-defined]  # rows


def test_older_answers_are_drawn_less_often_and_as_many_rows_as_before() -> None:
    found = rows(0, 1, 2, None)
    aged = fresh_more_often(found, 1)
    older, *others = weights(aged)
    assert others == [others[0]] * 3  # a newer release's, and imported rows
    assert older == pytest.approx(OLDER * others[0], rel=1e-3)
    assert sum(weights(aged)) == pytest.approx(4 * 0.8, rel=1e-3)
    assert len(aged) == 4
    assert aged[0] == next(iter(aged)) == aged[:2][0]
    assert weights(found) == [0.8] * 4


def test_without_an_answer_of_the_champion_all_rows_weigh_what_they_did() -> None:
    assert weights(fresh_more_often(rows(0, 1, None), 2)) == [0.8] * 3
    assert weights(fresh_more_often(rows(0, 0), 0)) == [0.8] * 2
    assert fresh_more_often([], 1) == []


def test_joined_rows_are_one_list() -> None:
    first, more = rows(0, 1), rows(2)
    found = Joined(first, more)
    assert list(found) == [*first, *more]
    assert found[2] == found[-1] == more[0]
    assert found[1:] == [first[1], more[0]]
