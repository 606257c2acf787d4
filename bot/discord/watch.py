"""For whoever runs the bot: `/health` and `/metrics` over HTTP, on a port of this machine unless told otherwise."""

from __future__ import annotations

import asyncio
import logging
import math
import os
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import aiohttp
from aiohttp import web

from bot.metrics import CONTENT_TYPE, Gauge
from data.errors import BadInput, ParleyError
from data.releases import Releases

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from types import SimpleNamespace

    import discord

    from bot.discord.chat import Talk
    from bot.metrics import Metrics

log = logging.getLogger(__name__)

PATIENCE = 5.0  # seconds in which the engine must answer
LOCKED = 2.0  # seconds that another process may hold the database


@dataclass(frozen=True)
class Health:
    """What works. `champion` is the release that is to serve, None when that cannot be read."""

    engine: bool
    discord: bool
    store: bool
    champion: int | None

    @property
    def ok(self) -> bool:
        """Whether people are answered."""
        return self.engine and self.discord and self.store and self.champion is not None


@asynccontextmanager
async def watched(talk: Talk) -> AsyncIterator[None]:
    """Serve both addresses, if a port is set. Raises BadInput when it cannot be had."""
    host, port = talk.settings.metrics_host, talk.settings.metrics_port
    if port is None:
        yield
        return
    app = web.Application()
    app.router.add_get("/health", partial(_health, talk))
    app.router.add_get("/metrics", partial(_metrics, talk))
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        try:
            await web.TCPSite(runner, host, port).start()
        except OSError as error:
            raise BadInput(
                f"PARLEY_METRICS_PORT: nothing can listen at {host}, port {port} ({os.strerror(error.errno or 0)}). "
                "Choose another one, or 0 for any that is free."
            ) from None
        log.info("health and metrics are at http://%s:%d", *runner.addresses[0][:2])
        yield
    finally:
        await runner.cleanup()


def counted_requests(metrics: Metrics) -> aiohttp.TraceConfig:
    """Counts every request to Discord by its method and its end, those that discord.py repeats by itself too."""
    trace = aiohttp.TraceConfig()

    async def ended(_: aiohttp.ClientSession, __: SimpleNamespace, end: aiohttp.TraceRequestEndParams) -> None:
        metrics.requests.add(end.method, str(end.response.status))

    async def failed(_: aiohttp.ClientSession, __: SimpleNamespace, end: aiohttp.TraceRequestExceptionParams) -> None:
        metrics.requests.add(end.method, "none")

    trace.on_request_end.append(ended)
    trace.on_request_exception.append(failed)
    return trace


async def health(talk: Talk) -> Health:
    """Look at everything that an answer needs."""
    engine, store = await asyncio.gather(_engine_answers(talk), talk.store.database.writable(LOCKED))
    return Health(engine, connected(talk.client), store, _champion(talk))


def connected(client: discord.Client) -> bool:
    """Whether every shard has its connection to Discord."""
    if client.is_closed() or not client.is_ready():
        return False
    shards = getattr(client, "shards", None)
    if shards is not None:
        return not any(shard.is_closed() for shard in shards.values())
    return bool(client.ws and client.ws.open)


def gauges(talk: Talk) -> list[Gauge]:
    """What is true at this moment."""
    running, waiting = talk.chat.load()
    delays = getattr(talk.client, "latencies", [(0, talk.client.latency)])
    found = [
        Gauge("parley_answers_running", "Answers that are being made.", running),
        Gauge("parley_questions_waiting", "Questions that wait for their turn.", waiting),
        Gauge("parley_discord_connected", "Whether every shard is connected.", connected(talk.client)),
        Gauge("parley_discord_servers", "Servers that the bot is in.", len(talk.client.guilds)),
        Gauge(
            "parley_discord_latency_seconds",
            "From a heartbeat to Discord's reply, by shard.",
            {str(shard): delay for shard, delay in delays if math.isfinite(delay)},
            "shard",
        ),
    ]
    if (memory := resident_bytes()) is not None:
        found.append(Gauge("process_resident_memory_bytes", "Memory of the bot's process.", memory))
    return found


def resident_bytes() -> int | None:
    """The memory that this process holds; None where the system doesn't say."""
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
    except (OSError, ValueError):
        return None
    return pages * os.sysconf("SC_PAGE_SIZE")


async def _health(talk: Talk, _: web.Request) -> web.Response:
    found = await health(talk)
    body = {"status": "ok" if found.ok else "failing", **asdict(found)}
    return web.json_response(body, status=200 if found.ok else 503)


async def _metrics(talk: Talk, _: web.Request) -> web.Response:
    text = talk.chat.metrics.text(*gauges(talk))
    return web.Response(body=text.encode(), headers={"Content-Type": f"{CONTENT_TYPE}; charset=utf-8"})


async def _engine_answers(talk: Talk) -> bool:
    try:
        async with asyncio.timeout(PATIENCE), talk.chat.engine.session() as session:
            await session.reach()
    except (TimeoutError, ParleyError):
        return False
    return True


def _champion(talk: Talk) -> int | None:
    try:
        return Releases(talk.settings.home).champion()
    except (ParleyError, OSError):
        return None
