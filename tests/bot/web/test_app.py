"""What is the same for each request: headers, sizes, the names under which the page answers."""

from pathlib import Path

import pytest

from bot.settings import Settings
from bot.web.app import hosts
from bot.web.safety import LARGEST
from tests.bot.web.world import World


async def test_every_response_carries_the_strict_headers(page: World):
    for path in ("/alive", "/assets/nothing.css", "/nowhere"):
        answer = await page.browser().get(path)
        policy = answer.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["cache-control"]


async def test_another_name_that_leads_here_is_refused(page: World):
    answer = await page.browser().get("/alive", headers={"host": "evil.example:8321"})
    assert answer.status_code == 400


async def test_a_request_that_is_too_large_is_refused(page: World):
    answer = await page.browser().post("/alive", content=b"x" * (LARGEST + 1))
    assert answer.status_code == 413


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
