"""Serves the page in the bot's event loop: alone, or beside Discord or the terminal."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
from contextlib import asynccontextmanager, contextmanager, suppress
from typing import TYPE_CHECKING

import uvicorn

from bot.web.app import create_app
from bot.web.pages.sign_in import print_operator_link
from bot.web.site import Site
from data.errors import BadInput

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Generator

    from bot.conversation import Chat
    from bot.settings import Settings
    from bot.sign_in_links import SignInLinks
    from bot.trial import Trial
    from data.store import Store

log = logging.getLogger(__name__)

PORT = 8321  # where the page is when it was asked for without a port
# What only browsers on this machine reach, or is no address for a browser at all.
_THIS_MACHINE = ("127.0.0.1", "localhost", "::1", "0.0.0.0", "::")  # noqa: S104 - compared, not bound
_PATIENCE = 5  # seconds that requests may take to end when the process does


class _Server(uvicorn.Server):
    """A server whose process decides about signals by itself."""

    @contextmanager
    def capture_signals(self) -> Generator[None]:
        """Capture none."""
        yield


@asynccontextmanager
async def page_served(
    settings: Settings, store: Store, chat: Chat, trial: Trial, links: SignInLinks
) -> AsyncIterator[Site]:
    """Serve the page within the block; its address is then `links.address`. Raises BadInput for a port in use.

    End the `chat` within the block: its answers are streams, which the page waits for.
    """
    listening = _listen(settings)
    site = Site(settings, store, chat, trial, links)
    server = _Server(
        uvicorn.Config(
            create_app(site),
            http="h11",
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=bool(settings.web_proxies),
            forwarded_allow_ips=list(settings.web_proxies),
            root_path=settings.web_root_path,
            timeout_graceful_shutdown=_PATIENCE,
            h11_max_incomplete_event_size=64 * 1024,
        )
    )
    serving = asyncio.create_task(server.serve(sockets=[listening]), name="web-page")
    links.address = settings.web_address or _address(listening, settings.web_root_path)
    links.public = settings.web_address is not None or settings.web_host not in _THIS_MACHINE
    log.info("the page is at %s", links.address)
    try:
        await print_operator_link(site)
        yield site
    finally:
        links.address = None
        server.should_exit = True
        await serving
        listening.close()


def ending() -> asyncio.Event:
    """Set once the process is told to end."""
    told = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        with suppress(NotImplementedError):  # Windows
            loop.add_signal_handler(number, told.set)
    return told


def _listen(settings: Settings) -> socket.socket:
    """A socket that listens. Where no port was set and the usual one is in use, any free one serves."""
    ports = [PORT, 0] if settings.web_port is None else [settings.web_port]
    family = socket.AF_INET6 if ":" in settings.web_host else socket.AF_INET
    for port in ports:
        listening = socket.socket(family, socket.SOCK_STREAM)
        try:
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listening.bind((settings.web_host, port))
            listening.listen(2048)
        except OSError as error:
            listening.close()
            if port != ports[-1]:
                continue
            why = os.strerror(error.errno) if error.errno and error.errno > 0 else str(error.strerror)
            raise BadInput(
                f"PARLEY_WEB_PORT: nothing can listen at {settings.web_host}, port {port} ({why}). Choose another "
                "port, 0 for any free one, or another PARLEY_WEB_HOST."
            ) from None
        listening.setblocking(False)
        return listening
    raise AssertionError("the loop returns or raises")


def _address(listening: socket.socket, root_path: str) -> str:
    host, port = listening.getsockname()[:2]
    return f"http://{f'[{host}]' if ':' in host else host}:{port}{root_path}"
