"""The operators' page: who may see it, at every request, and what can be done there."""

from pathlib import Path

import pytest

from bot.texts import EN
from data import schema
from data.releases import Releases
from data.rounds import paused_since
from tests.bot.judged import release
from tests.bot.web.world import World, opened

pytestmark = pytest.mark.played

DEEDS = {"promote": {"release": 1, "champion": 0}, "rollback": {"champion": 0}, "rounds": {"action": "pause"}}


def home(page: World) -> Path:
    return page.site.settings.home


async def test_for_members_and_strangers_it_is_not_there(page: World):
    release(home(page), promote=True, win=(0.6, 0.5, 0.7))
    member = await page.member()
    assert (await member.get("/operate")).status_code == 404
    assert EN.web_operate not in (await member.get("/chat")).text
    await member.get("/chat")
    for deed, fields in DEEDS.items():
        assert (await member.post(f"/operate/{deed}", **fields)).status_code == 404, deed
        assert (await page.browser().post(f"/operate/{deed}", **fields)).status_code == 303, deed
    assert (Releases(home(page)).champion(), paused_since(home(page))) == (0, None)
    assert await page.rows(schema.AuditRow) == []


async def test_people_in_the_settings_are_operators_until_they_are_taken_out(tmp_path: Path):
    async with opened(tmp_path, operators=(4711,)) as page:
        browser = await page.member("4711")
        assert (await browser.get("/operate")).status_code == 200
        page.site.settings.operators = ()
        assert (await browser.get("/operate")).status_code == 404


async def test_a_release_is_promoted_and_rolled_back_and_both_are_in_the_audit_log(page: World):
    release(home(page), promote=True, win=(0.6, 0.5, 0.7))
    browser = await page.member(operator=True)
    assert "60% (50%–70%)" in (await browser.get("/operate")).text
    said = await browser.post("/operate/promote", release=1, champion=0)
    assert "elease 1 serves now" in said.text
    assert Releases(home(page)).champion() == 1
    assert EN.web_superseded in (await browser.post("/operate/promote", release=1, champion=0)).text
    await browser.post("/operate/rollback", champion=1)
    assert EN.web_superseded in (await browser.post("/operate/rollback", champion=1)).text  # the same, reloaded
    assert Releases(home(page)).champion() == 0
    assert EN.no_earlier_champion in (await browser.post("/operate/rollback", champion=0)).text
    assert [(each.deed, each.person_id) for each in await page.rows(schema.AuditRow)] == [
        ("promote", browser.person),
        ("rollback", browser.person),
    ]
    assert "rollback" in (await browser.get("/operate")).text


async def test_what_the_gate_refused_serves_only_if_the_operator_overrules_it(page: World):
    release(home(page), promote=False, win=(0.4, 0.3, 0.5))
    browser = await page.member(operator=True)
    await browser.post("/operate/promote", release=1, champion=0)
    assert Releases(home(page)).champion() == 0
    await browser.post("/operate/promote", release=1, champion=0, anyway="1")
    assert Releases(home(page)).champion() == 1


@pytest.mark.parametrize("number", ["7", "-1", "x", "", "9" * 30])
async def test_a_release_that_is_not_there_changes_nothing(page: World, number: str):
    browser = await page.member(operator=True)
    answer = await browser.post("/operate/promote", release=number, champion=0)
    assert answer.status_code in (200, 404)
    assert Releases(home(page)).champion() == 0
    assert await page.rows(schema.AuditRow) == []


async def test_rounds_are_paused_and_resumed(page: World):
    browser = await page.member(operator=True)
    assert EN.web_rounds_paused in (await browser.post("/operate/rounds", action="pause")).text
    assert paused_since(home(page)) is not None
    assert EN.web_resume in (await browser.get("/operate")).text
    await browser.post("/operate/rounds", action="resume")
    assert paused_since(home(page)) is None
    assert [each.deed for each in await page.rows(schema.AuditRow)] == ["pause", "resume"]
