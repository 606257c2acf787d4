"""A Discord-compatible server on loopback, just large enough for a bot to log in, get a direct message and answer it.

    async with DiscordServer(token="t") as server:
        ... a bot with PARLEY_DISCORD_API=server.api and PARLEY_DISCORD_GATEWAY=server.gateway ...
        await server.ready.wait()
        await server.direct_message("hello")
        await server.said("an answer")

simcord plays Discord inside the bot's process and has no sockets; this is for tests of the whole process, and for
what only sockets can do: connections that drop, sessions that are resumed or no longer valid, refused requests.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import re
from dataclasses import dataclass, field
from typing import Any

from aiohttp import WSMsgType, web

ME, ADA, CHANNEL, ELSEWHERE = 100, 200, 300, 400
MESSAGE_CONTENT = 1 << 15
INTENTS_REFUSED = 4014


def user(number: int, name: str, *, bot: bool = False) -> dict[str, Any]:
    """A user as Discord sends it."""
    return {"id": str(number), "username": name, "discriminator": "0", "avatar": None, "bot": bot}


@dataclass
class Session:
    """The events of a gateway session, for a client that resumes it."""

    name: str
    socket: web.WebSocketResponse
    events: list[tuple[str, Any]] = field(default_factory=list)

    def add(self, event: str, data: Any) -> tuple[str, int]:
        """Keep an event; returns its name and number."""
        self.events.append((event, data))
        return event, len(self.events)


@dataclass(frozen=True)
class Refusal:
    """How a message is refused. `kept`: Discord has the message anyway and only failed to say so."""

    status: int
    kept: bool = False


class DiscordServer:
    """The REST and gateway ends of one direct conversation between Ada and the bot, on one shard or several."""

    def __init__(self, token: str, *, shards: int = 1, privileged: bool = True) -> None:
        self.token = token
        self.shards = shards
        self.privileged = privileged  # whether Message Content is switched on for the application
        self.ready = asyncio.Event()
        self.messages: dict[int, dict[str, Any]] = {}
        self.identified: list[dict[str, Any]] = []
        self.resumed: list[int] = []  # the number of the last event, as each resume named it
        self.refusals: list[Refusal] = []  # for the messages that the bot sends next
        self.published: list[Any] = []  # the commands, each time that they were sent
        self.busy = False  # whether Discord lets the next publishing wait for ten minutes
        self.tried = 0  # messages that the bot sent or tried to send
        self.interactions: list[tuple[str, str, dict[str, Any]]] = []  # what came through interactions
        self._changed = asyncio.Event()
        self._ids = itertools.count(1000)
        self._sessions: dict[str, Session] = {}
        self._current: Session | None = None
        self._away = False
        self._nonces: dict[str, dict[str, Any]] = {}
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

    # -- what happens on Discord

    async def direct_message(self, text: str, channel: int = CHANNEL) -> dict[str, Any]:
        """Ada writes to the bot in her direct conversation, whether or not the bot is connected."""
        message = self._message(ADA, text, {}, channel)
        await self._happens("MESSAGE_CREATE", message)
        return message

    async def command(self, name: str, options: dict[str, str], *, guild: int | None) -> str:
        """Ada uses a command that she installed for herself, on a server that the bot is not on or in her own chats.

        Returns the interaction's token.
        """
        chosen = [{"name": option, "type": 3, "value": value} for option, value in options.items()]
        return await self._interaction(2, {"id": "1", "type": 1, "name": name, "options": chosen}, guild)

    async def press(self, message: dict[str, Any], custom_id: str, *, guild: int | None) -> str:
        """Ada presses a button below a message. Returns the interaction's token."""
        return await self._interaction(3, {"custom_id": custom_id, "component_type": 2}, guild, message=message)

    async def said(self, text: str) -> dict[str, Any]:
        """Waits for the bot's message with this text."""
        async with asyncio.timeout(60):
            while True:
                for message in self.messages.values():
                    if message["author"]["bot"] and message["content"] == text:
                        return message
                self._changed.clear()
                await self._changed.wait()

    # -- what goes wrong

    async def drop(self) -> None:
        """The connection breaks."""
        assert self._current is not None
        await self._current.socket.close(code=1001)

    async def go_away(self) -> None:
        """The gateway is gone until `come_back`; events in between are kept for a client that resumes."""
        self._away = True
        await self.drop()

    def come_back(self) -> None:
        """The gateway answers again."""
        self._away = False

    async def invalidate(self) -> None:
        """The session ends, and its events cannot be resumed."""
        assert self._current is not None
        self.forget_sessions()
        await _send(self._current.socket, 9, False)

    def forget_sessions(self) -> None:
        """No session can be resumed any more."""
        self._sessions.clear()
        self.ready.clear()

    # -- the gateway

    async def _gateway(self, request: web.Request) -> web.StreamResponse:
        if self._away:
            return web.Response(status=503)
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        await _send(socket, 10, {"heartbeat_interval": 40000})
        async for frame in socket:
            if frame.type is not WSMsgType.TEXT:
                continue
            payload = json.loads(frame.data)
            if payload["op"] == 1:
                await _send(socket, 11, None)
            elif payload["op"] == 2:
                await self._identify(socket, payload["d"])
            elif payload["op"] == 6:
                await self._resume(socket, payload["d"])
        return socket

    async def _identify(self, socket: web.WebSocketResponse, data: dict[str, Any]) -> None:
        self.identified.append(data)
        if data["intents"] & MESSAGE_CONTENT and not self.privileged:
            await socket.close(code=INTENTS_REFUSED, message=b"Disallowed intent(s).")
            return
        shard = data.get("shard", [0, 1])
        session = self._sessions[f"s{len(self.identified)}"] = Session(f"s{len(self.identified)}", socket)
        if shard[0] == 0:  # direct messages come on the first shard
            self._current = session
        ready = {
            "v": 10,
            "user": user(ME, "parley", bot=True),
            "guilds": [],
            "session_id": session.name,
            "resume_gateway_url": self.gateway,
            "application": {"id": str(ME), "flags": 0},
            "private_channels": [],
            "shard": shard,
        }
        await _send(socket, 0, ready, *session.add("READY", ready))
        if shard[0] == shard[1] - 1:
            self.ready.set()

    async def _resume(self, socket: web.WebSocketResponse, data: dict[str, Any]) -> None:
        session = self._sessions.get(data["session_id"])
        if session is None:
            await _send(socket, 9, False)
            return
        session.socket = socket
        self.resumed.append(data["seq"])
        # The last one again too: Discord cannot know whether it has arrived.
        first = max(1, data["seq"] - 1)
        for number, (event, missed) in enumerate(session.events[first:], first + 1):
            await _send(socket, 0, missed, event, number)
        await _send(socket, 0, {}, *session.add("RESUMED", {}))

    async def _happens(self, event: str, data: Any) -> None:
        assert self._current is not None
        named = self._current.add(event, data)
        if not self._current.socket.closed:
            await _send(self._current.socket, 0, data, *named)

    # -- the REST end

    async def _rest(self, request: web.Request) -> web.Response:
        path = request.match_info["path"]
        body = await request.json() if request.can_read_body else {}
        if path.startswith(("interactions/", "webhooks/")):  # their tokens are in their paths
            return self._by_interaction(request.method, path, body)
        if request.headers.get("Authorization") != f"Bot {self.token}":
            return _json({"message": "401: Unauthorized", "code": 0}, status=401)
        place = re.match(r"channels/(\d+)/messages", path)
        messages, channel = (place[0], int(place[1])) if place else ("", CHANNEL)
        if path == "users/@me":
            return _json(user(ME, "parley", bot=True))
        if path == "gateway/bot":
            limit = {"total": 1000, "remaining": 999, "reset_after": 0, "max_concurrency": 1}
            return _json({"url": "wss://gateway.invalid", "shards": self.shards, "session_start_limit": limit})
        if path == "oauth2/applications/@me":
            owner = user(1, "owner")
            return _json(
                {"id": str(ME), "name": "parley", "icon": None, "description": "", "verify_key": "", "flags": 0}
                | {"bot_public": True, "bot_require_code_grant": False, "owner": owner, "summary": ""}
            )
        if path.endswith("/commands"):
            self.published.append(body)
            return _refused(429, 600) if self.busy else _json([])
        if path.endswith("/typing"):
            return web.Response(status=204)
        if path == messages and request.method == "GET":
            after = int(request.query.get("after", 0))
            here = [m for m in self.messages.values() if m["channel_id"] == str(channel) and int(m["id"]) > after]
            return _json(sorted(here, key=lambda m: -int(m["id"])))
        if path == messages:
            return self._sent(body, channel)
        if messages and path.startswith(f"{messages}/"):
            return _json(self._edited(self.messages[int(path.rsplit("/", 1)[1])], body))
        return _json({"message": "404: Not Found", "code": 0}, status=404)

    def _sent(self, body: dict[str, Any], channel: int) -> web.Response:
        self.tried += 1
        refusal = self.refusals.pop(0) if self.refusals else None
        if refusal is not None and not refusal.kept:
            return _refused(refusal.status)
        nonce = str(body.get("nonce"))
        if not (body.get("enforce_nonce") and nonce in self._nonces):
            self._nonces[nonce] = self._message(ME, body["content"], body, channel)
        return _refused(refusal.status) if refusal else _json(self._nonces[nonce])

    def _edited(self, message: dict[str, Any], body: dict[str, Any]) -> dict[str, Any]:
        message.update({key: value for key, value in body.items() if key in ("content", "components")})
        self._changed.set()
        return message

    # -- interactions

    async def _interaction(self, kind: int, data: Any, guild: int | None, **more: Any) -> str:
        number = next(self._ids)
        who: dict[str, Any] = {"user": user(ADA, "ada")}
        channel: dict[str, Any] = {"id": str(CHANNEL), "type": 1, "recipients": [user(ADA, "ada")]}
        if guild is not None:
            member = {"user": user(ADA, "ada"), "roles": [], "joined_at": None, "deaf": False, "mute": False}
            who = {"member": {**member, "flags": 0, "permissions": "0"}, "guild_id": str(guild)}
            who["guild"] = {"id": str(guild), "locale": "en-US", "features": []}
            channel = {"id": str(ELSEWHERE), "type": 0, "name": "elsewhere", "position": 0}
        token = f"token-{number}"
        interaction = {
            "id": str(number),
            "application_id": str(ME),
            "type": kind,
            "data": data,
            "channel": channel,
            "channel_id": channel["id"],
            "token": token,
            "version": 1,
            "locale": "en-US",
            "app_permissions": "0",
            "entitlements": [],
            "authorizing_integration_owners": {"1": str(ADA)},
            "context": 2 if guild is None else 0,
            "attachment_size_limit": 1000,
        }
        await self._happens("INTERACTION_CREATE", interaction | who | more)
        return token

    def _by_interaction(self, method: str, path: str, body: dict[str, Any]) -> web.Response:
        self.interactions.append((method, path, body))
        parts = path.split("/")
        if parts[0] == "interactions":
            return _json({"interaction": {"id": parts[1], "type": 2, "response_message_loading": True}})
        if method == "POST" or parts[-1] == "@original":
            message = self._message(ME, body.get("content", ""), body)
            message["channel_id"] = str(ELSEWHERE)
            return _json(message)
        return _json(self._edited(self.messages[int(parts[-1])], body))

    def _message(self, author: int, text: str, body: dict[str, Any], channel: int = CHANNEL) -> dict[str, Any]:
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


async def _send(
    socket: web.WebSocketResponse, op: int, data: Any, event: str | None = None, number: int | None = None
) -> None:
    await socket.send_str(json.dumps({"op": op, "d": data, "s": number, "t": event}))


def _refused(status: int, seconds: float = 0.05) -> web.Response:
    if status != 429:
        return _json({"message": "it broke", "code": 0}, status=status)
    # Without Via and a JSON body discord.py takes it for a ban of the address.
    body = {"message": "You are being rate limited.", "retry_after": seconds, "global": False}
    return _json(body, status=429, headers={"Via": "1.1 loopback", "Retry-After": str(seconds)})


def _json(body: Any, status: int = 200, headers: dict[str, str] | None = None) -> web.Response:
    # discord.py parses a reply only if its content type is exactly this, without a character set.
    raw = json.dumps(body).encode()
    return web.Response(body=raw, content_type="application/json", status=status, headers=headers)
