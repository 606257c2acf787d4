"""Stands before the API: whose key it is, how large a request may be, and errors in OpenAI's form."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from starlette.responses import JSONResponse

from bot.rate_limit import Cap, Spent, Taken
from bot.texts import texts
from bot.unexpected import unexpected
from bot.web.api.errors import LIMIT, NO_KEY, SERVER, WRONG_KEY, ApiError

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from bot.web.site import Site
    from data.api_keys import ApiKey

log = logging.getLogger(__name__)

LARGEST = 1024 * 1024  # bytes of one request
_OPEN = ("/openapi.json",)  # what anybody may read


class Guard:
    """Lets a request pass with a known key only, before any of its body is read. The key is in the scope's state."""

    def __init__(self, app: ASGIApp, site: Site, largest: int = LARGEST) -> None:
        self.app = app
        self.site = site
        self.largest = largest

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See the ASGI specification."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        try:
            await self._pass(scope, receive, send)
        except ApiError as error:
            await error_response(error)(scope, receive, send)
        except Exception as error:  # in words, and without what people wrote
            said = unexpected(log, texts(self.site.settings.language), error, "a request to the API failed")
            await error_response(ApiError(500, said, "internal_error", kind=SERVER))(scope, receive, send)

    async def _pass(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request pass. Raises what goes wrong before the response begins."""
        headers = dict(scope["headers"])
        path = scope["path"].removeprefix(scope.get("root_path", ""))
        key = None if path in _OPEN else await self._key(headers.get(b"authorization", b""))
        self._check_size(headers.get(b"content-length", b"0"))
        scope.setdefault("state", {})["key"] = key
        taken = self._count(key)
        read, answered = 0, False

        async def bounded() -> Message:
            nonlocal read
            message = await receive()
            read += len(message.get("body", b""))
            if read > self.largest:
                raise self._too_large()  # FastAPI answers with another error, which is not sent
            return message

        async def noted(message: Message) -> None:
            nonlocal answered
            if answered or read <= self.largest:
                if not answered and not _refuses(message["status"]):
                    self.site.limiter.give_back(taken)
                answered = True
                await send(message)

        try:
            await self.app(scope, bounded, noted)
            if not answered:
                raise self._too_large()
        except Exception as error:
            if not answered:
                raise
            log.warning("a response of the API broke off: %s", type(error).__name__)

    def _count(self, key: ApiKey | None) -> Taken:
        """Count a request as one that is refused, until it turns out otherwise. Raises `ApiError` for too many."""
        limit = key.hourly if key else 0
        taken = self.site.limiter.take([Cap("key", ("refused", key.name), limit)] if key and limit else [])
        if isinstance(taken, Spent):
            said = f"This key sent {limit} requests in an hour that could not be done; see what they were told."
            raise ApiError(429, said, "rate_limit_exceeded", kind=LIMIT, seconds=taken.seconds)
        return taken

    async def _key(self, authorization: bytes) -> ApiKey:
        scheme, _, secret = authorization.decode("latin-1").partition(" ")
        if scheme.lower() != "bearer" or not secret.strip():
            raise NO_KEY
        found = await self.site.store.api_keys.find(secret.strip())
        if found is None:
            raise WRONG_KEY
        return found

    def _check_size(self, said: bytes) -> None:
        if not said.isdigit():
            raise ApiError(400, "The Content-Length is not a number.", "invalid_value")
        if int(said) > self.largest:
            raise self._too_large()

    def _too_large(self) -> ApiError:
        said = f"The request is larger than {self.largest // 1024} KiB. Send fewer of the earlier messages."
        return ApiError(413, said, "request_too_large")


def _refuses(status: int) -> bool:
    """Whether a response says that the request itself was wrong. Too many, or gone, is not wrong."""
    return 400 <= status < 500 and status not in (429, 499)


def error_response(error: ApiError) -> JSONResponse:
    """The response that says what went wrong."""
    return JSONResponse(error.body, status_code=error.status, headers=error.headers)
