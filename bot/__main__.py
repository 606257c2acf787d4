"""`python -m bot`: the bot on Discord when DISCORD_TOKEN is set, else in the terminal."""

from __future__ import annotations

import argparse
import logging
import os
import sys
from typing import TYPE_CHECKING

from data.errors import BadInput, ParleyError, run

if TYPE_CHECKING:
    from bot.settings import Settings

TOKENLESS = (
    "Discord needs a token: create an application with a bot at the developer portal of Discord, put its token into "
    "DISCORD_TOKEN (in .env or the environment), and start again. Without one, `--platform terminal` works at once."
)


def main() -> int:
    """Read the arguments and settings, and talk until the end."""
    parser = argparse.ArgumentParser(
        prog="python -m bot",
        description="Parley's bot: on Discord when DISCORD_TOKEN is set, else in this terminal.",
        epilog="Settings come from the environment and .env: DISCORD_TOKEN, and others that begin with PARLEY_.",
    )
    parser.add_argument("--platform", choices=("discord", "terminal"), help="where to talk, whatever is set")
    arguments = parser.parse_args()

    from bot import logs  # not before: --help answers at once
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
    logs.begin(settings.log, verbose=platform == "discord")
    for sentence in configuration.suspicious(configuration.names()):
        logging.getLogger("bot").warning(sentence)

    import asyncio

    try:
        if platform == "discord" and settings.discord_token is None:
            raise BadInput(TOKENLESS)
        if platform == "discord":
            asyncio.run(_discord(settings))
        else:
            asyncio.run(_terminal(settings))
    except ParleyError as error:
        if settings.log != "json":
            raise
        logging.getLogger("bot").critical("%s", error)  # who reads the log as JSON reads no line beside it
        return error.exit_code
    return 0


async def _terminal(settings: Settings) -> None:
    from bot import logs
    from bot.opening import chat_of, opened
    from bot.terminal.chat import Terminal
    from bot.terminal.console import Lines, Screen, at_keyboard
    from bot.texts import texts

    words = texts(settings.language)
    interactive = at_keyboard()
    if interactive and sys.stdout.isatty():
        from bot.terminal.keyboard import Keyboard  # not from a pipe: prompt_toolkit takes a moment to load

        lines: Lines = (keyboard := Keyboard())
        screen: Screen = keyboard.screen
    else:
        lines, screen = Lines(interactive), Screen(interactive)
    if interactive:
        screen.line(words.starting, "dim")

    logs.watch_loop()
    async with opened(settings) as (store, engine, trial):
        chat = chat_of(settings, store, engine)
        try:
            await Terminal(store, chat, settings, words, lines, screen, trial).run()
        finally:
            await chat.close()


async def _discord(settings: Settings) -> None:
    from bot import logs
    from bot.discord.client import talk_on_discord
    from bot.opening import chat_of, opened

    logs.watch_loop()
    async with opened(settings) as (store, engine, trial):
        await talk_on_discord(settings, store, chat_of(settings, store, engine), trial)


if __name__ == "__main__":
    run(main)
