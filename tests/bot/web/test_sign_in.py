"""Signing in and out: links, guests, sessions, forged forms and cookies, limits."""

import html
import re
import sys
from pathlib import Path

import pytest
from fastapi.routing import APIRoute

from bot.sign_in_links import LIFETIME, Invited, SignInLinks
from bot.texts import EN, ZH
from bot.web.app import PAGES
from bot.web.sessions import Sessions
from bot.web.visitors import accepted
from tests.bot.web.world import ADDRESS, Browser, World, opened

pytestmark = pytest.mark.played


async def test_nobody_sees_anything_without_signing_in(page: World):
    browser = page.browser()
    for path in (
        "/",
        "/chat",
        "/teach",
        "/lessons",
        "/ratings",
        "/privacy",
        "/export",
        "/forget",
        "/chat/" + "a" * 32,
    ):
        answer = await browser.get(path)
        assert answer.status_code == 303, path
        assert answer.headers["location"] == "/sign-in"


async def test_a_link_signs_in_the_same_person_as_on_discord_and_works_once(page: World):
    person = await page.store.person("discord", "4711")
    link = page.site.links.make(Invited(person))
    assert link
    path, token = link.removeprefix(ADDRESS), link.partition("token=")[2]
    browser, other = page.browser(), page.browser()
    assert (await browser.get(path)).status_code == 200
    assert (await browser.get(path)).headers["referrer-policy"] == "no-referrer"  # looking at it does not use it up
    assert (await browser.post("/sign-in/link", token=token)).status_code == 303
    await browser.ask("hello")
    from data import schema

    assert (await page.rows(schema.MessageRow))[0].author_id == person
    await other.get("/sign-in")
    again = await other.post("/sign-in/link", token=token)
    assert again.status_code == 410
    assert EN.web_link_over in again.text
    assert (await other.get("/chat")).status_code == 303


def test_a_link_is_over_after_some_minutes_and_when_there_is_a_newer_one():
    now = 0.0
    links = SignInLinks(lambda: now)
    assert links.make(Invited(1)) is None  # the page is off
    links.address = "http://there"
    first, second = links.make(Invited(1)), links.make(Invited(1))
    assert first
    assert second
    assert links.take(first.partition("token=")[2]) is None
    now = LIFETIME
    assert not links.open(second.partition("token=")[2])
    assert links.take(second.partition("token=")[2]) is None


def test_nobody_takes_the_operators_link_away_by_asking_for_another_one():
    links = SignInLinks()
    links.address = "http://there"
    first, _ = links.make(Invited(1, operator=True)), links.make(Invited(1, operator=True))
    assert first
    assert links.take(first.partition("token=")[2]) == Invited(1, operator=True)


@pytest.mark.parametrize("token", ["", "x", "'; DROP TABLE people; --", "a" * 5000])
async def test_a_forged_link_signs_nobody_in(page: World, token: str):
    browser = page.browser()
    await browser.get("/sign-in")
    assert (await browser.post("/sign-in/link", token=token)).status_code == 410
    assert (await browser.get("/chat")).status_code == 303


async def test_a_link_still_works_in_another_language(page: World):
    link = page.site.links.make(Invited(await page.store.person("discord", "1")))
    assert link
    browser = page.browser()
    asked = await browser.get(link.removeprefix(ADDRESS))
    there = re.search(r'name="from" value="([^"]+)"', asked.text)
    assert there
    led = await browser.post("/language", language="zh", **{"from": html.unescape(there[1])})
    assert ZH.web_link_question in html.unescape((await browser.get(led.headers["location"])).text)


async def test_the_session_is_another_one_after_signing_in(page: World):
    browser = page.browser()
    await browser.get("/sign-in")
    before, proof = browser.http.cookies[page.site.sessions.cookie], browser.csrf
    link = page.site.links.make(Invited(await page.store.person("discord", "1")))
    assert link
    await browser.post("/sign-in/link", token=link.partition("token=")[2])
    await browser.get("/chat")
    assert browser.http.cookies[page.site.sessions.cookie] != before
    assert browser.csrf != proof
    fixed = page.browser(cookie=f"{page.site.sessions.cookie}={before}")  # whoever planted it gains nothing
    assert (await fixed.get("/chat")).status_code == 303


async def test_the_cookie_is_kept_from_scripts_and_other_sites(page: World):
    answer = await page.browser().get("/sign-in")
    cookie = answer.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=lax" in cookie
    assert "secure" not in cookie  # plain http on loopback


async def test_the_cookie_is_for_https_alone_where_a_trusted_proxy_says_so(tmp_path: Path):
    from bot.settings import Settings

    with pytest.raises(ValueError, match="no IP address"):
        Settings(_env_file=None, home=tmp_path, web_proxies="proxy.example")
    async with opened(tmp_path) as page:
        browser = page.browser()
        browser.http.base_url = "https://127.0.0.1:8321"
        assert "secure" in (await browser.get("/sign-in")).headers["set-cookie"].lower()


@pytest.mark.parametrize("change", [lambda cookie: cookie[:-2] + "xx", lambda _: "", lambda cookie: f"{cookie}."])
async def test_a_changed_cookie_is_nobodys(page: World, change):
    browser = await page.member()
    name = page.site.sessions.cookie
    forged = page.browser(cookie=f"{name}={change(browser.http.cookies[name])}")
    assert (await forged.get("/chat")).status_code == 303


async def test_a_cookie_signed_with_another_key_is_nobodys(page: World):
    other = Sessions("another secret")
    forged = other._signer.dumps({**other.new(person=1).__dict__})
    assert (await page.browser(cookie=f"{page.site.sessions.cookie}={forged}").get("/chat")).status_code == 303


