"""The page in a real browser: every deed of a member in English and Chinese, by mouse and by keyboard.

The browser is Debian's Chromium. `.ci/run` installs it; elsewhere these tests say why they skip. Where it could fetch
axe-core too, axe must find nothing serious on any page.
"""

import asyncio
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from bot.sign_in_links import Invited
from bot.texts import EN, ZH, Texts
from bot.web.start import page_served
from tests.bot.web.world import World, opened
from tests.data.talk import Talk

pytestmark = pytest.mark.process

ROOT = Path(__file__).parents[3]
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
_AXE = ROOT / ".axe" / "package" / "axe.min.js"
AXE = _AXE.read_text(encoding="utf-8") if _AXE.is_file() else None
SERIOUS = ("serious", "critical")
ANSWER = ("Here is how:\n\n", "1. Water it **two days** before.\n", "2. Use a larger pot.\n\n", "`rot` smells.")


@asynccontextmanager
async def visited(home: Path, **context: Any) -> AsyncIterator[tuple[World, Any]]:
    """A page that is really served, and a tab of a browser that shows its sign-in. The tab's errors fail the test."""
    if CHROMIUM is None:
        pytest.skip("No Chromium is installed here: apt-get install chromium.")
    playwright = pytest.importorskip("playwright.async_api", reason="playwright is not installed: make tools")
    async with opened(home, patience=240, web_guests=True, web_port=0) as world:
        site = world.site
        async with (
            page_served(site.settings, site.store, site.chat, site.trial, site.links),
            playwright.async_playwright() as player,
        ):
            browser = await player.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
            tab = await (await browser.new_context(bypass_csp=AXE is not None, **context)).new_page()
            wrong: list[str] = []
            there = site.links.address
            assert there
            tab.on("pageerror", lambda error: wrong.append(str(error)))
            tab.on("console", lambda line: wrong.append(line.text) if line.type == "error" else None)
            tab.on("request", lambda each: None if each.url.startswith(there) else wrong.append(each.url))
            await tab.goto(there)
            try:
                yield world, tab
            finally:
                await site.chat.close()
                await browser.close()
            assert wrong == []


async def sound(tab: Any) -> None:
    """Axe finds nothing serious on what is shown now."""
    if AXE is None:
        return
    await tab.evaluate(AXE)
    found = [each for each in (await tab.evaluate("axe.run()"))["violations"] if each["impact"] in SERIOUS]
    assert [(each["id"], [node["html"] for node in each["nodes"]]) for each in found] == []


@pytest.mark.parametrize(
    ("texts", "context"),
    [
        (EN, {"locale": "en-GB", "color_scheme": "light", "viewport": {"width": 1180, "height": 760}}),
        (ZH, {"locale": "zh-CN", "color_scheme": "dark", "viewport": {"width": 390, "height": 780}}),
    ],
    ids=["english, wide, light", "chinese, a phone, dark"],
)
async def test_everything_a_member_does_works_in_a_browser(tmp_path: Path, texts: Texts, context: dict[str, Any]):
    async with visited(tmp_path, **context) as (world, tab):
        await sound(tab)
        await tab.get_by_role("button", name=texts.web_as_guest).click()
        composer = tab.get_by_role("textbox", name=texts.web_write)
        await composer.fill("How do I repot a cactus?")
        world.fake.answer(*ANSWER, delay=0.05)
        await composer.press("Enter")
        await tab.get_by_role("button", name=texts.web_stop).wait_for()
        await sound(tab)
        up, down = (tab.get_by_role("button", name=name, exact=True) for name in (texts.web_up, texts.web_down))
        await up.wait_for()
        assert await tab.locator(".text ol strong").inner_text() == "two days"
        assert "/chat/" in tab.url
        await up.click()  # asks for consent, and stores the vote after a yes
        await sound(tab)
        await tab.get_by_role("button", name=texts.yes).click()
        await tab.locator("[aria-pressed=true]").wait_for()
        await down.click()
        await tab.get_by_label(texts.reasons[0]).check()
        await tab.get_by_role("button", name=texts.web_save).click()
        await tab.locator("form.why").wait_for(state="detached")
        await tab.get_by_text(texts.stored_down).wait_for()
        await tab.get_by_role("button", name=texts.web_correct).click()
        window = tab.get_by_label(texts.fix_label)
        await window.fill("Use a larger pot.")
        await tab.get_by_role("button", name=texts.web_save).click()
        await tab.locator(".changes del").first.wait_for()
        await sound(tab)
        world.fake.answer("Ask a gardener.")
        await tab.get_by_role("button", name=texts.web_two).click()
        await tab.get_by_role("button", name=texts.web_b_better).click()
        await tab.get_by_text(texts.stored_comparison).wait_for()
        await sound(tab)
        await tab.get_by_role("link", name=texts.go_on).click()
        world.fake.answer("A third one.")
        await tab.get_by_role("button", name=texts.web_again).last.click()
        await tab.get_by_text("A third one.").wait_for()
        await tab.get_by_label(texts.web_earlier).click()
        for path in ("board", "teach", "lessons", "ratings", "privacy", "forget"):
            await tab.goto(f"{world.site.links.address}/{path}")
            await sound(tab)
            assert await tab.evaluate("document.documentElement.scrollWidth <= innerWidth"), path
        await tab.get_by_role("button", name=texts.forget_yes).click()
        await tab.get_by_role("link", name=texts.web_sign_in).wait_for()


