"""Win rates as a chart, as words and as a picture."""

import struct
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.release_chart import SHOWN, ComparedRelease, chart, compared, figures, in_words, picture
from bot.texts import EN, ZH
from data.gate_verdicts import Interval
from tests.bot.judged import release

SHARES = st.lists(st.floats(0, 1), min_size=3, max_size=3).map(sorted)
LEARNT = st.builds(
    lambda number, shares, served: ComparedRelease(number, Interval(shares[1], shares[0], shares[2]), served),
    st.integers(1, 9999),
    SHARES,
    st.booleans(),
)


def test_a_chart_shows_where_the_win_rates_lie() -> None:
    found = [ComparedRelease(1, Interval(0.62, 0.52, 0.7), True), ComparedRelease(12, Interval(0.25, 0, 0.45), False)]
    assert chart(found).splitlines() == [
        "   1           ━━●━━       62% (52%–70%)",
        "  12 ━━━━━○━━━━┊           25% (0%–45%)",
    ]
    assert figures(None) == "–"


@given(st.lists(LEARNT, min_size=1, max_size=SHOWN))
def test_every_line_has_its_mark_within_its_interval_and_all_fit_into_a_message(found: list[ComparedRelease]) -> None:
    lines = chart(found).splitlines()
    assert len(lines) == len(found)
    assert len(chart(found)) < 1000
    for line, each in zip(lines, found, strict=True):
        bar = line[5:26]
        (mark,) = [at for at, cell in enumerate(bar) if cell in "●○"]
        assert (bar[mark] == "●") is each.served
        assert mark == round(20 * each.win.mean)
        drawn = [at for at, cell in enumerate(bar) if cell in "●○━"]
        assert drawn == list(range(drawn[0], drawn[-1] + 1))
        assert line[5 + 10] in "┊━●○"
    for words in (EN, ZH):
        assert len(in_words(found, words)) <= 1024  # Discord's limit for the description of a picture


def test_only_releases_that_were_compared_are_shown_and_the_newest_of_them(tmp_path: Path) -> None:
    made = [release(tmp_path), release(tmp_path, promote=False)]
    made += [release(tmp_path, promote=True, win=(0.6, 0.5, 0.7)) for _ in range(SHOWN + 1)]
    found = compared(made, {5})
    assert [each.release for each in found] == list(range(4, SHOWN + 4))
    assert [each.release for each in found if each.served] == [5]


@pytest.mark.tiny
def test_a_picture_is_drawn_where_matplotlib_is(monkeypatch: pytest.MonkeyPatch) -> None:
    found = [ComparedRelease(1, Interval(0.62, 0.52, 0.7), True), ComparedRelease(2, Interval(0.5, 0.5, 0.5), False)]
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)  # it keeps every figure and is not made for threads
    drawn = picture(found)
    assert drawn is not None
    assert drawn.startswith(b"\x89PNG\r\n\x1a\n")
    width, height = struct.unpack(">II", drawn[16:24])
    assert min(width, height) > 200
    assert picture(found[:1]) != drawn
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    assert picture(found) is None