async def test_every_form_needs_its_proof(page: World):
    browser = await page.member(operator=True)
    paths = [
        re.sub(r"\{\w+\}", "1", route.path)
        for router in PAGES
        for route in router.routes
        if isinstance(route, APIRoute) and "POST" in (route.methods or ())
    ]
    assert len(paths) > 15
    for path in paths:
        for headers in ({}, {"x-csrf": "guessed"}):
            answer = await browser.http.post(path, data={"csrf": "", "text": "x", "value": "up"}, headers=headers)
            assert answer.status_code == 403, path
    assert await page.store.consent(browser.person) is None
    assert (await browser.get("/chat")).status_code == 200  # they were not signed out either


async def test_somebody_elses_proof_does_not_count(page: World):
    ada, bea = await page.member("1"), await page.member("2")
    bea.csrf = ada.csrf
    assert (await bea.post("/consent", answer="yes")).status_code == 403


async def test_signing_out_ends_the_session_on_all_devices(page: World):
    browser = await page.member()
    other = page.browser(cookie=_cookie(page, browser))
    assert (await other.get("/chat")).status_code == 200
    await browser.post("/sign-out")
    assert (await browser.get("/chat")).status_code == 303
    assert (await other.get("/chat")).status_code == 303
    assert (await (await page.member()).get("/chat")).status_code == 200


async def test_guests_talk_only_where_the_operator_allows_them(page: World, tmp_path: Path):
    browser = page.browser()
    assert EN.web_as_guest not in (await browser.get("/sign-in")).text
    assert (await browser.post("/sign-in/guest")).status_code == 404
    async with opened(tmp_path / "other", web_guests=True) as open_page:
        guest = open_page.browser()
        assert EN.web_as_guest in (await guest.get("/sign-in")).text
        assert (await guest.post("/sign-in/guest")).status_code == 303
        assert (await guest.get("/chat")).status_code == 200


async def test_an_address_may_not_try_for_ever(tmp_path: Path):
    async with opened(tmp_path, web_hourly_per_address=3) as page:
        browser, other = page.browser(address="198.51.100.9"), page.browser(address="198.51.100.10")
        await browser.get("/sign-in")
        await other.get("/sign-in")
        found = [(await browser.post("/sign-in/link", token="x")).status_code for _ in range(4)]
        assert found == [410, 410, 410, 422]
        assert (await other.post("/sign-in/link", token="x")).status_code == 410


async def test_the_addresses_of_one_ipv6_household_count_together(tmp_path: Path):
    async with opened(tmp_path, web_hourly_per_address=1) as page:
        found = []
        for address in (
            "2001:db8::1",
            "2001:db8::ffff:2",
            "2001:db8:0:1::1",
            "::ffff:203.0.113.1",
            "::ffff:203.0.113.2",
        ):
            browser = page.browser(address=address)
            await browser.get("/sign-in")
            found.append((await browser.post("/sign-in/link", token="x")).status_code)
        assert found == [410, 422, 410, 410, 410]


async def test_the_operators_link_is_printed_where_the_bot_runs_and_nowhere_else(
    page: World,
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
):
    browser = page.browser()
    shown = await browser.get("/sign-in")
    assert EN.web_operator not in shown.text
    assert html.escape(EN.web_operator_at_start) in shown.text
    assert (await browser.post("/sign-in/operator")).status_code == 404  # it would go into a journal
    assert "token=" not in capsys.readouterr().err
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    assert EN.web_operator in (await browser.get("/sign-in")).text
    told = await browser.post("/sign-in/operator")
    printed = re.search(r"(\S+/sign-in/link\?token=(\S+))", capsys.readouterr().err)
    assert printed
    assert printed[2] not in told.text
    assert printed[2] not in caplog.text
    await browser.get(printed[1].removeprefix(ADDRESS))
    await browser.post("/sign-in/link", token=printed[2])
    session = Sessions.read(page.site.sessions, _request(page, browser))
    assert session
    assert session.operator


async def test_whoever_was_forgotten_is_signed_out_everywhere(page: World):
    browser = await page.member()
    other = page.browser(cookie=_cookie(page, browser))
    await page.store.eraser.forget(browser.person)
    assert (await browser.get("/chat")).status_code == 303
    assert (await other.get("/chat")).status_code == 303


@pytest.mark.parametrize(
    "there", ["https://evil.example", "//evil.example", "/\\evil.example", "javascript:alert(1)"]
)
async def test_the_choice_of_language_leads_to_no_other_site(page: World, there: str):
    browser = page.browser()
    await browser.get("/sign-in")
    answer = await browser.post("/language", language="zh", **{"from": there})
    assert answer.headers["location"] == "/"
    assert 'lang="zh-CN"' in (await browser.get("/sign-in")).text


@pytest.mark.parametrize(
    ("header", "language"),
    [
        ("zh-CN,zh;q=0.9,en;q=0.8", "zh"),
        ("de,en;q=0.5,zh;q=0.4", "en"),
        ("", None),
        ("fr", None),
        ("en;q=x,zh", "zh"),
    ],
)
def test_the_language_that_a_browser_asks_for(header: str, language: str | None):
    assert accepted(header) == language


def _request(page: World, browser: Browser):
    from starlette.requests import Request

    return Request({"type": "http", "headers": [(b"cookie", _cookie(page, browser).encode())]})


def _cookie(page: World, browser: Browser) -> str:
    name = page.site.sessions.cookie
    return f"{name}={browser.http.cookies[name]}"
