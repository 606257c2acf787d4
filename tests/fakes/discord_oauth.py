"""A fake of Discord's OAuth2 and of `/users/@me`, on loopback: it knows one code, and who agreed with it.

async with FakeOAuth(code="c", user="123") as fake:
    fake.api        # the address to use in place of Discord's
    fake.asked      # the fields of the requests for a token
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aiohttp import web

if TYPE_CHECKING:
    from types import TracebackType

TOKEN = "a-token-of-discord"


class FakeOAuth:
    """An authorization server that gives one token for one code, once."""

    def __init__(self, *, code: str, user: Any) -> None:
        self.code, self.user = code, user
        self.asked: list[dict[str, str]] = []
        self.status = 200
        self.api = ""
        app = web.Application()
        app.router.add_post("/api/v10/oauth2/token", self._token)
        app.router.add_get("/api/v10/users/@me", self._me)
        self._runner = web.AppRunner(app)

    async def _token(self, request: web.Request) -> web.Response:
        fields = {name: str(value) for name, value in (await request.post()).items()}
        self.asked.append(fields)
        if fields.get("code") != self.code:
            return web.json_response({"error": "invalid_grant"}, status=400)
        self.code = ""
        return web.json_response({"access_token": TOKEN, "token_type": "Bearer", "scope": "identify"})

    async def _me(self, request: web.Request) -> web.Response:
        if request.headers.get("Authorization") != f"Bearer {TOKEN}":
            return web.json_response({"message": "401: Unauthorized"}, status=401)
        return web.json_response({"id": self.user, "username": "ada"}, status=self.status)

    async def __aenter__(self) -> FakeOAuth:
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.api = "http://{}:{}/api/v10".format(*self._runner.addresses[0][:2])
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._runner.cleanup()
