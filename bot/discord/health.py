"""For operators: `/health` and `/metrics` over HTTP. The server binds to 127.0.0.1 by default."""

from __future__ import annotations

import asyncio
import logging
import math
import os
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, cast

import aiohttp
from aiohttp import web

from bot.metrics import CONTENT_TYPE, Gauge
from data.errors import BadInput, ParleyError
from data.releases import Releases

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from types import SimpleNamespace

    import discord

    from bot.discord.app import App
    from bot.engine.api import Engine
    from bot.metrics import Metrics

log = logging.getLogger(__name__)

PATIENCE = 5.0  # seconds in which the engine must answer
LOCKED = 2.0  # seconds that another process may hold the database


@dataclass(frozen=True)
class Health:
    """What works. `champion` is the release that should serve, None when that cannot be read."""

    engine: bool
    discord: bool
    store: bool
    champion: int | None
    engine_problem: str | None = None  # why the engine does not answer, without any secret

    @property
    def ok(self) -> bool:
        """Whether people are answered."""
        return self.engine and self.discord and self.store and self.champion is not None


@asynccontextmanager
async def health_served(app: App) -> AsyncIterator[None]:
    """Serve both addresses, if a port is set. Raises BadInput when the port cannot be used."""
    host, port = app.settings.metrics_host, app.settings.metrics_port
    if port is None:
        yield
        return
    pages = HealthPages(app)
    site = web.Application()
    site.router.add_get("/health", pages.health_page)
    site.router.add_get("/metrics", pages.metrics_page)
    runner = web.AppRunner(site, access_log=None, shutdown_timeout=1.0)
    await runner.setup()
    try:
        try:
            await web.TCPSite(runner, host, port).start()
        except OSError as error:
            why = os.strerror(error.errno) if error.errno and error.errno > 0 else str(error.strerror)
            raise BadInput(
                f"PARLEY_METRICS_PORT: nothing can listen at {host}, port {port} ({why}). Choose another port, 0 for "
                "any free one, or another PARLEY_METRICS_HOST."
            ) from None
        log.info("health and metrics are at http://%s:%d", *runner.addresses[0][:2])
        yield
    finally:
        await runner.cleanup()


class HealthPages:
    """The two pages; each request checks the bot again."""

    def __init__(self, app: App) -> None:
        self.app = app
        self._reaching: asyncio.Task[str] | None = None

    async def health(self) -> Health:
        """Check everything that an answer needs."""
        writable = self.app.store.database.writable(LOCKED)
        problem, store = await asyncio.gather(self._engine_problem(), writable)
        return Health(not problem, connected(_client(self.app)), store, _champion(self.app), problem or None)

    async def health_page(self, _: web.Request) -> web.Response:
        """The health as JSON: 200 when people are answered, else 503."""
        found = await self.health()
        body = {"status": "ok" if found.ok else "failing", **asdict(found)}
        return web.json_response(body, status=200 if found.ok else 503)

    async def metrics_page(self, _: web.Request) -> web.Response:
        """The figures in Prometheus' format."""
        text = self.app.chat.metrics.text(*gauges(self.app))
        return web.Response(body=text.encode(), headers={"Content-Type": f"{CONTENT_TYPE}; charset=utf-8"})

    async def _engine_problem(self) -> str:
        # Reaching a dead engine starts it again, which must not be cut off: the next request waits for the same task.
        if self._reaching is None or self._reaching.done():
            self._reaching = asyncio.create_task(_reached(self.app.chat.engine))
        done, _ = await asyncio.wait({self._reaching}, timeout=PATIENCE)
        return self._reaching.result() if done else "The engine has not answered yet."


def counted_requests(metrics: Metrics) -> aiohttp.TraceConfig:
    """Counts every request to Discord by its method and its status, also those that discord.py repeats by itself."""
    trace = aiohttp.TraceConfig()

    async def ended(_: aiohttp.ClientSession, __: SimpleNamespace, end: aiohttp.TraceRequestEndParams) -> None:
        metrics.requests.labels(end.method, str(end.response.status)).inc()

    async def failed(_: aiohttp.ClientSession, __: SimpleNamespace, end: aiohttp.TraceRequestExceptionParams) -> None:
        metrics.requests.labels(end.method, "none").inc()

    trace.on_request_end.append(ended)
    trace.on_request_exception.append(failed)
    return trace


def connected(client: discord.AutoShardedClient) -> bool:
    """Whether every shard has its connection to Discord."""
    if client.is_closed() or not client.is_ready():
        return False
    return not any(shard.is_closed() for shard in client.shards.values())


def _client(app: App) -> discord.AutoShardedClient:
    return cast("discord.AutoShardedClient", app.client)  # our own bot is one, and a host's serves no pages


def gauges(app: App) -> list[Gauge]:
    """The figures of this moment."""
    running, waiting = app.chat.load
    delays = _client(app).latencies
    found = [
        Gauge("parley_answers_running", "Answers that are being made.", running),
        Gauge("parley_questions_waiting", "Questions that wait for their turn.", waiting),
        Gauge("parley_discord_connected", "Whether every shard is connected.", connected(_client(app))),
        Gauge("parley_discord_servers", "Servers that the bot is in.", len(app.client.guilds)),
        Gauge(
            "parley_discord_latency_seconds",
            "From a heartbeat to Discord's reply, by shard.",
            {str(shard): delay for shard, delay in delays if math.isfinite(delay)},
            "shard",
        ),
    ]
    held = {f"{way} {kind}": count for (way, kind), count in app.chat.moderation.counts.items()}
    if held:
        found.append(Gauge("parley_moderated", "What moderation held back since the start.", held, "what"))
    if (memory := resident_bytes()) is not None:
        found.append(Gauge("process_resident_memory_bytes", "Memory of the bot's process.", memory))
    return found


def resident_bytes() -> int | None:
    """The memory of this process in bytes; None where the system does not say."""
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
    except (OSError, ValueError):
        return None
    return pages * os.sysconf("SC_PAGE_SIZE")


async def _reached(engine: Engine) -> str:
    """Why the engine does not answer; empty when it does."""
    try:
        async with engine.session() as session:
            await session.reach()
    except ParleyError as error:
        return str(error)
    return ""


def _champion(app: App) -> int | None:
    try:
        return Releases(app.settings.home).champion()
    except (ParleyError, OSError):
        return None
