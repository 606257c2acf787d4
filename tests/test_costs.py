"""The report of `tests.bench.costs`: its lines, its pictures, and the document that shows them."""

import re
from pathlib import Path

import pytest
from rich.console import Console

from tests.bench import costs_report
from tests.bench.costs import CURVES

ROOT = Path(__file__).parents[1]


def curve(name: str) -> dict:
    """Made-up runs, three of each setting, one of them disturbed."""
    runs = []
    for noise in (0.0, 0.0, 50.0):
        for at in (1, 2, 4):
            trained = {"seconds": 3.0 + 2.0 * at + noise, "memory": at * 2**30, "loss": 0.6}
            served = {"alone": 30.0, "together": 30.0 - noise / 10, "memory": at * 2**29}
            sizes = {"rows": 8 if name == "history" else at, "prompt_tokens": 100.0 * at}
            figures = served if name == "adapters" else trained | sizes
            ways = ("trl", "parley") if name == "history" else ("parley",)
            runs += [{"at": at, "way": way, **figures} for way in ways]
    return {"command": "python -m tests.bench.costs", "machine": "2 cores", "base": "a-base", "runs": runs}


def test_a_straight_line_is_found_and_a_bent_one_is_not_called_straight():
    line = costs_report.fit([1, 2, 4], [5, 7, 11])
    assert (line.slope, line.intercept, line.r2) == pytest.approx((2, 3, 1))
    assert costs_report.fit([1, 2, 3, 4], [1, 4, 9, 16]).r2 < 0.99
    assert costs_report.fit([1, 2], [5, 7]) is None


def test_medians_leave_a_disturbed_run_out():
    assert costs_report.medians(curve("rows"))["seconds"] == [5, 7, 11]


@pytest.mark.tiny
@pytest.mark.parametrize("name", CURVES)
def test_each_curve_has_a_table_its_command_and_a_small_picture(name, tmp_path):
    console = Console(width=160, record=True)
    costs_report.show(console, name, curve(name))
    text = console.export_text()
    assert "2 cores; medians of 3" in text
    assert "Again: python -m tests.bench.costs" in text
    costs_report.plot(name, curve(name), tmp_path / "costs.png")
    picture = (tmp_path / "costs.png").read_bytes()
    assert picture.startswith(b"\x89PNG")
    assert len(picture) < 150 * 1024


def test_the_document_shows_the_picture_of_each_curve():
    shown = re.findall(r"!\[.+?\]\((.+?)\)", (ROOT / "docs" / "costs.md").read_text(encoding="utf-8"))
    assert shown == [*(costs_report.picture(name) for name in CURVES), "store-size.png"]  # tests.bench.store
