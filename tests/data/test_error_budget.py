"""One error budget for all candidates together: it never exceeds 5 %, and it survives."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from data import error_budget
from data.error_budget import BUDGET, FIRST, Asked, name_of, share, stake, won, would_be
from data.errors import BadInput
from data.release_manifest import ReleaseManifest
from data.releases import Releases
from data.rounds import DecidedRound, Decision


def test_the_shares_of_all_candidates_ever_add_up_to_the_budget() -> None:
    shares = [share(number) for number in range(1, 20_000)]
    assert shares[0] == FIRST
    assert shares == sorted(shares, reverse=True)
    assert BUDGET - 0.0003 < sum(shares) < BUDGET


def test_each_candidate_has_its_share_for_good(house: Path) -> None:
    first = stake(house, "a")
    assert (first.number, first.error, first.spent) == (1, FIRST, 0)
    second = stake(house, "b")
    assert (second.number, second.error, second.spent) == (2, share(2), FIRST)
    assert stake(house, "a") == first  # asking again spends nothing more
    assert would_be(house) == would_be(house)
    assert (would_be(house).number, would_be(house).candidate) == (3, "")
    assert second.live + second.held_out == pytest.approx(second.error)


def test_the_share_of_a_promoted_candidate_goes_on_once(house: Path) -> None:
    stake(house, "a")
    won(house, "a")
    won(house, "a")
    second = stake(house, "b")
    assert (second.error, second.spent) == (pytest.approx(FIRST + share(2)), 0)
    third = stake(house, "c")
    assert (third.error, third.spent) == (share(3), pytest.approx(FIRST + share(2)))
    assert stake(house, "a").error == FIRST


@given(st.lists(st.tuples(st.booleans(), st.booleans()), max_size=30))
def test_refused_candidates_never_have_more_than_the_budget_together(history: list[tuple[bool, bool]]) -> None:
    """Whatever is promoted and whenever, at once or after others were asked."""
    asked: list[Asked] = []
    late: list[int] = []
    for promoted, at_once in history:
        error, asked = error_budget._next(asked)
        asked.append(Asked(str(len(asked)), error))
        if promoted:
            late.append(len(asked) - 1)
        if at_once:
            asked = [Asked(e.candidate, e.error, e.promoted or n in late, e.passed) for n, e in enumerate(asked)]
            late = []
        assert sum(each.error for each in asked if not each.promoted) <= BUDGET + 1e-12


def test_an_old_home_counts_the_candidates_that_it_tried(house: Path) -> None:
    releases = Releases(house)
    for number, (status, people) in enumerate([("refused", False), ("promoted", False), ("refused", True)], 1):
        releases.create(lambda _, number=number: ReleaseManifest(base="b", round=number))
        decision = Decision(release=number, champion=0, people=people)
        (folder := house / "rounds" / f"{number:04d}").mkdir(parents=True)
        DecidedRound(number=number, status=status, decision=decision).save(folder / "manifest.json")
    (house / "releases" / "candidate.looks").write_text("20\n40\n")
    found = would_be(house)
    assert found.number == 5  # two rounds that the gate decided, and two looks at a trial
    known = stake(house, name_of(1, 1, 0))
    assert (known.number, known.error) == (1, FIRST)
    new = stake(house, "new")
    assert new.number == 5
    assert new.spent == pytest.approx(FIRST + (share(2) + share(3)) + share(4))
    for path in sorted((house / "rounds").rglob("*"), reverse=True):  # the count survives without the rounds
        path.rmdir() if path.is_dir() else path.unlink()
    assert stake(house, "newer").number == 6


@pytest.mark.parametrize("content", ["{", "[1]", '{"candidate": "a"}', '{"candidate": "a", "error": 1, "more": 2}'])
def test_a_damaged_file_is_said(house: Path, content: str) -> None:
    stake(house, "a")
    (house / "releases" / "asked.jsonl").write_text(content)
    with pytest.raises(BadInput, match=r"asked\.jsonl should hold"):
        stake(house, "b")


def test_a_candidate_is_named_by_its_round_and_its_champion() -> None:
    assert name_of(None, 4, 2) == name_of(9, 4, 2) == "round 4 against 2"
    assert name_of(9, None, 0) == "release 9 against 0"
