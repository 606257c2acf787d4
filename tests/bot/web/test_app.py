"""What is the same for each request: headers, sizes, the names under which the page answers."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bot.settings import Settings
from bot.texts import EN
from bot.web.app import hosts
from bot.web.safety import LARGEST
from tests.bot.web.world import World

pytestmark = pytest.mark.played


async def test_every_response_carries_the_strict_headers(page: World):
    for path in ("/alive", "/assets/nothing.css", "/nowhere"):
        answer = await page.browser().get(path)
        policy = answer.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["cache-control"]


async def test_another_name_that_leads_here_is_refused(page: World):
    answer = await page.browser(host="evil.example:8321").get("/alive")
    assert answer.status_code == 400


async def test_a_request_that_is_too_large_is_refused(page: World):
    answer = await page.browser().http.post("/alive", content=b"x" * (LARGEST + 1))
    assert answer.status_code == 413


async def test_a_request_that_does_not_say_how_large_it_is_is_refused_once_it_is_too_large(page: World):
    async def endless() -> AsyncIterator[bytes]:
        for _ in range(LARGEST // 65536 + 2):
            yield b"x" * 65536

    browser = await page.member()
    headers = {"x-csrf": browser.csrf, "content-type": "application/x-www-form-urlencoded"}
    answer = await browser.http.post("/consent", content=endless(), headers=headers)
    assert answer.status_code in (403, 413)
    assert await page.store.consent(browser.person) is None


async def test_an_error_of_our_own_is_told_and_has_the_headers_too(page: World, monkeypatch: pytest.MonkeyPatch):
    browser = await page.member()
    monkeypatch.setattr(page.store, "kept_of", None)
    answer = await browser.get("/export")
    assert answer.status_code == 500
    assert EN.internal_error.split(";")[0] in answer.text
    assert "default-src 'none'" in answer.headers["content-security-policy"]


async def test_assets_lead_to_no_other_file(page: World):
    for path in (
        "/assets/../app.py",
        "/assets/%2e%2e/app.py",
        "/assets/..%2f..%2fsettings.py",
        "/assets//etc/passwd",
    ):
        assert (await page.browser().get(path)).status_code == 404, path


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({}, ["127.0.0.1", "localhost"]),
        ({"web_host": "0.0.0.0"}, ["*"]),
        ({"web_address": "https://talk.example"}, ["talk.example", "127.0.0.1", "localhost"]),
    ],
)
def test_the_names_under_which_the_page_answers(tmp_path: Path, settings: dict[str, str], expected: list[str]):
    assert hosts(Settings(_env_file=None, home=tmp_path, **settings)) == expected
