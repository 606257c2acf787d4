"""What is the same for each request: headers, sizes, the names under which the page answers."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bot.texts import EN
from bot.web.safety import LARGEST
from tests.bot.web.world import World, opened

pytestmark = pytest.mark.played


async def test_every_response_carries_the_strict_headers(page: World):
    for path in ("/alive", "/assets/nothing.css", "/nowhere"):
        answer = await page.browser().get(path)
        policy = answer.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["cache-control"]


@pytest.mark.parametrize(
    ("settings", "known"),
    [
        ({}, ("127.0.0.1:8321", "localhost:8321", "LOCALHOST", "[::1]:8321")),
        ({"web_host": "::1"}, ("[::1]:8321", "localhost")),
        ({"web_host": "0.0.0.0"}, ("127.0.0.1", "192.168.1.5:8321", "[fe80::1]:8321")),
        ({"web_address": "https://talk.example"}, ("talk.example", "talk.example:443", "127.0.0.1:8321")),
    ],
)
async def test_a_name_that_others_could_make_lead_here_is_refused(
    tmp_path: Path, settings: dict[str, str], known: tuple[str, ...]
):
    hosts = (*known, "evil.example:8321", "192.168.1.5.evil.example", "[::1", "", "127.0.0.1@evil.example")
    async with opened(tmp_path, **settings) as page:
        found = [host for host in hosts if (await page.browser(host=host).get("/alive")).status_code == 200]
    assert tuple(found) == known


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
    assert answer.status_code == 413
    assert "too large" in answer.text
    assert await page.store.consent(browser.person) is None


@pytest.mark.parametrize("fields", [{"text": "x" * 300_000}, {f"field-{number}": "x" for number in range(50)}])
async def test_a_form_that_is_too_large_is_refused(page: World, fields: dict[str, str]):
    browser = await page.member()
    assert (await browser.post("/chat/" + "a" * 32, **fields)).status_code == 413


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
