"""Takes the pictures of the web page in docs/screens: `python -m tests.screens.page`. It needs Chromium and Pillow.

The answers are made up here, by the fake engine.
"""

from __future__ import annotations

import asyncio
import io
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PIL import Image
from playwright.async_api import async_playwright

from bot.texts import EN, ZH, Texts
from bot.web.start import page_served
from tests.bot.web.test_browser import CHROMIUM
from tests.bot.web.world import World, opened
from tests.screens.__main__ import FOLDER

if TYPE_CHECKING:
    from playwright.async_api import Browser, Page

WIDE = {"locale": "en-GB", "color_scheme": "light", "viewport": {"width": 1180, "height": 760}}
PHONE = {"locale": "zh-CN", "color_scheme": "dark", "viewport": {"width": 390, "height": 780}}
ASKED = {"en": "How do I repot a cactus?", "zh": "仙人掌怎么换盆？"}
ANSWERS = {
    "en": (
        "1. Stop watering it **two days** before.\n2. Take a pot that is a little larger, with a hole.\n"
        "3. Fill in sandy soil, and wait a week before you water it again.",
        "Put it into sandy soil in a slightly larger pot. Wear gloves!",
    ),
    "zh": (
        "1. 换盆前 **两天** 停止浇水。\n2. 选一个稍大、底部有孔的盆。\n3. 填入沙质土，一周之后再浇水。",
        "换到稍大的盆里，用沙质土。记得戴手套！",
    ),
}


async def take(world: World, browser: Browser, texts: Texts, context: dict[str, Any], name: str) -> None:
    """A picture of a conversation, and one of two answers to compare."""
    language = context["locale"][:2]
    tab = await (await browser.new_context(**context)).new_page()
    await tab.goto(world.site.links.address or "")
    await tab.get_by_role("button", name=texts.web_as_guest).click()
    await tab.get_by_role("textbox", name=texts.web_write).fill(ASKED[language])
    first, second = ANSWERS[language]
    world.fake.answer(first)
    await tab.keyboard.press("Enter")
    await tab.get_by_role("button", name=texts.web_two).wait_for()
    await keep(tab, name.format(""))
    world.fake.answer(second)
    await tab.get_by_role("button", name=texts.web_two).click()
    await tab.get_by_role("button", name=texts.web_b_better).wait_for()
    await keep(tab, name.format("-compare"))


async def keep(tab: Page, name: str) -> None:
    """Write what is shown, with few colours, so that the file stays small."""
    await tab.wait_for_timeout(500)
    picture = Image.open(io.BytesIO(await tab.screenshot())).convert("RGB")
    picture.quantize(128, dither=Image.Dither.NONE).save(FOLDER / name, optimize=True)


async def main() -> None:
    """Take all of them."""
    with tempfile.TemporaryDirectory() as home:
        async with (
            opened(Path(home), patience=240, web_guests=True, web_port=0) as world,
            async_playwright() as player,
        ):
            site = world.site
            async with page_served(site.settings, site.store, site.chat, site.trial, site.links):
                browser = await player.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
                await take(world, browser, EN, WIDE, "page{}.png")
                await take(world, browser, ZH, PHONE, "page{}.zh.png")
                await browser.close()


if __name__ == "__main__":
    asyncio.run(main())
