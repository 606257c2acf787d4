"""Signing in: by a personal link, by Discord, or as a guest; and signing out."""

from __future__ import annotations

import logging
import secrets
import sys
import time
from typing import TYPE_CHECKING, TextIO
from urllib.parse import urlsplit

from fastapi import APIRouter
from starlette.responses import RedirectResponse, Response

from bot.rate_limit import Cap, Spent
from bot.sign_in_links import LIFETIME, PATH, Invited
from bot.texts import texts
from bot.web.discord_account import API, DiscordAccount, DiscordSilent
from bot.web.rendering import shown
from bot.web.safety import POLICY
from bot.web.sessions import MARK
from bot.web.site import PLATFORM
from bot.web.visitors import SIGNED_OUT, Member, NotYours, Sent, SomeBrowser, Stranger, Unusable, field, signed_in
from data.user import user_here

if TYPE_CHECKING:
    from bot.web.site import Site

log = logging.getLogger(__name__)

router = APIRouter()

_NO_PREVIEW = {"Referrer-Policy": "no-referrer"}  # the address holds a secret
_PRINTED = 12  # links for the operator that are printed in an hour


def _root(visitor: Stranger) -> str:
    root: str = visitor.request.scope.get("root_path", "")
    return root


@router.get("/sign-in")
async def sign_in(browser: SomeBrowser) -> Response:
    """The ways in."""
    if await signed_in(browser.site, browser.session):
        return RedirectResponse(f"{_root(browser)}/chat", status_code=303)
    return _ways(browser)


def _ways(browser: Stranger, said: str | None = None, status: int = 200) -> Response:
    settings = browser.site.settings
    discord = bool(settings.discord_client_id and settings.discord_client_secret)
    response = shown(
        browser,
        "sign_in.html",
        discord=discord,
        guests=settings.web_guests,
        said=said,
        prints=_out(browser.site).isatty(),
        status=status,
    )
    if discord:  # a browser holds what a form leads to as well to the policy
        there = urlsplit(settings.discord_api or API)
        response.headers["Content-Security-Policy"] = POLICY.replace(
            "form-action 'self'", f"form-action 'self' {there.scheme}://{there.netloc}"
        )
    return response


