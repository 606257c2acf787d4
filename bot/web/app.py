"""The web application: the pages, and everything that is the same for each request."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from fastapi import FastAPI
from starlette.middleware import Middleware
from starlette.staticfiles import StaticFiles

from bot.web.api.app import create_api
from bot.web.api.below import ApiBelow
from bot.web.pages import alive, answers, board, chat, consent, operate, review, sign_in, streams, taught
from bot.web.problems import add_problems
from bot.web.safety import BoundedBodies, KnownHosts, SafeHeaders

if TYPE_CHECKING:
    from bot.settings import Settings
    from bot.web.site import Site

ASSETS = Path(__file__).with_name("assets")
PAGES = tuple(
    each.router for each in (alive, sign_in, chat, streams, answers, consent, taught, board, operate, review)
)
LOOPBACK = ("127.0.0.1", "localhost", "::1")


def create_app(site: Site) -> FastAPI:
    """The application for a site. It opens and closes nothing: whoever made the parts of `site` closes them."""
    app = FastAPI(
        title="Parley",
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        middleware=[
            Middleware(SafeHeaders),
            Middleware(KnownHosts, names=hosts(site.settings), addresses=site.settings.web_host not in LOOPBACK),
            Middleware(BoundedBodies),
            Middleware(ApiBelow, api=create_api(site)),
        ],
    )
    app.state.site = site
    app.mount("/assets", StaticFiles(directory=ASSETS), name="assets")
    for router in PAGES:
        app.include_router(router)
    add_problems(app)
    return app


def hosts(settings: Settings) -> list[str]:
    """The names under which the page answers. Where it listens to others too, every IP address is one as well."""
    public = urlsplit(settings.web_address or "").hostname
    return [*([public] if public else []), *LOOPBACK]
