"""When a round is due: pure decisions from a played clock."""

import os
import time as system_time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, time, timedelta

import pytest

from alignment.watching.decision import (
    FIRST_WAIT,
    LATE,
    LONGEST_WAIT,
    State,
    Wish,
    decide,
    done_until,
    occurrence,
)

THREE = time(3)
NIGHTLY, FORTY = Wish(at=THREE), Wish(enough=40)


def at(text: str) -> datetime:
    """A local moment."""
    return datetime.fromisoformat(text).astimezone()


def state(now: str = "2026-05-10 12:00", fresh: int = 0, handled: str = "2026-05-09 12:00", **more: object) -> State:
    return State(now=at(now), fresh=fresh, handled=at(handled), **more)  # type: ignore[arg-type]  # the fields of a state


@pytest.fixture
def berlin(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Clocks go from 02:00 to 03:00 on 2026-03-29, and from 03:00 back to 02:00 on 2026-10-25."""
    before = os.environ.get("TZ")
    os.environ["TZ"] = "Europe/Berlin"
    system_time.tzset()
    yield
    os.environ.pop("TZ") if before is None else os.environ.update(TZ=before)
    system_time.tzset()


@pytest.mark.parametrize(("fresh", "due"), [(0, False), (39, False), (40, True), (400, True)])
def test_enough_feedback_makes_a_round_due(fresh: int, due: bool) -> None:
    assert decide(FORTY, state(fresh=fresh)).due is due


@pytest.mark.parametrize(
    ("now", "due"),
    [
        ("2026-05-10 02:59", False),
        ("2026-05-10 03:00", True),
        ("2026-05-10 08:59", True),  # made up for
        ("2026-05-10 09:01", False),  # nobody wants yesterday's night round at work
    ],
)
def test_a_time_of_day_is_due_when_it_comes_and_for_a_while_when_it_was_missed(now: str, due: bool) -> None:
    assert decide(NIGHTLY, state(now, fresh=1)).due is due


def test_a_time_of_day_is_done_with_once_handled_and_comes_again_the_next_day() -> None:
    assert not decide(NIGHTLY, state("2026-05-10 03:10", fresh=5, handled="2026-05-10 03:00")).due
    assert decide(NIGHTLY, state("2026-05-11 03:00", fresh=5, handled="2026-05-10 03:00")).due


def test_nothing_new_means_no_round_and_the_sentence_says_what_is_missing() -> None:
    found = decide(NIGHTLY, state("2026-05-10 03:00"))
    assert (found.due, found.sentence) == (False, "Waits for 03:00 and something new.")
    both = decide(Wish(THREE, 40), state(fresh=12))
    assert both.sentence == "Waits for 40 new ratings or rows (12 so far), or for 03:00."


def test_what_is_waited_for_is_told_again_after_each_tenth_only() -> None:
    kinds = [decide(FORTY, state(fresh=count)).kind for count in (0, 3, 4, 7, 8)]
    assert kinds[0] == kinds[1] != kinds[2] == kinds[3] != kinds[4]


def test_either_of_two_wishes_is_enough() -> None:
    assert decide(Wish(THREE, 40), state(fresh=40)).kind == "enough"
    assert decide(Wish(THREE, 40), state("2026-05-10 03:00", fresh=1)).kind == "at"


def test_an_interrupted_round_goes_on_whatever_is_new() -> None:
    found = decide(FORTY, state(interrupted=3))
    assert (found.due, found.sentence) == (True, "round 3 was interrupted and goes on")


@pytest.mark.parametrize(
    ("failures", "wait"), [(1, FIRST_WAIT), (2, 2 * FIRST_WAIT), (4, 8 * FIRST_WAIT), (60, LONGEST_WAIT)]
)
def test_failures_wait_longer_each_time_and_then_try_again(failures: int, wait: timedelta) -> None:
    failed = at("2026-05-10 12:00")
    known = state(fresh=99, failures=failures, failed_at=failed, interrupted=2)
    assert not decide(FORTY, replace(known, now=failed + wait - timedelta(seconds=1))).due
    assert decide(FORTY, replace(known, now=failed + wait)).kind == "again"


def test_a_clock_that_was_set_back_does_not_block() -> None:
    failed = at("2030-01-01 00:00")
    assert decide(FORTY, state(fresh=99, failures=1, failed_at=failed)).due
    assert decide(Wish(at=time(12)), state("2026-05-10 12:00", fresh=1, handled="2026-05-10 12:05")).due is False


def test_what_a_clock_that_was_far_ahead_handled_counts_as_handled_now() -> None:
    now = at("2026-05-10 03:00")
    assert done_until(at("2030-01-01 00:00"), now) == now
    for handled in ("2026-05-10 03:20", "2026-05-01 00:00"):  # a clock that was set back a little, and the usual case
        assert done_until(at(handled), now) == at(handled)


@pytest.mark.usefixtures("berlin")
def test_each_date_has_one_moment_even_where_clocks_change() -> None:
    half = time(2, 30)
    moments = {occurrence(half, datetime(2026, 3, 29, hour, tzinfo=UTC)) for hour in range(2, 23)}
    assert moments == {datetime(2026, 3, 29, 1, 30, tzinfo=UTC)}  # 02:30 is left out: 03:30 then
    moments = {occurrence(half, datetime(2026, 10, 25, hour, 45, tzinfo=UTC)) for hour in range(23)}
    assert moments == {datetime(2026, 10, 25, 0, 30, tzinfo=UTC)}  # 02:30 comes twice: the first counts


@pytest.mark.usefixtures("berlin")
def test_a_night_with_a_change_has_one_round() -> None:
    for night in (datetime(2026, 3, 28, 12, tzinfo=UTC), datetime(2026, 10, 24, 12, tzinfo=UTC)):
        handled, rounds = night, 0
        for minutes in range(0, 24 * 60, 5):
            now = night + timedelta(minutes=minutes)
            if decide(Wish(at=time(2, 30)), State(now.astimezone(), 1, handled)).due:
                handled, rounds = now, rounds + 1
        assert rounds == 1


def test_a_moment_is_never_later_than_now_nor_older_than_a_day() -> None:
    start = datetime(2026, 1, 1, tzinfo=UTC)
    for hours in range(0, 24 * 366, 7):
        now = start + timedelta(hours=hours)
        found = occurrence(THREE, now)
        assert timedelta() <= now - found < timedelta(hours=26)
    assert timedelta(hours=1) < LATE < timedelta(hours=24)