def _count(browser: Stranger) -> None:
    """Count an attempt to sign in. Raises `Unusable` when there were too many from this address."""
    limit = browser.site.settings.web_hourly_per_address
    taken = browser.site.limiter.take([Cap("person", ("sign-in", browser.address), limit)] if limit else [])
    if isinstance(taken, Spent):
        raise Unusable(browser.texts.web_too_often.format(minutes=int(taken.seconds // 60) + 1))


async def _begin(browser: Stranger, person: int, *, operator: bool = False, guest: bool = False) -> Response:
    """A session of its own for whoever signed in: nothing of the one before goes on."""
    site = browser.site
    account = await site.store.id_hash_of(person) or ""
    session = site.sessions.new(
        person=person,
        mark=account[:MARK],
        operator=operator,
        guest=guest,
        language=browser.session.language,
        short=person in await site.operators(),
    )
    response = RedirectResponse(f"{_root(browser)}/chat", status_code=303)
    site.sessions.write(browser.request, response, session)
    return response


# -- by a personal link


@router.get(PATH)
async def link(browser: SomeBrowser, token: str = "") -> Response:
    """What a link leads to: a question, because a messenger that previews the link must not use it up."""
    good = browser.site.links.open(token)
    said = None if good else browser.texts.web_link_over
    if not good:
        _count(browser)
        return _ways(browser, said, status=410)
    response = shown(browser, "link.html", token=token)
    response.headers.update(_NO_PREVIEW)
    return response


@router.post(PATH)
async def use_link(browser: SomeBrowser, sent: Sent) -> Response:
    """Sign in by a link, which is used up."""
    _count(browser)
    invited = browser.site.links.take(field(sent, "token"))
    if invited is None:
        return _ways(browser, browser.texts.web_link_over, status=410)
    if invited.operator:
        log.info("an operator signed in to the page")
    return await _begin(browser, invited.person, operator=invited.operator)


@router.post("/sign-in/operator")
async def print_link(browser: SomeBrowser, sent: Sent) -> Response:  # noqa: ARG001 - the form is checked
    """Print a link for the operator at the terminal where the bot runs: only who reads that can use it.

    Anybody may press this, so nothing is printed into a journal, which others may read.
    """
    if not _out(browser.site).isatty():
        raise NotYours
    _count(browser)
    taken = browser.site.limiter.take([Cap("person", ("operator-links",), _PRINTED)])
    if isinstance(taken, Spent):
        raise Unusable(browser.texts.web_too_often.format(minutes=int(taken.seconds // 60) + 1))
    await print_operator_link(browser.site)
    return _ways(browser, browser.texts.web_operator_printed)


async def print_operator_link(site: Site) -> None:
    """Print a link that signs in the person at this machine, as an operator. It is no log entry: it is a secret.

    It is on standard error, as everything that the process says about itself; but not among log entries in JSON.
    """
    person = await site.store.person("terminal", user_here())
    made = site.links.make(Invited(person, operator=True))
    sentences, out = texts(site.settings.language), _out(site)
    told = sentences.web_operator_link.format(address=site.links.address, minutes=int(LIFETIME // 60), link=made)
    print(f"{told}\n{sentences.web_operator_another}" if out.isatty() else told, file=out, flush=True)


def _out(site: Site) -> TextIO:
    """Where the process prints what is no log entry."""
    return sys.stdout if site.settings.log == "json" else sys.stderr


# -- as a guest


@router.post("/sign-in/guest")
async def guest(browser: SomeBrowser, sent: Sent) -> Response:  # noqa: ARG001 - the form is checked
    """A new person without an account, where the operator lets guests talk."""
    if not browser.site.settings.web_guests:
        raise NotYours
    _count(browser)
    person = await browser.site.store.person(PLATFORM, secrets.token_hex(16))
    return await _begin(browser, person, guest=True)


# -- with Discord


def _account(browser: Stranger) -> DiscordAccount:
    settings = browser.site.settings
    if not settings.discord_client_id or not settings.discord_client_secret:
        raise NotYours
    assert browser.site.links.address is not None
    return DiscordAccount(
        settings.discord_client_id,
        settings.discord_client_secret.get_secret_value(),
        f"{browser.site.links.address}/sign-in/discord/back",
        settings.discord_api,
    )


@router.post("/sign-in/discord")
async def to_discord(browser: SomeBrowser, sent: Sent) -> Response:  # noqa: ARG001 - the form is checked
    """The way to Discord, which asks whether the page may know who the person is."""
    _count(browser)
    address, state, verifier = _account(browser).begin()
    session = browser.site.sessions.new(language=browser.session.language, state=state, verifier=verifier)
    response = RedirectResponse(address, status_code=303)
    browser.site.sessions.write(browser.request, response, session)
    return response


@router.get("/sign-in/discord/back")
async def back_from_discord(browser: SomeBrowser, code: str = "", state: str = "") -> Response:
    """Back from Discord: the same person as there, if this browser began it."""
    account = _account(browser)
    _count(browser)
    session = browser.session
    begun = bool(session.state) and secrets.compare_digest(session.state.encode(), state.encode())
    if not begun or not code or time.time() - session.at > LIFETIME:
        return _ways(browser, browser.texts.web_discord_failed, status=400)
    try:
        user = await account.user(code, session.verifier)
    except DiscordSilent as error:
        log.warning("a sign-in with Discord failed: %s", error)
        return _ways(browser, browser.texts.web_discord_failed, status=502)
    return await _begin(browser, await browser.site.store.person("discord", user))


# -- language, and the end


@router.post("/language")
async def language(browser: SomeBrowser, sent: Sent) -> Response:
    """Read the page in another language from now on."""
    from_page = field(sent, "from")
    chosen = "zh" if field(sent, "language") == "zh" else "en"
    there = from_page if from_page.startswith("/") and not from_page.startswith(("//", "/\\")) else "/"
    response = RedirectResponse(f"{_root(browser)}{there}", status_code=303)
    session = browser.site.sessions.with_language(browser.session, chosen)
    browser.site.sessions.write(browser.request, response, session)
    return response


@router.post("/sign-out")
async def sign_out(visitor: Member, sent: Sent) -> Response:  # noqa: ARG001 - the form is checked
    """End the person's sessions, on all devices."""
    await visitor.site.store.set_setting(SIGNED_OUT, ("person", str(visitor.person)), time.time())
    response = RedirectResponse(f"{_root(visitor)}/sign-in", status_code=303)
    visitor.site.sessions.end(visitor.request, response)
    return response
