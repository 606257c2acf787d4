"""The board: what answers, the timeline with the gate's verdicts, the trial, and what must not be seen there."""

import json

import pytest
from markupsafe import escape

from bot.texts import EN
from data.releases import Releases
from tests.bot.judged import release
from tests.bot.web.world import World

pytestmark = pytest.mark.played


def rounds(page: World) -> None:
    """Two decided rounds: the first was refused, the second became the champion."""
    home = page.site.settings.home
    release(home, promote=False, win=(0.45, 0.3, 0.6))
    release(home, promote=True, win=(0.62, 0.52, 0.7))
    for number, status in enumerate(("refused", "promoted", "running"), 1):
        folder = home / "rounds" / f"{number:04d}"
        folder.mkdir(parents=True)
        decision = {"release": number, "champion": 0, "promote": status == "promoted", "reasons": ["<b>why</b>"]}
        manifest = {"number": number, "status": status, "decision": decision, "ended_at": "2026-11-30T10:00:00+00:00"}
        (folder / "manifest.json").write_text(json.dumps(manifest))


async def test_an_empty_home_says_so(page: World):
    shown = (await (await page.member()).get("/board")).text
    assert "The base model answers" in shown
    assert EN.web_no_rounds in shown
    assert EN.stats_no_trial in shown


async def test_the_rounds_are_told_newest_first_with_verdicts_and_win_rates(page: World):
    rounds(page)
    Releases(page.site.settings.home).promote(2)
    shown = (await (await page.member()).get("/board")).text
    assert "Release 2 answers" in shown
    assert shown.index("Round 2") < shown.index("Round 1")
    assert "Round 3" not in shown  # it is not decided
    assert "62% (52%–70%)" in shown
    assert 'x="52.0" width="18.0"' in shown
    assert EN.web_serves in shown
    assert "<b>why</b>" not in shown


async def test_the_release_on_trial_is_named_and_its_bar_waits_for_enough_people(page: World):
    rounds(page)
    Releases(page.site.settings.home).put_on_trial(2)
    shown = (await (await page.member()).get("/board")).text
    assert "elease 2 is on trial" in shown
    assert EN.web_trial_bar not in shown  # with so few people it would show how each of them voted


async def test_few_people_are_counted_together(page: World):
    browser = await page.member(agrees=True)
    await browser.ask("hello")
    await browser.post("/answers/1/vote", value="up")
    for path in ("/board", "/teach"):
        told = (await browser.get(path)).text
        assert EN.stats_everywhere.format(counts="1", people=1) in told
        assert "👍 1" not in told


async def test_operators_are_told_which_file_is_damaged_and_members_are_not_told_where_the_home_is(page: World):
    rounds(page)
    (page.site.settings.home / "releases" / "champion").write_text("no number")
    for operator in (True, False):
        answer = await (await page.member(str(100 + operator), operator=operator)).get("/board")
        assert answer.status_code == 200
        assert (str(page.site.settings.home) in answer.text) is operator
        assert (str(escape(EN.internal_error)) in answer.text) is not operator
