"""What every response of the page carries, and how large a request may be."""

from __future__ import annotations

from ipaddress import ip_address
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse

if TYPE_CHECKING:
    from collections.abc import Sequence

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

LARGEST = 1024 * 1024  # bytes of one request
API = "/v1/"
# No script, style, picture or request from elsewhere, nothing inline, and in nobody's frame.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; font-src 'self'; "
    "form-action 'self'; frame-ancestors 'none'; base-uri 'none'; manifest-src 'self'"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
}


class TooLarge(Exception):
    """A request's body is larger than `LARGEST`."""


class SafeHeaders:
    """Adds the headers above to every response; what is not said to be kept is not kept by browsers and proxies."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See the ASGI specification."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
                headers.setdefault("Cache-Control", "no-store")
            await send(message)

        await self.app(scope, receive, with_headers)


class KnownHosts:
    """Refuses a request under a name that is not the page's: another site could have made it lead here, and would
    then be the page for a browser (DNS rebinding). That cannot be done with an IP address: with `addresses` all pass.
    """

    def __init__(self, app: ASGIApp, names: Sequence[str], *, addresses: bool) -> None:
        self.app = app
        self.names = names
        self.addresses = addresses

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See the ASGI specification."""
        if scope["type"] == "http" and not self._knows(Headers(scope=scope).get("host", "")):
            said = "This page answers only under its own name. Its operator sets that with PARLEY_WEB_ADDRESS."
            await PlainTextResponse(said, status_code=400)(scope, receive, send)
            return
        await self.app(scope, receive, send)

    def _knows(self, host: str) -> bool:
        try:
            name = urlsplit(f"//{host}").hostname or ""
            return name in self.names or (self.addresses and bool(ip_address(name)))
        except ValueError:
            return False


class BoundedBodies:
    """Refuses a request whose body is too large, also one that does not say its size beforehand.

    The API bounds its own requests, and refuses them in its own form (`bot.web.api.guard`).
    """

    def __init__(self, app: ASGIApp, largest: int = LARGEST) -> None:
        self.app = app
        self.largest = largest

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See the ASGI specification."""
        path = scope.get("path", "").removeprefix(scope.get("root_path", ""))
        if scope["type"] != "http" or path.startswith(API):
            await self.app(scope, receive, send)
            return
        said = dict(scope["headers"]).get(b"content-length", b"0")
        if not said.isdigit() or int(said) > self.largest:
            await _refusal(scope, receive, send)
            return
        read = 0
        answered = False

        async def bounded() -> Message:
            nonlocal read
            message = await receive()
            read += len(message.get("body", b""))
            if read > self.largest:
                raise TooLarge
            return message

        async def noted(message: Message) -> None:
            nonlocal answered
            answered = True
            await send(message)

        try:
            await self.app(scope, bounded, noted)
        except TooLarge:
            if not answered:
                await _refusal(scope, receive, send)


async def _refusal(scope: Scope, receive: Receive, send: Send) -> None:
    await PlainTextResponse("This request is too large.", status_code=413)(scope, receive, send)
