"""The review queue's page: who may see it, what it shows, and what is voided there trains nothing."""

import logging

import pytest

from bot.texts import EN, ZH
from data import schema
from data.imports import collect_rows
from tests.bot.web.world import Browser, World
from tests.data.talk import Talk

pytestmark = pytest.mark.played

SCRIPT = "<script>alert(1)</script>"


async def rated(page: World, text: str = "one") -> None:
    talk = await Talk.begin(page.store)
    ada = await talk.person("ada")
    (answer,) = await talk.ask(ada, f"What is {text}?", text)
    await talk.rate(ada, "vote", answer, value="up")


async def labelled(page: World) -> list[str]:
    found = await collect_rows(page.store, discord_permission=None)
    return [each.row.id for each in found.rows if each.row.kind == "labelled"]


async def void(browser: Browser, row: str, **fields: str) -> str:
    return (await browser.post("/operate/review/void", row=row, **fields)).text


async def test_for_members_and_strangers_it_is_not_there(page: World):
    await rated(page)
    (row,) = await labelled(page)
    member = await page.member()
    assert (await member.get("/operate/review")).status_code == 404
    await member.get("/chat")
    assert (await member.post("/operate/review/void", row=row)).status_code == 404
    stranger = page.browser()
    assert (await stranger.get("/operate/review")).status_code == 303
    assert (await stranger.post("/operate/review/void", row=row)).status_code == 303
    assert await labelled(page) == [row]
    assert await page.rows(schema.AuditRow) == []


async def test_what_is_voided_is_in_no_row_and_in_the_audit_log(page: World):
    await rated(page)
    (row,) = await labelled(page)
    browser = await page.member(operator=True)
    shown = (await browser.get("/operate/review?kind=labelled")).text
    assert row in shown
    assert EN.web_review in (await browser.get("/operate")).text
    said = await void(browser, row, kind="labelled")
    assert EN.web_review_void in shown
    assert row not in said
    assert await labelled(page) == []
    assert [(each.deed, each.person_id, each.what) for each in await page.rows(schema.AuditRow)] == [
        ("void_row", browser.person, {"row": row, "answers": 1})
    ]
    assert EN.web_review_no_row in await void(browser, row)  # the same, reloaded
    assert len(await page.rows(schema.AuditRow)) == 1


async def test_a_long_text_can_be_read_to_its_end(page: World):
    await rated(page, "word " * 400 + "its end")
    browser = await page.member(operator=True)
    assert "its end" in (await browser.get("/operate/review?kind=labelled")).text


async def test_a_form_without_the_proof_voids_nothing(page: World):
    await rated(page)
    (row,) = await labelled(page)
    browser = await page.member(operator=True)
    browser.csrf = "x"
    assert (await browser.post("/operate/review/void", row=row)).status_code == 403
    assert await labelled(page) == [row]


async def test_scripts_are_shown_as_text_and_no_text_reaches_a_log(page: World, caplog: pytest.LogCaptureFixture):
    caplog.set_level(logging.DEBUG, logger="bot")
    await rated(page, SCRIPT)
    browser = await page.member(operator=True)
    shown = await browser.get("/operate/review", params={"word": SCRIPT, "rater": ""})
    assert SCRIPT not in shown.text
    assert shown.text.count("&lt;script&gt;alert(1)") >= 3  # in the question, the answer and the filter
    assert "alert(1)" not in "".join(each.getMessage() for each in caplog.records if each.name.startswith("bot"))


@pytest.mark.parametrize("number", ["2", "0", "-1", "x", "", "9" * 5000])
async def test_a_page_that_is_not_there_is_told(page: World, number: str):
    browser = await page.member(operator=True)
    answer = await browser.get("/operate/review", params={"page": number})
    assert answer.status_code == 200
    assert EN.web_review_no_page in answer.text


@pytest.mark.parametrize("row", ["", "0" * 32, SCRIPT, "9" * 5000])
async def test_an_unknown_row_is_told_and_voids_nothing(page: World, row: str):
    await rated(page)
    browser = await page.member(operator=True)
    assert EN.web_review_no_row in await void(browser, row)
    assert len(await labelled(page)) == 1


async def test_it_speaks_chinese_and_filters_by_word(page: World):
    await rated(page)
    browser = await page.member(operator=True)
    chinese = {"accept-language": "zh"}
    assert (
        ZH.web_review_count.format(rows=2, page=1, pages=1)
        in (await browser.get("/operate/review", headers=chinese)).text
    )
    assert (
        ZH.web_review_count.format(rows=0, page=1, pages=1)
        in (await browser.get("/operate/review?word=other", headers=chinese)).text
    )
