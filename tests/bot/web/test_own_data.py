"""What people see and decide of their own data on the page: consent, export, forgetting, conversations."""

import asyncio
import json

import pytest

from bot.answers import Ask
from bot.texts import EN
from data import schema
from data.consent import CONSENT_VERSION
from data.personas import persona
from data.store import StoredMessage
from tests.bot.web.world import World, live_id, number

pytestmark = pytest.mark.played


async def test_consent_is_asked_with_the_text_that_holds_and_can_be_withdrawn(page: World):
    browser = await page.member()
    assert EN.consent_unanswered in (await browser.get("/privacy")).text
    assert EN.consent_given in (await browser.post("/consent", answer="yes", version=CONSENT_VERSION)).text
    assert await page.store.agrees(browser.person)
    assert EN.consent_refused in (await browser.post("/consent", answer="no", version=CONSENT_VERSION)).text
    assert not await page.store.agrees(browser.person)


async def test_a_double_click_is_one_answer(page: World):
    browser = await page.member()
    for _ in range(2):
        await browser.post("/consent", answer="yes", version=CONSENT_VERSION)
    assert len(await page.rows(schema.Consent)) == 1


async def test_the_export_holds_what_was_said_and_nothing_of_others(page: World):
    ada, bea = await page.member("1"), await page.member("2")
    await ada.ask("from ada")
    await bea.ask("from bea")
    answer = await ada.get("/export")
    assert answer.headers["content-disposition"].startswith("attachment")
    assert [each["text"] for each in json.loads(answer.text)["messages"]] == ["from ada"]


async def test_forgetting_erases_everything_signs_out_and_stops_what_runs(page: World):
    browser, bea = await page.member("1", agrees=True), await page.member("2")
    _, shown = await browser.ask("a secret")
    await browser.post(f"/answers/{number(shown)}/vote", value="up")
    await bea.ask("something else")
    page.fake.answer("never ", "said", hold=asyncio.Event())
    begun = await browser.post("/chat/" + "b" * 32, text="another secret")
    assert EN.forget_yes in (await browser.get("/forget")).text
    told = await browser.post("/forget")
    assert "erased" in told.text
    assert (await browser.get("/chat")).status_code == 303
    assert page.site.live.under(live_id(begun), browser.person) is None
    texts = [each.text for each in await page.rows(schema.MessageVersion) if each.text]
    assert sorted(texts) == ["a fake answer", "something else"]
    assert await page.rows(schema.Rating) == []


async def test_forgetting_on_the_page_stops_an_answer_that_runs_on_discord(page: World):
    browser = await page.member("1", agrees=True)
    there = await page.store.conversation("discord", "11:1", persona="assistant")

    async def question() -> StoredMessage:
        return await page.store.add_message(there, "user", "a secret", author=browser.person)

    page.fake.answer("half ", "never", hold=asyncio.Event())
    answer = page.site.chat.answer(
        Ask(
            person=browser.person,
            channel="1",
            platform="discord",
            persona=persona("assistant", "en"),
            question=question,
        )
    )
    await page.fake.until_running(1)
    await browser.post("/forget")
    assert answer.made
    assert [each.text for each in await page.rows(schema.MessageVersion) if each.text] == []


@pytest.mark.parametrize("where", ["on the page", "in another process"])
async def test_a_question_that_waits_for_moderation_is_not_kept_of_somebody_who_was_forgotten(
    page: World, monkeypatch: pytest.MonkeyPatch, where: str
):
    browser = await page.member("1", agrees=True)
    checking, checked = asyncio.Event(), asyncio.Event()

    async def admit(*_: object) -> None:
        checking.set()
        await checked.wait()

    monkeypatch.setattr(page.site.chat.moderation, "admit", admit)
    live = page.site.live.under(live_id(await browser.post("/chat/" + "a" * 32, text="a secret")), browser.person)
    assert live
    await checking.wait()
    if where == "on the page":
        forgotten = asyncio.create_task(browser.post("/forget"))
        await asyncio.sleep(0.05)  # it waits for the answer to end
        checked.set()
        assert "erased" in (await forgotten).text
    else:
        await page.store.eraser.forget(browser.person)
        checked.set()
    await live.wait()
    assert [each.text for each in await page.rows(schema.MessageVersion) if each.text] == []
    assert page.fake.requests == []


async def test_conversations_are_listed_with_the_newest_first_and_only_ones_own(page: World):
    ada, bea = await page.member("1"), await page.member("2")
    first, _ = await ada.ask("the first", "a" * 32)
    await ada.ask("the second", "b" * 32)
    await bea.ask("not hers", "c" * 32)
    shown = (await ada.get("/chat")).text
    assert shown.index("the second") < shown.index("the first")
    assert "not hers" not in shown
    await ada.ask("the first again", first)
    shown = (await ada.get("/chat")).text
    assert shown.index("the first") < shown.index("the second")


async def test_what_was_erased_is_shown_as_erased(page: World):
    browser = await page.member()
    key, _ = await browser.ask("hello")
    from datetime import timedelta

    await page.store.eraser.purge(schema.now() + timedelta(days=1))
    shown = (await browser.get(f"/chat/{key}")).text
    assert EN.web_erased in shown
    assert "hello" not in shown


async def test_all_texts_are_there_in_chinese(page: World):
    browser = await page.member()
    await browser.post("/language", language="zh", **{"from": "/chat"})
    for path in ("/chat", "/board", "/teach", "/lessons", "/ratings", "/privacy", "/forget"):
        shown = (await browser.get(path)).text
        assert 'lang="zh-CN"' in shown
        for english in (EN.web_new, EN.web_teach, EN.web_lessons, EN.web_privacy, EN.web_sign_out):
            assert english not in shown, path


async def test_teach_says_what_becomes_of_it_and_how_far_it_is(page: World):
    shown = (await (await page.member()).get("/teach")).text
    assert EN.teach_trains.split(".")[0] in shown
    assert EN.web_here in shown
