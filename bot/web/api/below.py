"""Where the API is: below /v1 of the page's address."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

PLACE = "/v1"


class ApiBelow:
    """Hands every request below `PLACE` to the API. A `Mount` overlooks paths with a line end."""

    def __init__(self, app: ASGIApp, api: ASGIApp) -> None:
        self.app = app
        self.api = api

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See the ASGI specification."""
        root = scope.get("root_path", "")
        if scope["type"] == "http" and scope["path"].removeprefix(root).startswith(f"{PLACE}/"):
            await self.api({**scope, "root_path": root + PLACE}, receive, send)
        else:
            await self.app(scope, receive, send)
