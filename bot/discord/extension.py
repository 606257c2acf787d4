"""Parley in somebody else's bot: it opens its store and engine when it is loaded, and closes them when unloaded."""

from __future__ import annotations

import logging
from contextlib import AsyncExitStack

from bot import settings as configuration
from bot.discord.alone import alone_on_discord
from bot.discord.listeners import Host, Parley
from bot.opening import chat_of, opened
from bot.texts import GUEST, OWN, call_commands

log = logging.getLogger(__name__)

_NEEDED = ("guilds", "guild_messages", "dm_messages")
_open: dict[Host, AsyncExitStack] = {}


async def load(host: Host) -> None:
    """Open the store and the engine, and add Parley. Raises ParleyError; then nothing of it is left in the host."""
    settings = configuration.load()
    settings.share()
    async with AsyncExitStack() as stack:
        stack.enter_context(alone_on_discord(settings.home))
        store, engine, trial = await stack.enter_async_context(opened(settings))
        parley = Parley(host, settings, store, chat_of(settings, store, engine), trial, guest=True)
        stack.push_async_callback(parley.detach)
        parley.attach()
        call_commands(GUEST)
        stack.callback(lambda: call_commands(GUEST if _open else OWN))
        await parley.begin()
        if host.is_ready():
            await parley.on_ready()
        _open[host] = stack.pop_all()
    if missing := [name for name in _NEEDED if not getattr(host.intents, name)]:
        log.warning("Parley needs more events: this bot does not ask for the intents %s.", ", ".join(missing))
    log.info("Parley is added. Its commands appear when this bot synchronises its command tree.")


async def unload(host: Host) -> None:
    """Remove Parley, and close what was opened for it. An error is logged: discord.py would drop it."""
    stack = _open.pop(host, None)
    if stack is None:
        return
    try:
        await stack.aclose()
    except Exception:
        log.exception("Parley could not be closed properly")
