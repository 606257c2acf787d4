"""What a visitor is told when a request cannot be done: a page, or a sentence in a part of one."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import RedirectResponse, Response

from bot.unexpected import unexpected
from bot.web.rendering import shown
from bot.web.safety import HEADERS
from bot.web.visitors import Forged, NotYours, SignInNeeded, Unusable, stranger

if TYPE_CHECKING:
    from fastapi import FastAPI
    from starlette.requests import Request

log = logging.getLogger(__name__)


def add_problems(app: FastAPI) -> None:
    """Let the application answer each problem."""
    app.add_exception_handler(SignInNeeded, _sign_in_needed)
    app.add_exception_handler(NotYours, _gone)
    app.add_exception_handler(RequestValidationError, _gone)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(Forged, _forged)
    app.add_exception_handler(Unusable, _unusable)
    app.add_exception_handler(Exception, _unexpected)


async def told(request: Request, sentence: str, status: int) -> Response:
    """A sentence, as a page or as a part of one."""
    part = "hx-request" in request.headers
    return shown(await stranger(request), "told.html" if part else "problem.html", sentence=sentence, status=status)


async def _sign_in_needed(request: Request, _: Exception) -> Response:
    there = f"{request.scope.get('root_path', '')}/sign-in"
    if "hx-request" in request.headers:
        return Response(status_code=401, headers={"HX-Redirect": there})
    if request.url.path.endswith("/events"):  # no page: the browser would read the stream for ever
        return Response(status_code=401)
    return RedirectResponse(there, status_code=303)


async def _gone(request: Request, _: Exception) -> Response:
    return await told(request, (await stranger(request)).texts.web_gone, 404)


async def _http(request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 404
    return await told(request, (await stranger(request)).texts.web_gone, status)


async def _forged(request: Request, _: Exception) -> Response:
    return await told(request, (await stranger(request)).texts.web_forged, 403)


async def _unusable(request: Request, error: Exception) -> Response:
    return await told(request, str(error), 422)


async def _unexpected(request: Request, error: Exception) -> Response:
    sentence = unexpected(log, (await stranger(request)).texts, error, "a request of the page failed")
    response = await told(request, sentence, 500)
    response.headers.update(HEADERS)  # no middleware adds them here
    return response
