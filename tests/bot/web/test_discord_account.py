"""Signing in with Discord, against a fake of its OAuth2: the same person as there, only in the browser that began."""

from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from bot.texts import EN
from bot.web.sessions import LONGEST_OF_OPERATORS
from tests.bot.web.world import ADDRESS, Browser, World, opened
from tests.fakes.discord_oauth import TOKEN, FakeOAuth

pytestmark = pytest.mark.played

BACK = "/sign-in/discord/back"


def page(home: Path, fake: FakeOAuth) -> Any:
    settings = {"discord_client_id": "17", "discord_client_secret": "very-secret", "discord_api": fake.api}
    return opened(home, **settings)


async def begun(world: World) -> tuple[Browser, dict[str, str]]:
    """A browser that is on its way to Discord, and what it says there."""
    browser = world.browser()
    assert EN.web_with_discord in (await browser.get("/sign-in")).text
    away = await browser.post("/sign-in/discord")
    assert away.status_code == 303
    parts = urlsplit(away.headers["location"])
    allowed = (await world.browser().get("/sign-in")).headers["content-security-policy"]
    assert f"form-action 'self' {parts.scheme}://{parts.netloc};" in allowed  # or browsers stop the form
    assert parts.path == "/oauth2/authorize"
    return browser, {name: values[0] for name, values in parse_qs(parts.query).items()}


async def test_whoever_agrees_is_the_same_person_as_on_discord(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    async with FakeOAuth(code="the-code", user="4711") as fake, page(tmp_path, fake) as world:
        browser, said = await begun(world)
        assert (said["scope"], said["client_id"], said["response_type"]) == ("identify", "17", "code")
        assert said["redirect_uri"] == f"{ADDRESS}{BACK}"
        assert said["code_challenge_method"] == "S256"
        back = await browser.get(f"{BACK}?code=the-code&state={said['state']}")
        assert back.headers["location"] == "/chat"
        await browser.ask("hello")
        from data import schema

        assert (await world.rows(schema.MessageRow))[0].author_id == await world.store.person("discord", "4711")
        assert fake.asked[0]["code_verifier"]
        for secret in ("very-secret", TOKEN, "the-code", "4711"):
            assert secret not in caplog.text
        cookie = browser.http.cookies[world.site.sessions.cookie]
        assert said["state"] not in world.site.sessions._signer.loads(cookie).values()


async def test_an_operators_session_is_short_however_they_signed_in(tmp_path: Path):
    async with FakeOAuth(code="the-code", user="4711") as fake:
        settings = {"discord_client_id": "17", "discord_client_secret": "very-secret", "discord_api": fake.api}
        async with opened(tmp_path, operators="4711", **settings) as world:
            browser, said = await begun(world)
            back = await browser.get(f"{BACK}?code=the-code&state={said['state']}")
            assert f"max-age={LONGEST_OF_OPERATORS}" in back.headers["set-cookie"].lower()
            assert (await browser.get("/operate")).status_code == 200
            world.site.settings.operators = frozenset()
            assert (await browser.get("/operate")).status_code == 404  # the session itself gives no right


async def test_an_answer_that_this_browser_did_not_ask_for_signs_nobody_in(tmp_path: Path):
    async with FakeOAuth(code="the-code", user="4711") as fake, page(tmp_path, fake) as world:
        browser, said = await begun(world)
        other = world.browser()
        await other.get("/sign-in")
        for who, state in ((other, said["state"]), (browser, "forged"), (browser, "")):
            answer = await who.get(f"{BACK}?code=the-code&state={state}")
            assert answer.status_code == 400
            assert EN.web_discord_failed in answer.text
        assert fake.asked == []


@pytest.mark.parametrize(
    ("code", "user", "status"), [("wrong", "1", 200), ("c", "1", 500), ("c", None, 200), ("c", 7, 200)]
)
async def test_a_refusal_or_an_odd_answer_of_discords_is_told(tmp_path: Path, code: str, user: Any, status: int):
    async with FakeOAuth(code="c", user=user) as fake, page(tmp_path, fake) as world:
        fake.status = status
        browser, said = await begun(world)
        answer = await browser.get(f"{BACK}?code={code}&state={said['state']}")
        assert answer.status_code == 502
        assert (await browser.get("/chat")).status_code == 303


async def test_discord_that_cannot_be_reached_is_told(tmp_path: Path):
    async with FakeOAuth(code="c", user="1") as fake:
        pass
    async with page(tmp_path, fake) as world:
        browser, said = await begun(world)
        assert (await browser.get(f"{BACK}?code=c&state={said['state']}")).status_code == 502


async def test_without_an_application_there_is_no_way_through_discord(tmp_path: Path):
    async with opened(tmp_path) as world:
        browser = world.browser()
        assert EN.web_with_discord not in (await browser.get("/sign-in")).text
        assert (await browser.post("/sign-in/discord")).status_code == 404
        assert (await browser.get(BACK)).status_code == 404
