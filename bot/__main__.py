"""`python -m bot`: the bot on Discord if DISCORD_TOKEN is set, else in the terminal; and the web page beside it."""

from __future__ import annotations

import argparse
import asyncio
import gc
import logging
import os
import sys
from contextlib import AbstractAsyncContextManager, nullcontext
from functools import partial
from typing import TYPE_CHECKING

from data.errors import BadInput, ParleyError, run
from data.pasted import pasted
from data.variables import set_here, unknown

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from bot.opening import Beside
    from bot.settings import Settings

TOKENLESS = (
    "Discord needs a token. Create an application with a bot in Discord's developer portal, put its token into "
    "DISCORD_TOKEN (in .env or the environment), and start again. Without a token, use `--platform terminal`."
)

BESIDE = (
    "Discord starts, since DISCORD_TOKEN is set. To chat in a terminal beside it: python -m bot --platform terminal"
)


def main() -> int:
    """Read the arguments and settings, and talk until the chat ends."""
    parser = argparse.ArgumentParser(
        prog="python -m bot",
        description="Parley's bot: on Discord if DISCORD_TOKEN is set, else in this terminal.",
        epilog="Settings come from the environment and .env: DISCORD_TOKEN, and variables that begin with PARLEY_.",
    )
    parser.add_argument(
        "--platform", choices=("discord", "terminal", "web"), help="where to talk, whatever the settings say"
    )
    parser.add_argument(
        "--page",
        action="store_true",
        help="serve the web page beside Discord or a keyboard, also where PARLEY_WEB_PORT is not set",
    )
    arguments = parser.parse_args()

    gc.disable()  # while importing: imports leave little garbage, and looking for it takes a fifth of their time
    # Imported here, so that `--help` answers at once, without pydantic.
    from bot import logs
    from bot import settings as configuration

    try:
        settings = configuration.load()
    except BadInput as error:
        if os.environ.get("PARLEY_LOG") != "json":
            raise
        logs.begin("json", verbose=False)
        logging.getLogger("bot").critical("%s", error)
        return error.exit_code
    settings.share()
    platform = arguments.platform or ("discord" if settings.discord_token else "terminal")
    logs.begin(settings.log, verbose=platform != "terminal")
    for sentence in unknown(set_here()):
        logging.getLogger("bot").warning(sentence)
    if platform == "discord" and arguments.platform is None:
        logging.getLogger("bot").info(pasted(BESIDE))

    async def talk() -> None:
        logs.watch_loop()
        asked = arguments.page and (platform != "terminal" or sys.stdin.isatty())  # a script at a pipe wants no page
        talk_there = _platform(platform, page=asked or settings.web_port is not None)
        gc.freeze()  # what was imported stays; looking through it again would hold the event loop for 0.15 s
        gc.enable()
        await talk_there(settings)

    try:
        if platform == "discord" and settings.discord_token is None:
            raise BadInput(TOKENLESS)
        asyncio.run(talk())
    except ParleyError as error:
        if settings.log != "json":
            raise
        logging.getLogger("bot").critical("%s", error)  # a program that reads the log as JSON sees this too
        return error.exit_code
    return 0


def _platform(name: str, *, page: bool) -> Callable[[Settings], Awaitable[None]]:
    """The function that talks on a platform, and serves the page beside it if that is wanted.

    Imports stand here, so that a platform loads only what it needs.
    """
    from bot.opening import chat_of, opened
    from bot.sign_in_links import SignInLinks

    links = SignInLinks()
    beside: Beside = _no_page
    if page or name == "web":
        from bot.web.start import ending, page_served

        beside = partial(page_served, links=links)
    if name == "terminal":
        from bot.terminal.start import talk_in_terminal

        return partial(talk_in_terminal, beside=beside)
    if name == "web":

        async def talk(settings: Settings) -> None:
            told = ending()
            async with opened(settings) as (store, engine, trial):
                chat = chat_of(settings, store, engine)
                async with beside(settings, store, chat, trial):
                    await told.wait()
                    await chat.close()

        return talk
    from bot.discord.alone import alone_on_discord
    from bot.discord.client import talk_on_discord

    async def talk_there(settings: Settings) -> None:
        with alone_on_discord(settings.home):
            async with opened(settings) as (store, engine, trial):
                chat = chat_of(settings, store, engine)
                async with beside(settings, store, chat, trial):
                    await talk_on_discord(settings, store, chat, trial, links)

    return talk_there


def _no_page(*_: object) -> AbstractAsyncContextManager[object]:
    return nullcontext()


if __name__ == "__main__":
    run(main, tell_unknown=False)