@pytest.mark.parametrize("width", [1180, 390])
async def test_the_operators_pages_are_sound(tmp_path: Path, width: int):
    async with visited(tmp_path, locale="en-GB", viewport={"width": width, "height": 760}) as (world, tab):
        talk = await Talk.begin(world.store)
        ada = await talk.person("ada")
        one, other = await talk.ask(ada, "What is a cactus?", "A plant. " * 200, "An_animal_" * 60)
        await talk.rate(ada, "comparison", one, other=other, value="a")
        link = world.site.links.make(Invited(await world.store.person("terminal", "me"), operator=True))
        await tab.goto(link)
        await tab.get_by_role("button", name=EN.web_sign_in).click()
        await tab.locator("#text").wait_for()
        for path in ("operate", "operate/review"):
            await tab.goto(f"{world.site.links.address}/{path}")
            await sound(tab)
            assert await tab.evaluate("document.documentElement.scrollWidth <= innerWidth"), path
        await tab.get_by_label(EN.web_review_kind).select_option("preference")
        await tab.get_by_role("button", name=EN.web_review_show).click()
        await tab.get_by_role("button", name=EN.web_review_void).click()
        await tab.get_by_text(EN.web_review_voided).wait_for()
        assert await tab.get_by_role("button", name=EN.web_review_void).count() == 0


async def test_the_keyboard_alone_is_enough(tmp_path: Path):
    async with visited(tmp_path, locale="en-GB") as (world, tab):
        await tab.get_by_role("button", name=EN.web_as_guest).focus()
        await tab.keyboard.press("Enter")
        await tab.locator("#text:focus").wait_for()  # one may write at once
        await tab.keyboard.type("first line")
        await tab.keyboard.press("Shift+Enter")
        await tab.keyboard.type("second line")
        world.fake.answer("one ", "two ", *["more "] * 200, delay=0.05)
        await tab.keyboard.press("Enter")
        await tab.get_by_text("one two").wait_for()
        await tab.keyboard.press("Escape")
        await tab.get_by_text(EN.stopped, exact=False).wait_for()
        assert world.fake.requests[0]["messages"][-1]["content"].splitlines() == ["first line", "second line"]
        await tab.get_by_role("button", name=EN.web_again).focus()
        await tab.keyboard.press("Enter")
        await tab.get_by_text("a fake answer").wait_for()


async def test_every_piece_is_seen_while_the_answer_grows(tmp_path: Path):
    words, last = [f"word{place}" for place in range(60)], asyncio.Event()
    async with visited(tmp_path, locale="en-GB") as (world, tab):
        await tab.get_by_role("button", name=EN.web_as_guest).click()
        await tab.get_by_role("textbox", name=EN.web_write).fill("hello")
        world.fake.answer(*[f"{word} " for word in words], "last", hold=last, delay=0.01)
        await tab.keyboard.press("Enter")
        await tab.get_by_text(words[-1]).wait_for()
        assert (await tab.locator(".live .text").inner_text()).split() == words
        last.set()
        await tab.get_by_role("button", name=EN.web_up).wait_for()


async def test_a_reload_in_the_middle_of_an_answer_loses_nothing(tmp_path: Path):
    async with visited(tmp_path, locale="en-GB") as (world, tab):
        await tab.get_by_role("button", name=EN.web_as_guest).click()
        await tab.get_by_role("textbox", name=EN.web_write).fill("hello")
        world.fake.answer(*[f"word{place} " for place in range(40)], delay=0.05)
        await tab.keyboard.press("Enter")
        await tab.get_by_text("word5").wait_for()
        await tab.reload()
        await tab.get_by_role("button", name=EN.web_up).wait_for()
        text = await tab.locator(".answer .text").inner_text()
        assert text.split() == [f"word{place}" for place in range(40)]
