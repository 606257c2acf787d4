"""A Discord-compatible server on loopback, just large enough for a bot to log in, get a direct message and answer it.

    async with DiscordServer(token="t") as server:
        ... a bot with PARLEY_DISCORD_API=server.api and PARLEY_DISCORD_GATEWAY=server.gateway ...
        await server.ready.wait()
        await server.direct_message("hello")
        await server.said("an answer")

simcord plays Discord inside the bot's process and has no sockets; this is for tests of the whole process.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import re
from typing import Any

from aiohttp import WSMsgType, web

ME, ADA, CHANNEL = 100, 200, 300


def user(number: int, name: str, *, bot: bool = False) -> dict[str, Any]:
    """A user as Discord sends it."""
    return {"id": str(number), "username": name, "discriminator": "0", "avatar": None, "bot": bot}


class DiscordServer:
    """The REST and gateway ends of one direct conversation between Ada and the bot."""

    def __init__(self, token: str) -> None:
        self.token = token
        self.ready = asyncio.Event()
        self.messages: dict[int, dict[str, Any]] = {}
        self._changed = asyncio.Event()
        self._ids = itertools.count(1000)
        self._sequence = itertools.count(1)
        self._socket: web.WebSocketResponse | None = None
        self._runner: web.AppRunner | None = None
        self.api = self.gateway = ""

    async def __aenter__(self) -> DiscordServer:
        app = web.Application()
        app.router.add_get("/", self._gateway)
        app.router.add_route("*", "/api/v10/{path:.*}", self._rest)
        self._runner = web.AppRunner(app, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        host, port = self._runner.addresses[0][:2]
        self.api, self.gateway = f"http://{host}:{port}/api/v10", f"ws://{host}:{port}"
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._runner is not None
        await self._runner.cleanup()

    async def direct_message(self, text: str, channel: int = CHANNEL) -> None:
        """Ada writes to the bot, in this direct conversation of hers."""
        message = self._message(ADA, text, {}, channel)
        await self._send(0, message, "MESSAGE_CREATE")

    async def said(self, text: str) -> dict[str, Any]:
        """The bot's message with this text, once it is there."""
        async with asyncio.timeout(60):
            while True:
                for message in self.messages.values():
                    if message["author"]["bot"] and message["content"] == text:
                        return message
                self._changed.clear()
                await self._changed.wait()

    async def _gateway(self, request: web.Request) -> web.WebSocketResponse:
        self._socket = socket = web.WebSocketResponse()
        await socket.prepare(request)
        await self._send(10, {"heartbeat_interval": 40000})
        async for frame in socket:
            if frame.type is not WSMsgType.TEXT:
                continue
            payload = json.loads(frame.data)
            if payload["op"] == 1:
                await self._send(11, None)
            elif payload["op"] == 2:
                ready = {
                    "v": 10,
                    "user": user(ME, "parley", bot=True),
                    "guilds": [],
                    "session_id": "s",
                    "resume_gateway_url": self.gateway,
                    "application": {"id": str(ME), "flags": 0},
                    "private_channels": [],
                }
                await self._send(0, ready, "READY")
                self.ready.set()
        return socket

    async def _send(self, op: int, data: Any, event: str | None = None) -> None:
        assert self._socket is not None
        number = next(self._sequence) if event else None
        await self._socket.send_str(json.dumps({"op": op, "d": data, "s": number, "t": event}))

    async def _rest(self, request: web.Request) -> web.Response:
        if request.headers.get("Authorization") != f"Bot {self.token}":
            return _json({"message": "401: Unauthorized", "code": 0}, status=401)
        path = request.match_info["path"]
        body = await request.json() if request.can_read_body else {}
        place = re.match(r"channels/(\d+)/messages", path)
        messages, channel = (place[0], int(place[1])) if place else ("", CHANNEL)
        if path == "users/@me":
            return _json(user(ME, "parley", bot=True))
        if path == "oauth2/applications/@me":
            owner = user(1, "owner")
            return _json(
                {"id": str(ME), "name": "parley", "icon": None, "description": "", "verify_key": "", "flags": 0}
                | {"bot_public": True, "bot_require_code_grant": False, "owner": owner, "summary": ""}
            )
        if path.endswith("/commands"):
            return _json([])
        if path.endswith("/typing"):
            return web.Response(status=204)
        if path == messages and request.method == "GET":
            after = int(request.query.get("after", 0))
            here = [m for m in self.messages.values() if m["channel_id"] == str(channel) and int(m["id"]) > after]
            return _json(sorted(here, key=lambda m: -int(m["id"])))
        if path == messages:
            return _json(self._message(ME, body["content"], body, channel))
        if messages and path.startswith(f"{messages}/"):
            message = self.messages[int(path.rsplit("/", 1)[1])]
            message.update({key: value for key, value in body.items() if key in ("content", "components")})
            self._changed.set()
            return _json(message)
        return _json({"message": "404: Not Found", "code": 0}, status=404)

    def _message(self, author: int, text: str, body: dict[str, Any], channel: int) -> dict[str, Any]:
        number = next(self._ids)
        message = {
            "id": str(number),
            "channel_id": str(channel),
            "channel_type": 1,
            "author": user(author, "ada" if author == ADA else "parley", bot=author == ME),
            "content": text,
            "timestamp": "2026-01-01T00:00:00+00:00",
            "edited_timestamp": None,
            "tts": False,
            "mention_everyone": False,
            "mentions": [],
            "mention_roles": [],
            "attachments": [],
            "embeds": [],
            "pinned": False,
            "type": 0,
            "flags": 0,
            "components": body.get("components", []),
        }
        self.messages[number] = message
        self._changed.set()
        return message


def _json(body: Any, status: int = 200) -> web.Response:
    # discord.py parses a reply only if its content type is exactly this, without a character set.
    return web.Response(body=json.dumps(body).encode(), content_type="application/json", status=status)
